"""The cable of a machine's network card: what it is plugged into, over all power cycles."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Protocol, runtime_checkable

from hospes.base.clock import Clock
from hospes.base.errors import HospesError
from hospes.devices.backends import EntropySource, NetworkBackend
from hospes.machine.boards.surroundings import Pluggable
from hospes.machine.unplugged import Unplugged
from hospes.spec.net import (
    MAC_SEED_BYTES,
    NetworkKind,
    NetworkSpec,
    Publication,
    mac_bytes,
    mac_from,
)

if TYPE_CHECKING:
    from hospes.machine.firewall import FirewalledNetwork
    from hospes.spec.firewall import FirewallSpec, FirewallStatus


class Network(NetworkBackend, Protocol):
    """A network for one card."""

    def close(self) -> None:
        """The machine has ended: give back whatever there is; raises nothing."""
        ...


@runtime_checkable
class Publishing(Protocol):
    """A network in which the host has ports that lead to the guest's."""

    @property
    def publications(self) -> tuple[Publication, ...]:
        """Those there are, in order."""
        ...

    def publish(self, publication: Publication, /) -> None:
        """Offer a port of the guest on the host; HospesError when the host's port is in use."""
        ...

    def withdraw(self, publication: Publication, /) -> None:
        """Offer it no more, but leave its connections; HospesError when it is not offered."""
        ...


@runtime_checkable
class Resetting(Protocol):
    """A network that keeps something for the guest, such as its connections."""

    def reset(self) -> None:
        """The guest has been reset: what it had begun is over; published ports stay."""
        ...


@runtime_checkable
class NameServing(Protocol):
    """A network that knows its name servers; answers from elsewhere mean nothing in it."""

    @property
    def name_servers(self) -> tuple[bytes, ...]:
        """Their packed addresses."""
        ...


OpenNetwork = Callable[[NetworkSpec, Callable[[], None], Callable[[str], None]], Network]
"""Makes what a spec asks for, which says the card's address. The second argument is to be called,
from any thread, when frames wait for the guest or the link has changed; the third with sentences
for the user. HospesError if it cannot be had."""


STALE_MAX: Final = 65536
STALE_AT_ONCE: Final = 256
"""Frames thrown away when a cable is put back."""


@dataclass(frozen=True)
class Environs:
    """What a cable needs besides a network: whom to rouse, whom to tell, what time it is."""

    ring: Callable[[], None]
    remark: Callable[[str], None]
    clock: Clock


class Cable:
    """What a board is given for its card: the card's address, and where frames go.

    `end` is the network, or the firewall before it: without one, nothing stands in between.
    """

    def __init__(self, mac: bytes, network: Network, environs: Environs) -> None:
        self.mac, self.network, self._environs = mac, network, environs
        self.end: NetworkBackend = network
        self._firewall: FirewalledNetwork | None = None
        self._card: Pluggable | None = None

    def attach(self, card: Pluggable) -> None:
        """A card is made with this cable; there is another after each reset of the machine."""
        self._card = card

    @property
    def publishing(self) -> Publishing:
        """The network, if ports can be published in it; HospesError otherwise."""
        if not isinstance(self.network, Publishing):
            raise HospesError(
                "the machine has no network in which ports can be published; start one with "
                "--network nat or --network switch:NAME"
            )
        return self.network

    @property
    def firewall(self) -> "FirewallStatus | None":
        """The firewall's rules and what they have done; None if there is none."""
        return None if self._firewall is None else self._firewall.status()

    def guard(self, spec: "FirewallSpec | None") -> None:
        """Have a firewall with these rules from here on, or none."""
        if spec is None:
            self._firewall = None
        elif self._firewall is not None:
            self._firewall.change(spec)
        else:
            self._firewall = self._made(spec)
        self._plug()

    @property
    def is_plugged_in(self) -> bool:
        """Whether it leads anywhere."""
        return not isinstance(self.end, Unplugged)

    def set_link(self, up: bool) -> None:
        """Put it in or pull it out, over resets of the machine too; what came meanwhile is lost."""
        if up == self.is_plugged_in:
            return
        if not up:
            self._plug(Unplugged())
            return
        for _ in range(STALE_MAX // STALE_AT_ONCE):
            if not self.network.receive(STALE_AT_ONCE):
                break
        self._plug(self.network)

    def reset(self) -> None:
        """The power is gone, and with it the card and all that the guest had begun."""
        self._card = None
        if isinstance(self.network, Resetting):
            self.network.reset()
        if self._firewall is not None:
            self._firewall.reset()

    def _plug(self, end: NetworkBackend | None = None) -> None:
        """Lead to the network, or the firewall before it; or to where it is said, or still does."""
        before, end = self.end, end or self.end
        self.end = end if isinstance(end, Unplugged) else self._firewall or self.network
        if self._card is not None and self.end is not before:
            self._card.plug(self.end)

    def _made(self, spec: "FirewallSpec") -> "FirewalledNetwork":
        # Here, for most machines have no firewall.
        from hospes.machine.firewall import FirewalledNetwork

        network = self.network
        return FirewalledNetwork(
            network,
            spec,
            publications=(lambda: network.publications)
            if isinstance(network, Publishing)
            else None,
            servers=network.name_servers if isinstance(network, NameServing) else None,
            ring=self._environs.ring,
            clock=self._environs.clock,
        )


def plug_in(
    spec: NetworkSpec, open_network: OpenNetwork, entropy: EntropySource, environs: Environs
) -> Cable | None:
    """The cable of a machine that has a network."""
    if spec.kind == NetworkKind.NONE:
        return None
    if spec.mac is None:
        spec = replace(spec, mac=mac_from(entropy.read(MAC_SEED_BYTES)))
    assert spec.mac is not None
    network = open_network(spec, environs.ring, environs.remark)
    cable = Cable(mac_bytes(spec.mac), network, environs)
    if spec.firewall is not None:
        # Here, for most machines have no firewall.
        from hospes.machine.firewall import closed_ports
        from hospes.spec.firewall_rules import firewall_of

        rules = firewall_of(spec.firewall)
        cable.guard(rules)
        for sentence in closed_ports(rules, spec.publish):
            environs.remark(sentence)
    return cable


def plugged(cable: Cable | None) -> Cable:
    """The cable of a machine that has a network card; HospesError otherwise."""
    if cable is None:
        raise HospesError("the machine has no network; start one with --network nat")
    return cable

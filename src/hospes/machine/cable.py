"""The cable of a machine's network card: what it is plugged into, over all power cycles."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

from hospes.base.errors import HospesError
from hospes.devices.backends import EntropySource, NetworkBackend
from hospes.spec.net import (
    MAC_SEED_BYTES,
    NetworkKind,
    NetworkSpec,
    Publication,
    mac_bytes,
    mac_from,
)


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


OpenNetwork = Callable[[NetworkSpec, Callable[[], None], Callable[[str], None]], Network]
"""Makes what a spec asks for, which says the card's address. The second argument is to be called,
from any thread, when frames wait for the guest or the link has changed; the third with sentences
for the user. HospesError if it cannot be had."""


@dataclass(frozen=True)
class Cable:
    """What a board is given for its card: the card's address, and where frames go."""

    mac: bytes
    network: Network


def plug_in(
    spec: NetworkSpec,
    open_network: OpenNetwork,
    ring: Callable[[], None],
    remark: Callable[[str], None],
    entropy: EntropySource,
) -> Cable | None:
    """The cable of a machine that has a network."""
    if spec.kind == NetworkKind.NONE:
        return None
    if spec.mac is None:
        spec = replace(spec, mac=mac_from(entropy.read(MAC_SEED_BYTES)))
    assert spec.mac is not None
    return Cable(mac_bytes(spec.mac), open_network(spec, ring, remark))


def publishing(cable: Cable | None) -> Publishing:
    """The network, if ports can be published in it; HospesError otherwise."""
    if cable is None or not isinstance(cable.network, Publishing):
        raise HospesError(
            "the machine has no network in which ports can be published; start one with "
            "--network nat or --network switch:NAME"
        )
    return cable.network

"""The cable of a machine's network card: what it is plugged into, over all power cycles."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from hospes.base.errors import HospesError
from hospes.devices.backends import EntropySource, NetworkBackend
from hospes.spec.net import NetworkKind, NetworkSpec, mac_bytes, mac_from

SEED_BYTES: Final = 16


class Network(NetworkBackend, Protocol):
    """A network for one card."""

    def close(self) -> None:
        """The machine has ended: give back whatever there is; raises nothing."""
        ...


OpenNetwork = Callable[[NetworkSpec, Callable[[], None]], Network]
"""Makes what a spec asks for; the second argument is to be called, from any thread, when frames
wait for the guest or the link has changed. HospesError if it cannot be had."""


@dataclass(frozen=True)
class Cable:
    """What a board is given for its card: the card's address, and where frames go."""

    mac: bytes
    network: Network


def plug_in(
    spec: NetworkSpec,
    open_network: OpenNetwork | None,
    ring: Callable[[], None],
    entropy: EntropySource,
) -> Cable | None:
    """The cable of a machine that has a network."""
    if spec.kind == NetworkKind.NONE:
        return None
    if open_network is None:
        raise HospesError(
            f"a network of kind {spec.kind} needs something that opens it; give open_network, or "
            "leave the network out"
        )
    mac = spec.mac or mac_from(entropy.read(SEED_BYTES))
    return Cable(mac_bytes(mac), open_network(spec, ring))

"""Addresses as the host's sockets take them, and which of them are the host's own."""

import errno
import socket
from typing import Final

from hospes.base.clock import Clock
from hospes.network.icmp import Unreachable
from hospes.network.limits import SECOND_NS

KNOWN_MAX: Final = 1024
KNOWN_NS: Final = 60 * SECOND_NS
DISCARD_PORT: Final = 9

WHY: Final = {
    errno.ENETUNREACH: Unreachable.NETWORK,
    errno.EHOSTUNREACH: Unreachable.HOST,
    errno.EHOSTDOWN: Unreachable.HOST,
    errno.ETIMEDOUT: Unreachable.HOST,
    errno.EADDRNOTAVAIL: Unreachable.HOST,
    errno.EACCES: Unreachable.PROHIBITED,
    errno.EPERM: Unreachable.PROHIBITED,
}
"""What the guest is told when the host's kernel says this."""


def family(address: bytes) -> socket.AddressFamily:
    """Of a packed address."""
    return socket.AF_INET if len(address) == 4 else socket.AF_INET6


def to_text(address: bytes) -> str:
    """A packed address as sockets take it."""
    return socket.inet_ntop(family(address), address)


def to_packed(text: str) -> bytes:
    """An address as sockets give it, packed; a scope is dropped, and IPv4 in IPv6 unwrapped."""
    bare = text.partition("%")[0]
    if ":" not in bare:
        return socket.inet_pton(socket.AF_INET, bare)
    return socket.inet_pton(socket.AF_INET6, bare)


class OwnAddresses:
    """Asks the routing table, without a packet, and remembers for KNOWN_NS."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._known: dict[bytes, tuple[bool, int]] = {}

    def is_own(self, address: bytes) -> bool:
        """Whether what is sent to the address comes to this host itself."""
        now_ns = self._clock.monotonic_ns()
        own, until_ns = self._known.get(address, (False, 0))
        if now_ns >= until_ns:
            own = self._ask(address)
            if len(self._known) >= KNOWN_MAX:
                self._known.clear()
            self._known[address] = own, now_ns + KNOWN_NS
        return own

    @staticmethod
    def _ask(address: bytes) -> bool:
        with socket.socket(family(address), socket.SOCK_DGRAM) as probe:
            try:
                probe.connect((to_text(address), DISCARD_PORT))
                return to_packed(probe.getsockname()[0]) == address
            except OSError:
                return False

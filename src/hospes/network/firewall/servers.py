"""The name servers of a guest's network: as the network says, or as it tells the guest."""

import struct
from collections.abc import Iterator
from contextlib import suppress
from typing import Final

from hospes.base.errors import GuestError
from hospes.network import dhcp
from hospes.network.ndp import RDNSS

SERVERS_MAX: Final = 16
_DHCP6_REPLY: Final = 7
_DHCP6_SERVERS: Final = 23
_ADVERTISEMENT_BYTES: Final = 16


class Servers:
    """With `fixed`, these and no others; else those of DHCP, DHCPv6 and router advertisements.

    What the network tells is believed if it answers what the guest has asked; that the guest may
    say nothing of the sort itself is the caller's to see to. The last SERVERS_MAX count.
    """

    def __init__(self, fixed: tuple[bytes, ...] | None) -> None:
        self._fixed = fixed
        self._known: dict[bytes, None] = dict.fromkeys(fixed or ())
        self._asked = b""

    def __contains__(self, address: bytes) -> bool:
        return address in self._known

    def asked(self, message: bytes) -> None:
        """The guest asks for its configuration, by DHCP or DHCPv6."""
        self._asked = _transaction(message)

    def told(self, message: bytes) -> None:
        """A server of DHCP or DHCPv6 answers it."""
        if self._fixed is None and self._asked and _transaction(message) == self._asked:
            self._learn(_dhcp6(message) if message[0] == _DHCP6_REPLY else _dhcp(message))

    def advertised(self, message: bytes) -> None:
        """A router advertises itself (RFC 4861, section 4.2)."""
        if self._fixed is None:
            self._learn(_rdnss(message))

    def clear(self) -> None:
        """Forget what was learnt."""
        self._known, self._asked = dict.fromkeys(self._fixed or ()), b""

    def _learn(self, found: Iterator[bytes]) -> None:
        for address in found:
            self._known.pop(address, None)
            self._known[address] = None
            if len(self._known) > SERVERS_MAX:
                del self._known[next(iter(self._known))]


def _transaction(message: bytes) -> bytes:
    """The number by which a client knows its answer, and of which protocol it is."""
    if len(message) < 4:
        return b""
    if message[dhcp.HEADER.size - 4 : dhcp.HEADER.size] == dhcp.COOKIE:
        return b"4" + message[4:8]
    return b"6" + message[1:4]


def _dhcp(message: bytes) -> Iterator[bytes]:
    """Option 6 of RFC 2132, section 3.8."""
    if message[0] == dhcp.REPLY_OP:
        with suppress(GuestError):
            options = dhcp.parse_options(message[dhcp.HEADER.size :])
            yield from _pieces(options.get(dhcp.DNS_SERVERS, b""), 4)


def _dhcp6(message: bytes) -> Iterator[bytes]:
    """Option 23 (RFC 3646)."""
    at = 4
    while at + 4 <= len(message):
        option, size = struct.unpack_from(">HH", message, at)
        if option == _DHCP6_SERVERS:
            yield from _pieces(message[at + 4 : at + 4 + size], 16)
        at += 4 + size


def _rdnss(message: bytes) -> Iterator[bytes]:
    """The option of RFC 8106, section 5.1."""
    at = _ADVERTISEMENT_BYTES
    while at + 2 <= len(message) and message[at + 1]:
        end = at + 8 * message[at + 1]
        if message[at] == RDNSS:
            yield from _pieces(message[at + 8 : end], 16)
        at = end


def _pieces(data: bytes, size: int) -> Iterator[bytes]:
    return (data[at : at + size] for at in range(0, len(data) - size + 1, size))

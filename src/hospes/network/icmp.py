"""ICMP for both versions of IP (RFC 792, RFC 4443): echo, and errors about a guest's packets."""

import struct
from enum import Enum
from typing import Final, NamedTuple

from hospes.base.errors import GuestError
from hospes.network.checksum import checksum, ones_sum, pseudo_header
from hospes.network.packet import ICMPV6, IpPacket

ECHO_REPLY4, UNREACHABLE4, ECHO4, TIME_EXCEEDED4 = 0, 3, 8, 11
UNREACHABLE6, TIME_EXCEEDED6, ECHO6, ECHO_REPLY6 = 1, 3, 128, 129
HEADER_BYTES: Final = 8
QUOTED4_BYTES: Final = 548
"""RFC 1812, section 4.3.2.3: as much as fits 576 bytes."""
QUOTED6_BYTES: Final = 1232
_HEADER: Final = struct.Struct(">BBHHH")


class Unreachable(Enum):
    """Why a packet cannot be delivered: its code in ICMP and in ICMPv6."""

    NETWORK = (0, 0)
    HOST = (1, 3)
    PORT = (3, 4)
    PROHIBITED = (13, 1)


class Echo(NamedTuple):
    """A request or a reply; data is everything behind identifier and sequence."""

    identifier: int
    sequence: int
    data: bytes


def parse(packet: IpPacket, *, vouched: bool) -> tuple[int, bytes]:
    """Type, and the message from its first byte; GuestError when cut off or its sum is wrong."""
    if packet.length < HEADER_BYTES:
        raise GuestError(f"an ICMP message of {packet.length} bytes")
    initial = 0
    if not packet.is_ipv4:
        initial = pseudo_header(packet.source, packet.destination, ICMPV6, packet.length)
    if not vouched and ones_sum(packet.payload, initial) != 0xFFFF:
        raise GuestError("an ICMP message has a wrong checksum")
    return packet.frame[packet.start], bytes(packet.payload)


def parse_echo(message: bytes) -> Echo:
    """The fields of an echo message of at least HEADER_BYTES."""
    _, _, _, identifier, sequence = _HEADER.unpack_from(message)
    return Echo(identifier, sequence, message[HEADER_BYTES:])


def build_echo(kind: int, echo: Echo, source: bytes = b"", destination: bytes = b"") -> bytes:
    """An echo message; addresses are needed for ICMPv6, whose sum covers them."""
    return seal(
        _HEADER.pack(kind, 0, 0, echo.identifier, echo.sequence) + echo.data, source, destination
    )


def seal(message: bytes, source: bytes, destination: bytes) -> bytes:
    """The message, whose checksum field is 0, with its checksum."""
    initial = 0
    if len(source) == 16:
        initial = pseudo_header(source, destination, ICMPV6, len(message))
    value = checksum(message, initial)
    return message[:2] + value.to_bytes(2, "big") + message[4:]


def unreachable(why: Unreachable, packet: IpPacket, source: bytes) -> bytes:
    """The error that tells the sender of a packet why it went nowhere."""
    code4, code6 = why.value
    if packet.is_ipv4:
        head = _HEADER.pack(UNREACHABLE4, code4, 0, 0, 0)
        return seal(head + packet.quoted(QUOTED4_BYTES), b"", b"")
    head = _HEADER.pack(UNREACHABLE6, code6, 0, 0, 0)
    return seal(head + packet.quoted(QUOTED6_BYTES), source, packet.source)

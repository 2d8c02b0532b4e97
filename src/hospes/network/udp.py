"""UDP (RFC 768) over either IP: datagrams parsed and built."""

import struct
from typing import Final, NamedTuple

from hospes.base.errors import GuestError
from hospes.network.checksum import checksum, ones_sum, pseudo_header
from hospes.network.packet import UDP, IpPacket

HEADER_BYTES: Final = 8
_HEADER: Final = struct.Struct(">HHHH")


class Datagram(NamedTuple):
    """Ports and data."""

    source_port: int
    destination_port: int
    data: bytes


def parse(packet: IpPacket, *, vouched: bool) -> Datagram:
    """The datagram in a packet; with `vouched`, its checksum is not looked at.

    GuestError when it is cut off or its checksum is wrong; without one (0) only IPv4 allows it.
    """
    if packet.length < HEADER_BYTES:
        raise GuestError(f"a UDP datagram of {packet.length} bytes")
    source, destination, length, given = _HEADER.unpack_from(packet.frame, packet.start)
    if not HEADER_BYTES <= length <= packet.length:
        raise GuestError(f"a UDP datagram says {length} bytes and has {packet.length}")
    payload = packet.payload[:length]
    if given == 0 and not vouched and not packet.is_ipv4:
        raise GuestError("a UDP datagram over IPv6 has no checksum")
    if given and not vouched:
        initial = pseudo_header(packet.source, packet.destination, UDP, length)
        if ones_sum(payload, initial) != 0xFFFF:
            raise GuestError("a UDP datagram has a wrong checksum")
    return Datagram(source, destination, bytes(payload[HEADER_BYTES:]))


def build(source: bytes, destination: bytes, datagram: Datagram) -> bytes:
    """The datagram between two packed IP addresses, checksum complete."""
    length = HEADER_BYTES + len(datagram.data)
    header = _HEADER.pack(datagram.source_port, datagram.destination_port, length, 0)
    initial = ones_sum(header, pseudo_header(source, destination, UDP, length))
    value = checksum(datagram.data, initial) or 0xFFFF
    return b"".join((header[:6], value.to_bytes(2, "big"), datagram.data))

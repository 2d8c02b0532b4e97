"""IPv4 (RFC 791): headers parsed and built, larger datagrams cut into fragments."""

import struct
from collections.abc import Iterator
from typing import Final

from hospes.base.errors import GuestError
from hospes.network.checksum import checksum, ones_sum
from hospes.network.packet import HOP_LIMIT, Fragment, IpPacket

HEADER_BYTES: Final = 20
DONT_FRAGMENT: Final = 0x4000
MORE_FRAGMENTS: Final = 0x2000
OFFSET_MASK: Final = 0x1FFF
_HEADER: Final = struct.Struct(">BBHHHBBH4s4s")


def parse(frame: bytes, at: int) -> IpPacket:
    """The packet whose header begins at `at`; what follows its total length is padding.

    GuestError when it is cut off, or its header contradicts itself or its checksum.
    """
    if len(frame) < at + HEADER_BYTES:
        raise GuestError("an IPv4 header is cut off")
    first, _, total, identification, flags, hop_limit, protocol, _, source, destination = (
        _HEADER.unpack_from(frame, at)
    )
    header = (first & 15) * 4
    if first >> 4 != 4 or header < HEADER_BYTES or not header <= total <= len(frame) - at:
        raise GuestError(f"an IPv4 header says {header} of {total} bytes, there are {len(frame)}")
    if ones_sum(frame[at : at + header]) != 0xFFFF:
        raise GuestError("an IPv4 header has a wrong checksum")
    fragment = None
    if flags & (MORE_FRAGMENTS | OFFSET_MASK):
        more = bool(flags & MORE_FRAGMENTS)
        fragment = Fragment(identification, (flags & OFFSET_MASK) * 8, more)
    return IpPacket(
        source, destination, protocol, frame, at, at + header, at + total, hop_limit, fragment
    )


def header(
    source: bytes,
    destination: bytes,
    protocol: int,
    length: int,
    *,
    identification: int = 0,
    flags: int = DONT_FRAGMENT,
) -> bytes:
    """A header without options for `length` bytes."""
    total = HEADER_BYTES + length
    fields = (0x45, 0, total, identification, flags, HOP_LIMIT, protocol)
    bare = _HEADER.pack(*fields, 0, source, destination)
    return _HEADER.pack(*fields, checksum(bare), source, destination)


def packets(
    source: bytes, destination: bytes, protocol: int, data: bytes, mtu: int, identification: int
) -> Iterator[bytes]:
    """One packet with the data, or fragments that fit the MTU."""
    if HEADER_BYTES + len(data) <= mtu:
        yield header(source, destination, protocol, len(data)) + data
        return
    size = (mtu - HEADER_BYTES) & ~7
    for at in range(0, len(data), size):
        piece = data[at : at + size]
        flags = at >> 3 | (MORE_FRAGMENTS if at + size < len(data) else 0)
        yield header(
            source, destination, protocol, len(piece), identification=identification, flags=flags
        ) + piece

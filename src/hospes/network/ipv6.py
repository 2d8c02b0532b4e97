"""IPv6 (RFC 8200): headers parsed past their extensions and built, larger datagrams fragmented."""

import struct
from collections.abc import Iterator
from typing import Final

from hospes.base.errors import GuestError
from hospes.network.packet import HOP_LIMIT, Fragment, IpPacket

HEADER_BYTES: Final = 40
EXTENSIONS_MAX: Final = 8
HOP_BY_HOP, ROUTING, FRAGMENT, DESTINATION = 0, 43, 44, 60
EXTENSIONS: Final = frozenset({HOP_BY_HOP, ROUTING, FRAGMENT, DESTINATION})
_SKIPPED: Final = EXTENSIONS - {FRAGMENT}
_HEADER: Final = struct.Struct(">IHBB16s16s")
_FRAGMENT: Final = struct.Struct(">BBHI")


def parse(frame: bytes, at: int) -> IpPacket:
    """The packet whose header begins at `at`, past its extension headers.

    GuestError when it is cut off, or has more than EXTENSIONS_MAX extensions. Jumbograms are none
    of ours.
    """
    if len(frame) < at + HEADER_BYTES:
        raise GuestError("an IPv6 header is cut off")
    first, length, following, hop_limit, source, destination = _HEADER.unpack_from(frame, at)
    start = at + HEADER_BYTES
    end = start + length
    if first >> 28 != 6 or end > len(frame):
        raise GuestError(f"an IPv6 header says {length} bytes, the frame has {len(frame)}")
    fragment = None
    if following in _SKIPPED or following == FRAGMENT:
        following, start, fragment = _extensions(frame, following, start, end)
    return IpPacket(
        source, destination, following, frame, at, start, end, hop_limit, fragment
    )


def _extensions(frame: bytes, kind: int, at: int, end: int) -> tuple[int, int, Fragment | None]:
    """The protocol behind the extension headers, where it begins, and the fragment's place."""
    for _ in range(EXTENSIONS_MAX):
        if kind not in _SKIPPED and kind != FRAGMENT:
            return kind, at, None
        if at + 8 > end:
            break
        if kind == FRAGMENT:
            kind, _, place, identification = _FRAGMENT.unpack_from(frame, at)
            fragment = Fragment(identification, place & ~7, bool(place & 1))
            return kind, at + 8, fragment
        kind, at = frame[at], at + 8 + 8 * frame[at + 1]
        if at > end:
            break
    raise GuestError("IPv6 extension headers are cut off or too many")


def header(
    source: bytes, destination: bytes, protocol: int, length: int, hop_limit: int = HOP_LIMIT
) -> bytes:
    """A header for `length` bytes."""
    return _HEADER.pack(6 << 28, length, protocol, hop_limit, source, destination)


def packets(
    source: bytes, destination: bytes, protocol: int, data: bytes, mtu: int, identification: int
) -> Iterator[bytes]:
    """One packet with the data, or fragments that fit the MTU."""
    if HEADER_BYTES + len(data) <= mtu:
        yield header(source, destination, protocol, len(data)) + data
        return
    size = (mtu - HEADER_BYTES - 8) & ~7
    for at in range(0, len(data), size):
        piece = data[at : at + size]
        place = at | (1 if at + size < len(data) else 0)
        extension = _FRAGMENT.pack(protocol, 0, place, identification)
        yield header(source, destination, FRAGMENT, 8 + len(piece)) + extension + piece

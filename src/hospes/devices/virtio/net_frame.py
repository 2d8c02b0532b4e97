"""Frames of a network card, and what their headers may claim (virtio 1.2, section 5.1.6)."""

import struct
from types import MappingProxyType
from typing import Final

CSUM, GUEST_CSUM = 1 << 0, 1 << 1
GUEST_TSO4, GUEST_TSO6 = 1 << 7, 1 << 8
HOST_TSO4, HOST_TSO6 = 1 << 11, 1 << 12

NEEDS_CSUM: Final = 1
GSO_NONE, GSO_TCPV4, GSO_TCPV6 = 0, 1, 4
HEADER: Final = struct.Struct("<BBHHHHH")
"""flags, gso_type, hdr_len, gso_size, csum_start, csum_offset, num_buffers."""
COUNT_OFFSET: Final = 10
"""Of num_buffers."""
ETHERNET_BYTES: Final = 14
LINK_BYTES: Final = HEADER.size + ETHERNET_BYTES + 4
"""Header, addresses, type and a VLAN's tag: what the MTU does not count."""
FRAME_BYTES_MIN: Final = HEADER.size + ETHERNET_BYTES
FRAME_BYTES_MAX: Final = LINK_BYTES + (64 << 10)

TARGET: Final = slice(HEADER.size, HEADER.size + 6)
TYPE: Final = slice(FRAME_BYTES_MIN - 2, FRAME_BYTES_MIN)

_TCP_BYTES: Final = 20
_TCP_CSUM_OFFSET: Final = 16
_HOST_GSO: Final = MappingProxyType({GSO_TCPV4: HOST_TSO4, GSO_TCPV6: HOST_TSO6})
_GUEST_GSO: Final = MappingProxyType({GSO_NONE: 0, GSO_TCPV4: GUEST_TSO4, GSO_TCPV6: GUEST_TSO6})
_PLAIN: Final = bytes(COUNT_OFFSET)


def is_sound(frame: bytes, features: int, plain_bytes_max: int) -> bool:
    """Whether a frame's header, from a driver with these features, may be believed (5.1.6.2).

    The frame is of FRAME_BYTES_MIN to FRAME_BYTES_MAX bytes, and of plain_bytes_max at most if it
    is not to be cut into segments.
    """
    if frame.startswith(_PLAIN):
        return len(frame) <= plain_bytes_max
    flags, gso, header_bytes, gso_bytes, start, offset, _ = HEADER.unpack_from(frame)
    size = len(frame) - HEADER.size
    if flags & NEEDS_CSUM:
        if not features & CSUM or start < ETHERNET_BYTES or start + offset + 2 > size:
            return False
    elif gso != GSO_NONE:
        return False
    if gso == GSO_NONE:
        return len(frame) <= plain_bytes_max
    return (
        bool(features & _HOST_GSO.get(gso, 0))
        and gso_bytes > 0
        and offset == _TCP_CSUM_OFFSET
        and start + _TCP_BYTES <= size
        and header_bytes <= size
    )


def is_agreed(frame: bytes, offloads: int, plain_bytes_max: int) -> bool:
    """Whether a frame for a driver asks of it only what it has agreed to, of GUEST_CSUM and so on.

    It is of plain_bytes_max at most if it is not to be cut into segments.
    """
    flags, gso = frame[0], frame[1]
    needed = _GUEST_GSO.get(gso)
    if needed is None or (flags and not offloads & GUEST_CSUM) or needed & ~offloads:
        return False
    return gso != GSO_NONE or len(frame) <= plain_bytes_max

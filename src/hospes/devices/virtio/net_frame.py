"""Frames of a network card: their header (virtio 1.2, section 5.1.6) and their flow."""

import struct
import zlib
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
IPV4, IPV6, VLAN = b"\x08\x00", b"\x86\xdd", b"\x81\x00"

_TCP_BYTES: Final = 20
_TCP_CSUM_OFFSET: Final = 16
_HOST_GSO: Final = MappingProxyType({GSO_TCPV4: HOST_TSO4, GSO_TCPV6: HOST_TSO6})
_GUEST_GSO: Final = MappingProxyType({GSO_NONE: 0, GSO_TCPV4: GUEST_TSO4, GSO_TCPV6: GUEST_TSO6})
_PLAIN: Final = bytes(COUNT_OFFSET)
_IPV4_HEADER: Final = 0x45
_TCP, _UDP = 6, 17
_FRAGMENT: Final = 0x3FFF
_PORTS_END: Final = 50
"""Of IPv4, the shorter one; a part of a key is no worse than a whole one."""


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


def flow_of_sent(frame: bytes) -> bytes:
    """Addresses and ports of a frame, from the guest's to the other; b"" if it has none."""
    if len(frame) < _PORTS_END:
        return b""
    kind = frame[TYPE]
    if kind == IPV4:
        return frame[38:50] if _has_ports(frame) else frame[38:46]
    return frame[34:70] if kind == IPV6 and frame[32] in (_TCP, _UDP) else b""


def flow_of_received(frame: bytes) -> bytes:
    """The same key for a frame in the other direction."""
    key = flow_of_sent(frame)
    if len(key) <= 12:
        return key[4:8] + key[:4] + key[10:12] + key[8:10]
    return key[16:32] + key[:16] + key[34:36] + key[32:34]


def any_pair(flow: bytes, pairs: int) -> int:
    """A pair of queues for a flow that the guest has sent nothing of: always the same one."""
    return zlib.crc32(flow) % pairs


def _has_ports(frame: bytes) -> bool:
    """Whether an IPv4 header without options is followed by ports, in every part of a packet."""
    fragment = int.from_bytes(frame[32:34], "big") & _FRAGMENT
    return frame[26] == _IPV4_HEADER and not fragment and frame[35] in (_TCP, _UDP)

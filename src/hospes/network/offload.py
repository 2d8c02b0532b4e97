"""What a network card's hardware would do: complete checksums and cut up TCP super-segments."""

import struct
from typing import Final

from hospes.base.errors import GuestError
from hospes.network.checksum import checksum, ones_sum, pseudo_header
from hospes.network.vnet import (
    GSO_ECN,
    GSO_NONE,
    GSO_TCPV4,
    GSO_TCPV6,
    NEEDS_CSUM,
    PLAIN,
    VNET_BYTES,
    Offloads,
    VnetHeader,
)

_U16: Final = struct.Struct(">H")
_U32: Final = struct.Struct(">I")
_FIN, _PSH, _CWR = 0x01, 0x08, 0x80
_TCP: Final = 6
NEEDED: Final = {GSO_TCPV4: Offloads.TSO4.value, GSO_TCPV6: Offloads.TSO6.value}
_CSUM: Final = Offloads.CSUM.value


def deliverable(frame: bytes, accepted: int) -> list[bytes]:
    """The frame as a driver that negotiated `accepted` (Offloads) may be given it.

    GuestError when the header of the frame contradicts its content.
    """
    gso_type = frame[1] & ~GSO_ECN
    if gso_type != GSO_NONE and not accepted & NEEDED.get(gso_type, 0):
        return segments(frame)
    if frame[0] & NEEDS_CSUM and not accepted & _CSUM:
        return [complete(frame)]
    return [frame]


def complete(frame: bytes) -> bytes:
    """The frame with its partial checksum finished, a super-segment still in one piece."""
    header = VnetHeader.parse(frame)
    if not header.flags & NEEDS_CSUM:
        return frame
    start = VNET_BYTES + header.csum_start
    field = start + header.csum_offset
    if field + 2 > len(frame):
        raise GuestError(f"a checksum at {field} is outside of a frame of {len(frame)} bytes")
    # The field holds the pseudo-header's sum, so that it is part of what is summed.
    value = checksum(memoryview(frame)[start:]) or 0xFFFF
    done = header._replace(flags=0, csum_start=0, csum_offset=0)
    return b"".join((done.pack(), frame[VNET_BYTES:field], _U16.pack(value), frame[field + 2 :]))


def segments(frame: bytes) -> list[bytes]:
    """A TCP super-segment as frames of at most gso_size bytes of data, checksums complete."""
    header = VnetHeader.parse(frame)
    ip, tcp = _places(frame, header)
    data_at = tcp + (frame[tcp + 12] >> 4) * 4
    size = header.gso_size
    if not size or data_at < tcp + 20 or data_at > len(frame):
        raise GuestError(f"a super-segment of {len(frame)} bytes cannot be cut into {size}")
    data = memoryview(frame)[data_at:]
    pieces = range(0, max(len(data), 1), size)
    top, last = frame[VNET_BYTES:data_at], pieces[-1]
    return [
        _segment(top, ip, tcp, data[at : at + size], at, last=at == last) for at in pieces
    ]


def _places(frame: bytes, header: VnetHeader) -> tuple[int, int]:
    """Where the network and the transport header begin, from the start of the frame."""
    tcp = VNET_BYTES + header.csum_start
    ip = VNET_BYTES + 14
    known = header.gso_type & ~GSO_ECN in NEEDED and header.flags & NEEDS_CSUM
    if not known or tcp < ip + 20 or tcp + 20 > len(frame):
        raise GuestError(f"a frame with gso_type {header.gso_type:#x} is no TCP super-segment")
    return ip - VNET_BYTES, tcp


def _segment(top: bytes, ip: int, tcp: int, data: memoryview, at: int, *, last: bool) -> bytes:
    """One piece; `top` is everything in front of the data, without the virtio header."""
    headers, tcp = bytearray(top), tcp - VNET_BYTES
    sequence = (_U32.unpack_from(headers, tcp + 4)[0] + at) & 0xFFFF_FFFF
    _U32.pack_into(headers, tcp + 4, sequence)
    if not last:
        headers[tcp + 13] &= ~(_FIN | _PSH) & 0xFF
    if at:
        headers[tcp + 13] &= ~_CWR & 0xFF
    length = len(headers) - tcp + len(data)
    if headers[ip] >> 4 == 4:
        source, destination = bytes(headers[ip + 12 : ip + 16]), bytes(headers[ip + 16 : ip + 20])
        _U16.pack_into(headers, ip + 2, len(headers) - ip + len(data))
        _U16.pack_into(headers, ip + 10, 0)
        _U16.pack_into(headers, ip + 10, checksum(headers[ip:tcp]))
    else:
        source, destination = bytes(headers[ip + 8 : ip + 24]), bytes(headers[ip + 24 : ip + 40])
        _U16.pack_into(headers, ip + 4, len(headers) - ip - 40 + len(data))
    _U16.pack_into(headers, tcp + 16, 0)
    initial = pseudo_header(source, destination, _TCP, length)
    total = ones_sum(data, initial)
    _U16.pack_into(headers, tcp + 16, checksum(headers[tcp:], total))
    return b"".join((PLAIN, headers, data))

"""The checksums of ext4's metadata: CRC-32C as it goes along, and CRC-16."""

from functools import cache
from typing import Any, Final

import numpy

Data = bytes | bytearray | memoryview

START: Final = 0xFFFF_FFFF
CASTAGNOLI: Final = 0x82F6_3B78
ANSI: Final = 0xA001
PIECE_BYTES: Final = 1024
STATE_BYTES: Final = 4


def crc32c(data: Data, crc: int = START) -> int:
    """CRC-32C without a final inversion, going on from `crc`, which is how ext4 chains it."""
    rows = _rows()
    content = numpy.frombuffer(data, numpy.uint8)
    for at in range(0, len(content), PIECE_BYTES):
        piece = content[at : at + PIECE_BYTES]
        if len(piece) < STATE_BYTES:
            return _bytewise(bytes(piece), crc)
        # The state so far acts as if it were added to the first four bytes.
        first = numpy.frombuffer(crc.to_bytes(STATE_BYTES, "little"), numpy.uint8)
        mixed = piece.copy()
        mixed[:STATE_BYTES] ^= first
        places = numpy.arange(PIECE_BYTES - len(piece), PIECE_BYTES)
        crc = int(numpy.bitwise_xor.reduce(rows[places, mixed]))
    return crc


def crc16(data: Data, crc: int = START & 0xFFFF) -> int:
    """CRC-16 (ANSI, reflected), going on from `crc`."""
    for byte in bytes(data):
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (ANSI if crc & 1 else 0)
    return crc


def _bytewise(data: bytes, crc: int) -> int:
    table = _rows()[-1]
    for byte in data:
        crc = crc >> 8 ^ int(table[(crc ^ byte) & 0xFF])
    return crc


@cache
def _rows() -> Any:
    """What a byte adds to the checksum of a piece, by its place in the piece and its value."""
    rows = numpy.empty((PIECE_BYTES, 256), numpy.uint32)
    last = numpy.arange(256, dtype=numpy.uint32)
    for _ in range(8):
        last = numpy.where(last & 1, last >> 1 ^ numpy.uint32(CASTAGNOLI), last >> 1)
    rows[-1] = last
    for place in range(PIECE_BYTES - 2, -1, -1):
        rows[place] = rows[place + 1] >> 8 ^ last[rows[place + 1] & 0xFF]
    return rows

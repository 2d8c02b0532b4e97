"""The Internet checksum (RFC 1071) over short headers and over segments of 64 KiB."""

import sys
from typing import Final

import numpy

Data = bytes | bytearray | memoryview

MODULUS: Final = 0xFFFF
SHORT_BYTES: Final = 512
"""Up to here one long integer is faster than an array."""


def ones_sum(data: Data, initial: int = 0) -> int:
    """The ones' complement sum of big-endian 16-bit words; an odd byte counts as if followed by 0.

    `initial` is added; it may be any sum of words. The result is below 0x10000, and 0 only when
    everything is.
    """
    if len(data) <= SHORT_BYTES:
        value = int.from_bytes(data, "big")
        if len(data) & 1:
            value <<= 8
    else:
        value = _long_sum(data)
    value += initial
    return value % MODULUS or (MODULUS if value else 0)


def _long_sum(data: Data) -> int:
    """RFC 1071, section 2 (B): sum in the host's byte order, then exchange the result's bytes."""
    whole = len(data) & ~3
    words = numpy.frombuffer(data, numpy.uint32, whole >> 2)
    value = int(words.sum(dtype=numpy.uint64))
    total = value % MODULUS or (MODULUS if value else 0)
    if sys.byteorder == "little":
        total = (total >> 8) | ((total & 0xFF) << 8)
    rest = bytes(data[whole:])
    return total + int.from_bytes(rest + bytes(-len(rest) & 3), "big")


def checksum(data: Data, initial: int = 0) -> int:
    """What a header's checksum field has to hold, that field counted as 0."""
    return ones_sum(data, initial) ^ 0xFFFF


def pseudo_header(source: bytes, destination: bytes, protocol: int, length: int) -> int:
    """The sum of a pseudo-header (RFC 9293, section 3.1; RFC 8200, section 8.1)."""
    return ones_sum(source + destination, protocol + (length >> 16) + (length & 0xFFFF))

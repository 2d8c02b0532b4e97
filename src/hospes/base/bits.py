"""Fixed-width arithmetic on Python integers: the words that semantics are written in."""

from typing import Final

U64_MAX: Final = 0xFFFF_FFFF_FFFF_FFFF
S64_MIN: Final = -0x8000_0000_0000_0000
S32_MIN: Final = -0x8000_0000
U32_MAX: Final = 0xFFFF_FFFF
ONES: Final = U64_MAX


def u8(value: int) -> int:
    """The low 8 bits as an unsigned number."""
    return value & 0xFF


def u16(value: int) -> int:
    """The low 16 bits as an unsigned number."""
    return value & 0xFFFF


def u32(value: int) -> int:
    """The low 32 bits as an unsigned number."""
    return value & U32_MAX


def u64(value: int) -> int:
    """The low 64 bits as an unsigned number."""
    return value & U64_MAX


def s8(value: int) -> int:
    """The low 8 bits as a two's complement number."""
    return ((value & 0xFF) ^ 0x80) - 0x80


def s16(value: int) -> int:
    """The low 16 bits as a two's complement number."""
    return ((value & 0xFFFF) ^ 0x8000) - 0x8000


def s32(value: int) -> int:
    """The low 32 bits as a two's complement number."""
    return ((value & U32_MAX) ^ 0x8000_0000) - 0x8000_0000


def s64(value: int) -> int:
    """The low 64 bits as a two's complement number."""
    return ((value & U64_MAX) ^ 0x8000_0000_0000_0000) - 0x8000_0000_0000_0000


def sdiv(dividend: int, divisor: int) -> int:
    """Signed quotient rounded towards zero; the divisor is not 0 and the quotient fits 64 bits."""
    quotient = abs(dividend) // abs(divisor)
    return quotient if (dividend < 0) == (divisor < 0) else -quotient


def srem(dividend: int, divisor: int) -> int:
    """Signed remainder with the dividend's sign; the divisor is not 0."""
    remainder = abs(dividend) % abs(divisor)
    return -remainder if dividend < 0 else remainder


def udiv(dividend: int, divisor: int) -> int:
    """Unsigned quotient of two u64; the divisor is not 0."""
    return dividend // divisor


def urem(dividend: int, divisor: int) -> int:
    """Unsigned remainder of two u64; the divisor is not 0."""
    return dividend % divisor


def umulh(a: int, b: int) -> int:
    """High 64 bits of the 128-bit product of two u64."""
    return (a * b) >> 64


def smulh(a: int, b: int) -> int:
    """High 64 bits of the 128-bit product of two s64, as an s64."""
    return (a * b) >> 64


def clz64(value: int) -> int:
    """Leading zero bits of a u64; 64 for zero."""
    return 64 - value.bit_length()


def ctz64(value: int) -> int:
    """Trailing zero bits of a u64; 64 for zero."""
    return (value & -value).bit_length() - 1 if value else 64


def popcount64(value: int) -> int:
    """Number of one bits in a u64."""
    return value.bit_count()


def bswap64(value: int) -> int:
    """A u64 with its eight bytes in reverse order."""
    return int.from_bytes(value.to_bytes(8, "little"), "big")


def rotl64(value: int, count: int) -> int:
    """A u64 rotated left by count (0 to 63)."""
    return ((value << count) | (value >> (64 - count))) & U64_MAX


def rotl32(value: int, count: int) -> int:
    """A u32 rotated left by count (0 to 31)."""
    return ((value << count) | (value >> (32 - count))) & U32_MAX

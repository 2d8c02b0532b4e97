"""Conversion of floats to integers in every rounding mode: integer work on bits, saturating."""

from typing import Final

from hospes.base.bits import U32_MAX, U64_MAX, u64
from hospes.base.ieee import NV, NX, RDN, RMM, RNE, RUP
from hospes.isa.riscv.fp_bits import (
    FRACTION32,
    FRACTION64,
    INFINITY32,
    INFINITY64,
    SIGN32,
    SIGN64,
    rounding_mode,
)
from hospes.isa.riscv.hart import Hart
from hospes.isa.subset import inline

IMPLICIT64: Final = 1 << 52
UNIT64: Final = 1075
"""The biased exponent of an f64 whose significand, as an integer, is its value."""
WIDER_FRACTION: Final = 52 - 23
WIDER_BIAS: Final = 1023 - 127
LEFT_MAX: Final = 11
"""A significand of 53 bits shifted left by more does not fit 64."""


@inline
def f32_to_i32(h: Hart, a: int, rm: int) -> int:
    """A signed 32-bit integer, as a u64 in two's complement."""
    return _convert32(h, a, rm, (1 << 31) - 1, 1 << 31)


@inline
def f32_to_u32(h: Hart, a: int, rm: int) -> int:
    """An unsigned 32-bit integer."""
    return _convert32(h, a, rm, U32_MAX, 0)


@inline
def f32_to_i64(h: Hart, a: int, rm: int) -> int:
    """A signed 64-bit integer, as a u64 in two's complement."""
    return _convert32(h, a, rm, (1 << 63) - 1, 1 << 63)


@inline
def f32_to_u64(h: Hart, a: int, rm: int) -> int:
    """An unsigned 64-bit integer."""
    return _convert32(h, a, rm, U64_MAX, 0)


@inline
def f64_to_i32(h: Hart, a: int, rm: int) -> int:
    """A signed 32-bit integer, as a u64 in two's complement."""
    return _convert64(h, a, rm, (1 << 31) - 1, 1 << 31)


@inline
def f64_to_u32(h: Hart, a: int, rm: int) -> int:
    """An unsigned 32-bit integer."""
    return _convert64(h, a, rm, U32_MAX, 0)


@inline
def f64_to_i64(h: Hart, a: int, rm: int) -> int:
    """A signed 64-bit integer, as a u64 in two's complement."""
    return _convert64(h, a, rm, (1 << 63) - 1, 1 << 63)


@inline
def f64_to_u64(h: Hart, a: int, rm: int) -> int:
    """An unsigned 64-bit integer."""
    return _convert64(h, a, rm, U64_MAX, 0)


@inline
def _convert32(h: Hart, a: int, rm: int, largest: int, smallest: int) -> int:
    mode = rounding_mode(h, rm)
    biased = (a >> 23) & 0xFF
    fraction = (a & FRACTION32) << WIDER_FRACTION
    # A NaN converts as plus infinity does.
    negative = 1 if a > SIGN32 and a <= SIGN32 | INFINITY32 else 0
    return saturated(h, negative, fraction, biased, WIDER_BIAS, mode, largest, smallest)


@inline
def _convert64(h: Hart, a: int, rm: int, largest: int, smallest: int) -> int:
    mode = rounding_mode(h, rm)
    biased = (a >> 52) & 0x7FF
    negative = 1 if a > SIGN64 and a <= SIGN64 | INFINITY64 else 0
    return saturated(h, negative, a & FRACTION64, biased, 0, mode, largest, smallest)


def saturated(
    h: Hart,
    negative: int,
    fraction: int,
    biased: int,
    rebias: int,
    mode: int,
    largest: int,
    smallest: int,
) -> int:
    """The float with a 52-bit fraction and a biased exponent, as an integer from -smallest to
    largest in two's complement; raises NX, or NV alone if it is out of range.

    `rebias` turns the exponent into an f64's. Infinities and NaNs have exponents that are out of
    every range. The exponent of a subnormal is taken one too low: it stays a number below a half.
    """
    significand = fraction | IMPLICIT64 if biased != 0 else fraction
    exponent = u64(biased + rebias)
    lost = 0
    if exponent > UNIT64 + LEFT_MAX:
        h.fflags |= NV
        return u64(-smallest) if negative != 0 else largest
    if exponent >= UNIT64:
        magnitude = u64(significand << ((exponent - UNIT64) & 15))
    else:
        # By 63 everything is below a half already.
        shift = (UNIT64 - exponent) & 63 if exponent > UNIT64 - 63 else 63
        magnitude = significand >> shift
        lost = significand & u64((1 << shift) - 1)
        half = 1 << ((shift - 1) & 63)
        magnitude = u64(magnitude + rounds_up(negative, magnitude & 1, lost, half, mode))
    limit = smallest if negative != 0 else largest
    if magnitude > limit:
        h.fflags |= NV
        magnitude = limit
    elif lost != 0:
        h.fflags |= NX
    return u64(-magnitude) if negative != 0 else magnitude


@inline
def rounds_up(negative: int, odd: int, lost: int, half: int, mode: int) -> int:
    """1 if a magnitude that lost bits is to be incremented, else 0."""
    up = False
    if mode == RNE:
        up = lost > half or (lost == half and odd != 0)
    elif mode == RMM:
        up = lost >= half
    elif mode == RUP:
        up = lost != 0 and negative == 0
    elif mode == RDN:
        up = lost != 0 and negative != 0
    return 1 if up else 0

"""Exact IEEE 754 conversions: between formats, from integers, and to integers with saturation."""

from hospes.base.ieee import NV, NX, Format, Result, quiet_nan, round_exact, shift_rounded


def convert(source: Format, target: Format, bits: int, rm: int) -> Result:
    """The value in another format; a NaN becomes the canonical one."""
    if source.is_nan(bits):
        _, flags = quiet_nan(source, bits)
        return target.nan, flags
    negative = source.is_negative(bits)
    sign = target.sign if negative else 0
    if source.is_infinite(bits):
        return sign | target.infinity, 0
    significand, exponent = source.split(bits)
    if significand == 0:
        return sign, 0
    return round_exact(target, negative, significand, exponent, rm)


def from_integer(f: Format, value: int, rm: int) -> Result:
    """An integer of any size, rounded to the format."""
    if value == 0:
        return 0, 0
    return round_exact(f, value < 0, abs(value), 0, rm)


def to_integer(f: Format, bits: int, rm: int, width: int, signed: bool) -> Result:
    """(the value rounded to an integer of `width` bits, flags).

    Out of range, infinite or NaN is invalid and gives the nearest end of the range; a NaN
    counts as plus infinity (Unprivileged ISA, table "Domains of float-to-integer conversions").
    """
    low = -(1 << (width - 1)) if signed else 0
    high = (1 << (width - signed)) - 1
    negative = f.is_negative(bits)
    if f.is_nan(bits):
        return high, NV
    if f.is_infinite(bits):
        return (low if negative else high), NV
    significand, exponent = f.split(bits)
    rounded, inexact = shift_rounded(negative, significand, -exponent, rm)
    value = -rounded if negative else rounded
    if not low <= value <= high:
        return (low if negative else high), NV
    return value, NX if inexact else 0

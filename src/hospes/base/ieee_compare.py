"""Exact IEEE 754 comparison, minimum, maximum and classification of bit patterns."""

from typing import Final

from hospes.base.ieee import NV, Format, Result

CLASS_NEGATIVE_INFINITY: Final = 1 << 0
CLASS_NEGATIVE_NORMAL: Final = 1 << 1
CLASS_NEGATIVE_SUBNORMAL: Final = 1 << 2
CLASS_NEGATIVE_ZERO: Final = 1 << 3
CLASS_POSITIVE_ZERO: Final = 1 << 4
CLASS_POSITIVE_SUBNORMAL: Final = 1 << 5
CLASS_POSITIVE_NORMAL: Final = 1 << 6
CLASS_POSITIVE_INFINITY: Final = 1 << 7
CLASS_SIGNALLING_NAN: Final = 1 << 8
CLASS_QUIET_NAN: Final = 1 << 9


def order_key(f: Format, bits: int) -> int:
    """An integer ordered as the numbers are, with -0 just below +0 (not for NaNs)."""
    magnitude = f.magnitude(bits)
    return -magnitude - 1 if f.is_negative(bits) else magnitude


def _unordered(f: Format, a: int, b: int, signalling: bool) -> int | None:
    """The flags of an unordered comparison; None if a and b are ordered."""
    if not (f.is_nan(a) or f.is_nan(b)):
        return None
    invalid = signalling or f.is_signalling(a) or f.is_signalling(b)
    return NV if invalid else 0


def _both_zero(f: Format, a: int, b: int) -> bool:
    return f.magnitude(a | b) == 0


def equal(f: Format, a: int, b: int) -> Result:
    """(1 if a == b, flags): quiet, invalid only for a signalling NaN."""
    flags = _unordered(f, a, b, signalling=False)
    if flags is not None:
        return 0, flags
    return int(a == b or _both_zero(f, a, b)), 0


def less(f: Format, a: int, b: int) -> Result:
    """(1 if a < b, flags): signalling, invalid for every NaN."""
    flags = _unordered(f, a, b, signalling=True)
    if flags is not None:
        return 0, flags
    return int(order_key(f, a) < order_key(f, b) and not _both_zero(f, a, b)), 0


def less_or_equal(f: Format, a: int, b: int) -> Result:
    """(1 if a <= b, flags): signalling, invalid for every NaN."""
    flags = _unordered(f, a, b, signalling=True)
    if flags is not None:
        return 0, flags
    return int(order_key(f, a) <= order_key(f, b) or _both_zero(f, a, b)), 0


def _number_of(f: Format, a: int, b: int) -> Result:
    """The operand that is a number, else the canonical NaN; a or b is a NaN."""
    flags = NV if f.is_signalling(a) or f.is_signalling(b) else 0
    if f.is_nan(a):
        return (f.nan if f.is_nan(b) else b), flags
    return a, flags


def minimum(f: Format, a: int, b: int) -> Result:
    """minimumNumber of IEEE 754-2019: a NaN loses to a number, -0 is less than +0."""
    if f.is_nan(a) or f.is_nan(b):
        return _number_of(f, a, b)
    return (a if order_key(f, a) <= order_key(f, b) else b), 0


def maximum(f: Format, a: int, b: int) -> Result:
    """maximumNumber of IEEE 754-2019: a NaN loses to a number, +0 is greater than -0."""
    if f.is_nan(a) or f.is_nan(b):
        return _number_of(f, a, b)
    return (a if order_key(f, a) >= order_key(f, b) else b), 0


def classify(f: Format, bits: int) -> int:
    """The one-hot class mask of RISC-V's fclass."""
    if f.is_nan(bits):
        return CLASS_SIGNALLING_NAN if f.is_signalling(bits) else CLASS_QUIET_NAN
    magnitude, negative = f.magnitude(bits), f.is_negative(bits)
    if magnitude == f.infinity:
        return CLASS_NEGATIVE_INFINITY if negative else CLASS_POSITIVE_INFINITY
    if magnitude == 0:
        return CLASS_NEGATIVE_ZERO if negative else CLASS_POSITIVE_ZERO
    if magnitude >> f.fraction_bits == 0:
        return CLASS_NEGATIVE_SUBNORMAL if negative else CLASS_POSITIVE_SUBNORMAL
    return CLASS_NEGATIVE_NORMAL if negative else CLASS_POSITIVE_NORMAL

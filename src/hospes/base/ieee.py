"""Exact IEEE 754-2008 binary arithmetic on bit patterns: add, multiply, divide, root, fused.

Every operation works on unbounded integers, so the exact result exists before it is rounded
once. Operations are pure: `(format, bits..., rounding mode) -> (bits, flags)`. Where the
standard leaves a choice, RISC-V's is taken (Unprivileged ISA, chapter "F"): a NaN result is
the canonical one, tininess is detected after rounding.
"""

from dataclasses import dataclass, field
from math import isqrt
from typing import Final

RNE: Final = 0  # to nearest, ties to even
RTZ: Final = 1  # towards zero
RDN: Final = 2  # towards minus infinity
RUP: Final = 3  # towards plus infinity
RMM: Final = 4  # to nearest, ties to the larger magnitude

NX: Final = 0x01  # inexact
UF: Final = 0x02  # underflow: tiny and inexact
OF: Final = 0x04  # overflow
DZ: Final = 0x08  # division by zero
NV: Final = 0x10  # invalid operation

Result = tuple[int, int]
"""The result's bits and the flags raised."""


@dataclass(frozen=True)
class Format:
    """An interchange format, sign bit first; `nan` is RISC-V's canonical NaN."""

    exponent_bits: int
    fraction_bits: int
    sign: int = field(init=False)
    infinity: int = field(init=False)
    nan: int = field(init=False)
    largest: int = field(init=False)
    bias: int = field(init=False)

    def __post_init__(self) -> None:
        infinity = ((1 << self.exponent_bits) - 1) << self.fraction_bits
        derived = {
            "sign": 1 << (self.exponent_bits + self.fraction_bits),
            "infinity": infinity,
            "nan": infinity | 1 << (self.fraction_bits - 1),
            "largest": infinity - 1,
            "bias": (1 << (self.exponent_bits - 1)) - 1,
        }
        for name, value in derived.items():
            object.__setattr__(self, name, value)

    def magnitude(self, bits: int) -> int:
        """The bits without the sign."""
        return bits & (self.sign - 1)

    def is_negative(self, bits: int) -> bool:
        """Whether the sign bit is set."""
        return bits & self.sign != 0

    def is_nan(self, bits: int) -> bool:
        """Whether the bits are a NaN, quiet or signalling."""
        return self.magnitude(bits) > self.infinity

    def is_signalling(self, bits: int) -> bool:
        """Whether the bits are a signalling NaN."""
        return self.infinity < self.magnitude(bits) < self.nan

    def is_infinite(self, bits: int) -> bool:
        """Whether the bits are an infinity."""
        return self.magnitude(bits) == self.infinity

    def split(self, bits: int) -> tuple[int, int]:
        """(significand, exponent) of a finite magnitude: it is significand * 2**exponent."""
        magnitude = self.magnitude(bits)
        biased = magnitude >> self.fraction_bits
        fraction = magnitude & ((1 << self.fraction_bits) - 1)
        if biased == 0:
            return fraction, 1 - self.bias - self.fraction_bits
        return fraction | 1 << self.fraction_bits, biased - self.bias - self.fraction_bits


BINARY32: Final = Format(8, 23)
BINARY64: Final = Format(11, 52)


def shift_rounded(negative: bool, significand: int, shift: int, rm: int) -> tuple[int, bool]:
    """(significand / 2**shift rounded to an integer, whether that lost anything)."""
    if shift <= 0:
        return significand << -shift, False
    quotient, rest = significand >> shift, significand & ((1 << shift) - 1)
    half = 1 << (shift - 1)
    if rm == RNE:
        up = rest > half or (rest == half and quotient & 1 == 1)
    elif rm == RMM:
        up = rest >= half
    else:
        up = rest != 0 and rm == (RDN if negative else RUP)
    return quotient + up, rest != 0


def round_exact(f: Format, negative: bool, significand: int, exponent: int, rm: int) -> Result:
    """The nonzero value significand * 2**exponent, rounded once to the format."""
    sign = f.sign if negative else 0
    top = exponent + significand.bit_length() - 1
    smallest = 1 - f.bias
    quantum = max(top, smallest) - f.fraction_bits
    rounded, inexact = shift_rounded(negative, significand, quantum - exponent, rm)
    # Adding the significand to the exponent field carries into it as rounding may demand.
    bits = ((quantum + f.fraction_bits + f.bias - 1) << f.fraction_bits) + rounded
    if bits >= f.infinity:
        to_infinity = rm in (RNE, RMM) or rm == (RDN if negative else RUP)
        return sign | (f.infinity if to_infinity else f.largest), OF | NX
    if not inexact:
        return sign | bits, 0
    if top >= smallest:
        return sign | bits, NX
    # Tiny after rounding (IEEE 754-2008, 7.5 a): rounded with an unbounded exponent range.
    unbounded, _ = shift_rounded(negative, significand, top - f.fraction_bits - exponent, rm)
    tiny = top < smallest - 1 or unbounded >> (f.fraction_bits + 1) == 0
    return sign | bits, NX | UF if tiny else NX


def quiet_nan(f: Format, *operands: int) -> Result:
    """The canonical NaN, invalid if an operand is a signalling NaN."""
    return f.nan, NV if any(f.is_signalling(bits) for bits in operands) else 0


def _sum(
    f: Format, negatives: tuple[bool, bool], a: tuple[int, int], b: tuple[int, int], rm: int
) -> Result:
    """The rounded sum of two values given as signs and (significand, exponent)."""
    exponent = min(a[1], b[1])
    x, y = a[0] << (a[1] - exponent), b[0] << (b[1] - exponent)
    total = (-x if negatives[0] else x) + (-y if negatives[1] else y)
    if total == 0:
        negative = negatives[0] if negatives[0] == negatives[1] else rm == RDN
        return f.sign if negative else 0, 0
    return round_exact(f, total < 0, abs(total), exponent, rm)


def add(f: Format, a: int, b: int, rm: int) -> Result:
    """a + b."""
    if f.is_nan(a) or f.is_nan(b):
        return quiet_nan(f, a, b)
    if f.is_infinite(a):
        opposite = f.is_infinite(b) and a != b
        return (f.nan, NV) if opposite else (a, 0)
    if f.is_infinite(b):
        return b, 0
    return _sum(f, (f.is_negative(a), f.is_negative(b)), f.split(a), f.split(b), rm)


def sub(f: Format, a: int, b: int, rm: int) -> Result:
    """a - b."""
    return add(f, a, b ^ f.sign, rm)


def _is_invalid_product(f: Format, a: int, b: int) -> bool:
    """Whether a * b is infinity times zero."""
    magnitudes = f.magnitude(a), f.magnitude(b)
    return magnitudes in ((0, f.infinity), (f.infinity, 0))


def mul(f: Format, a: int, b: int, rm: int) -> Result:
    """a * b."""
    if f.is_nan(a) or f.is_nan(b):
        return quiet_nan(f, a, b)
    sign = (a ^ b) & f.sign
    if _is_invalid_product(f, a, b):
        return f.nan, NV
    if f.is_infinite(a) or f.is_infinite(b):
        return sign | f.infinity, 0
    (x, x_exponent), (y, y_exponent) = f.split(a), f.split(b)
    if x * y == 0:
        return sign, 0
    return round_exact(f, sign != 0, x * y, x_exponent + y_exponent, rm)


def div(f: Format, a: int, b: int, rm: int) -> Result:
    """a / b."""
    if f.is_nan(a) or f.is_nan(b):
        return quiet_nan(f, a, b)
    sign = (a ^ b) & f.sign
    if f.is_infinite(a):
        return (f.nan, NV) if f.is_infinite(b) else (sign | f.infinity, 0)
    if f.is_infinite(b):
        return sign, 0
    (x, x_exponent), (y, y_exponent) = f.split(a), f.split(b)
    if y == 0:
        return (f.nan, NV) if x == 0 else (sign | f.infinity, DZ)
    if x == 0:
        return sign, 0
    # Enough quotient bits that what the remainder adds lies below the rounding position.
    extra = f.fraction_bits + 3 + max(0, y.bit_length() - x.bit_length())
    quotient, rest = divmod(x << extra, y)
    exponent = x_exponent - y_exponent - extra
    return round_exact(f, sign != 0, quotient << 1 | (rest != 0), exponent - 1, rm)


def sqrt(f: Format, a: int, rm: int) -> Result:
    """The square root of a."""
    if f.is_nan(a):
        return quiet_nan(f, a)
    if f.magnitude(a) == 0:
        return a, 0
    if f.is_negative(a):
        return f.nan, NV
    if f.is_infinite(a):
        return a, 0
    significand, exponent = f.split(a)
    extra = 2 * (f.fraction_bits + 3) + (exponent & 1)
    significand <<= extra
    root = isqrt(significand)
    inexact = root * root != significand
    return round_exact(f, False, root << 1 | inexact, (exponent - extra) // 2 - 1, rm)


def fma(f: Format, a: int, b: int, c: int, rm: int) -> Result:
    """a * b + c, rounded once; infinity times zero is invalid even when c is a quiet NaN."""
    invalid = _is_invalid_product(f, a, b)
    if f.is_nan(a) or f.is_nan(b) or f.is_nan(c) or invalid:
        bits, flags = quiet_nan(f, a, b, c)
        return bits, NV if invalid else flags
    product_negative = (a ^ b) & f.sign != 0
    if f.is_infinite(a) or f.is_infinite(b):
        infinity = f.sign * product_negative | f.infinity
        return (f.nan, NV) if f.is_infinite(c) and c != infinity else (infinity, 0)
    if f.is_infinite(c):
        return c, 0
    (x, x_exponent), (y, y_exponent) = f.split(a), f.split(b)
    product = (x * y, x_exponent + y_exponent)
    return _sum(f, (product_negative, f.is_negative(c)), product, f.split(c), rm)

"""The floating-point operations that instruction semantics are written in.

Operands and results are bit patterns; an f32 is unboxed. Each operation is one machine operation
for the compiler, which lowers it to the host's floating point; here it is computed exactly. Flags
accumulate in h.fflags. `rm` is the instruction's field: a reserved rounding mode, or FS Off, is
an illegal instruction.
"""

from hospes.base import ieee, ieee_compare, ieee_convert
from hospes.base.ieee import BINARY32, BINARY64, RNE, Result
from hospes.isa.riscv.fp_bits import rounding_mode
from hospes.isa.riscv.hart import Hart


def _raising(h: Hart, result: Result) -> int:
    """The bits of a result whose flags go into h.fflags."""
    bits, flags = result
    if flags:
        h.fflags |= flags
    return bits


def f32_add(h: Hart, a: int, b: int, rm: int) -> int:
    """a + b."""
    return _raising(h, ieee.add(BINARY32, a, b, rounding_mode(h, rm)))


def f32_sub(h: Hart, a: int, b: int, rm: int) -> int:
    """a - b."""
    return _raising(h, ieee.sub(BINARY32, a, b, rounding_mode(h, rm)))


def f32_mul(h: Hart, a: int, b: int, rm: int) -> int:
    """a * b."""
    return _raising(h, ieee.mul(BINARY32, a, b, rounding_mode(h, rm)))


def f32_div(h: Hart, a: int, b: int, rm: int) -> int:
    """a / b."""
    return _raising(h, ieee.div(BINARY32, a, b, rounding_mode(h, rm)))


def f32_sqrt(h: Hart, a: int, rm: int) -> int:
    """The square root of a."""
    return _raising(h, ieee.sqrt(BINARY32, a, rounding_mode(h, rm)))


def f32_fma(h: Hart, a: int, b: int, c: int, rm: int) -> int:
    """a * b + c, rounded once."""
    return _raising(h, ieee.fma(BINARY32, a, b, c, rounding_mode(h, rm)))


def f64_add(h: Hart, a: int, b: int, rm: int) -> int:
    """a + b."""
    return _raising(h, ieee.add(BINARY64, a, b, rounding_mode(h, rm)))


def f64_sub(h: Hart, a: int, b: int, rm: int) -> int:
    """a - b."""
    return _raising(h, ieee.sub(BINARY64, a, b, rounding_mode(h, rm)))


def f64_mul(h: Hart, a: int, b: int, rm: int) -> int:
    """a * b."""
    return _raising(h, ieee.mul(BINARY64, a, b, rounding_mode(h, rm)))


def f64_div(h: Hart, a: int, b: int, rm: int) -> int:
    """a / b."""
    return _raising(h, ieee.div(BINARY64, a, b, rounding_mode(h, rm)))


def f64_sqrt(h: Hart, a: int, rm: int) -> int:
    """The square root of a."""
    return _raising(h, ieee.sqrt(BINARY64, a, rounding_mode(h, rm)))


def f64_fma(h: Hart, a: int, b: int, c: int, rm: int) -> int:
    """a * b + c, rounded once."""
    return _raising(h, ieee.fma(BINARY64, a, b, c, rounding_mode(h, rm)))


def f64_to_f32(h: Hart, a: int, rm: int) -> int:
    """An f64 rounded to an f32."""
    return _raising(h, ieee_convert.convert(BINARY64, BINARY32, a, rounding_mode(h, rm)))


def f32_to_f64(h: Hart, a: int) -> int:
    """An f32 as an f64; exact, invalid for a signalling NaN."""
    return _raising(h, ieee_convert.convert(BINARY32, BINARY64, a, RNE))


def i64_to_f32(h: Hart, a: int, rm: int) -> int:
    """An s64 rounded to an f32."""
    return _raising(h, ieee_convert.from_integer(BINARY32, a, rounding_mode(h, rm)))


def u64_to_f32(h: Hart, a: int, rm: int) -> int:
    """A u64 rounded to an f32."""
    return _raising(h, ieee_convert.from_integer(BINARY32, a, rounding_mode(h, rm)))


def i64_to_f64(h: Hart, a: int, rm: int) -> int:
    """An s64 rounded to an f64."""
    return _raising(h, ieee_convert.from_integer(BINARY64, a, rounding_mode(h, rm)))


def u64_to_f64(h: Hart, a: int, rm: int) -> int:
    """A u64 rounded to an f64."""
    return _raising(h, ieee_convert.from_integer(BINARY64, a, rounding_mode(h, rm)))


def exact_to_f64(a: int) -> int:
    """An integer of up to 53 bits as an f64: exact, whatever the rounding mode."""
    return ieee_convert.from_integer(BINARY64, a, RNE)[0]


def f32_eq(h: Hart, a: int, b: int) -> int:
    """1 if a == b; invalid only for a signalling NaN."""
    return _raising(h, ieee_compare.equal(BINARY32, a, b))


def f32_lt(h: Hart, a: int, b: int) -> int:
    """1 if a < b; invalid for every NaN."""
    return _raising(h, ieee_compare.less(BINARY32, a, b))


def f32_le(h: Hart, a: int, b: int) -> int:
    """1 if a <= b; invalid for every NaN."""
    return _raising(h, ieee_compare.less_or_equal(BINARY32, a, b))


def f64_eq(h: Hart, a: int, b: int) -> int:
    """1 if a == b; invalid only for a signalling NaN."""
    return _raising(h, ieee_compare.equal(BINARY64, a, b))


def f64_lt(h: Hart, a: int, b: int) -> int:
    """1 if a < b; invalid for every NaN."""
    return _raising(h, ieee_compare.less(BINARY64, a, b))


def f64_le(h: Hart, a: int, b: int) -> int:
    """1 if a <= b; invalid for every NaN."""
    return _raising(h, ieee_compare.less_or_equal(BINARY64, a, b))

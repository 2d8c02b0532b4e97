"""The integer-only code of fp_convert and fp_bits against the exact meaning in base."""

from collections.abc import Callable

import pytest
from tests.base.host_float import edges, operands

from hospes.base import ieee_compare
from hospes.base.ieee import BINARY32, BINARY64, RTZ, Format
from hospes.base.ieee_convert import from_integer, to_integer
from hospes.isa.riscv import fp_bits, fp_convert
from hospes.isa.riscv.hart import Hart

COUNT = 600
FORMATS = {"f32": BINARY32, "f64": BINARY64}


def patterns(f: Format) -> list[int]:
    """Edges, random bits, and the surroundings of every power of two and half."""
    found = edges(f) + operands(f, 9, COUNT)
    for power in range(-2, 66):
        around = (
            from_integer(f, 1 << power, RTZ)[0]
            if power >= 0
            else (f.bias + power) << f.fraction_bits
        )
        half = 1 << (f.fraction_bits - 1)
        found += [(around + d) | s for d in (-1, 0, 1, half, half + 1) for s in (0, f.sign)]
    return found


@pytest.mark.parametrize("source", FORMATS)
@pytest.mark.parametrize("target", ["i32", "u32", "i64", "u64"])
def test_to_integer(source: str, target: str) -> None:
    f, width, signed = FORMATS[source], int(target[1:]), target[0] == "i"
    convert: Callable[..., int] = getattr(fp_convert, f"{source}_to_{target}")
    for bits in patterns(f):
        for rm in range(5):
            h = Hart()
            h.fs = 1
            value, flags = to_integer(f, bits, rm, width, signed)
            got = convert(h, bits, rm)
            assert (got, h.fflags) == (value & ((1 << 64) - 1), flags), (hex(bits), rm)


@pytest.mark.parametrize("source", FORMATS)
def test_minimum_maximum_and_classes(source: str) -> None:
    f = FORMATS[source]
    pairs = [(a, b) for a in edges(f) for b in edges(f)]
    for name, exact in (("min", ieee_compare.minimum), ("max", ieee_compare.maximum)):
        pick: Callable[..., int] = getattr(fp_bits, f"{source}_{name}")
        for a, b in pairs:
            h = Hart()
            assert (pick(h, a, b), h.fflags) == exact(f, a, b), (name, hex(a), hex(b))
    classify: Callable[..., int] = getattr(fp_bits, f"{source}_class")
    for bits in patterns(f):
        assert classify(bits) == ieee_compare.classify(f, bits), hex(bits)

"""Comparison, minimum, maximum and classification of base/ieee_compare."""

import struct

import pytest
from tests.base.host_float import edges, operands

from hospes.base import ieee, ieee_compare
from hospes.base.ieee import BINARY32, BINARY64, NV

FORMATS = [BINARY32, BINARY64]


def number(f: ieee.Format, bits: int) -> float:
    code = ("<d", "<Q") if f is BINARY64 else ("<f", "<I")
    value: float = struct.unpack(code[0], struct.pack(code[1], bits))[0]
    return value


@pytest.mark.parametrize("f", FORMATS)
def test_comparisons_agree_with_the_host(f: ieee.Format) -> None:
    pairs = [(a, b) for a in edges(f) for b in edges(f)]
    pairs += zip(operands(f, 1, 1000), operands(f, 2, 1000), strict=True)
    for a, b in pairs:
        x, y = number(f, a), number(f, b)
        unordered = f.is_nan(a) or f.is_nan(b)
        signalling = f.is_signalling(a) or f.is_signalling(b)
        assert ieee_compare.equal(f, a, b) == (x == y, NV if signalling else 0)
        assert ieee_compare.less(f, a, b) == (x < y, NV if unordered else 0)
        assert ieee_compare.less_or_equal(f, a, b) == (x <= y, NV if unordered else 0)


@pytest.mark.parametrize("f", FORMATS)
def test_minimum_and_maximum(f: ieee.Format) -> None:
    one, minus_zero, signalling = f.bias << f.fraction_bits, f.sign, f.infinity | 1
    assert ieee_compare.minimum(f, 0, minus_zero) == (minus_zero, 0)
    assert ieee_compare.minimum(f, minus_zero, 0) == (minus_zero, 0)
    assert ieee_compare.maximum(f, 0, minus_zero) == (0, 0)
    assert ieee_compare.maximum(f, minus_zero, 0) == (0, 0)
    for pick in (ieee_compare.minimum, ieee_compare.maximum):
        assert pick(f, one, f.nan | 5) == (one, 0)
        assert pick(f, f.nan | 5, one) == (one, 0)
        assert pick(f, one, signalling) == (one, NV)
        assert pick(f, signalling, f.nan) == (f.nan, NV)
        assert pick(f, f.nan | 5, f.nan | 6) == (f.nan, 0)
    assert ieee_compare.minimum(f, one | f.sign, 1) == (one | f.sign, 0)
    assert ieee_compare.maximum(f, one | f.sign, 1) == (1, 0)
    assert ieee_compare.maximum(f, one | f.sign, f.sign | 1) == (f.sign | 1, 0)


@pytest.mark.parametrize("f", FORMATS)
def test_classes(f: ieee.Format) -> None:
    cases = [
        (f.sign | f.infinity, 0), (f.sign | f.largest, 1), (f.sign | 1 << f.fraction_bits, 1),
        (f.sign | 1, 2), (f.sign, 3), (0, 4), ((1 << f.fraction_bits) - 1, 5),
        (1 << f.fraction_bits, 6), (f.infinity, 7), (f.infinity | 1, 8),
        (f.sign | f.infinity | 1, 8), (f.nan, 9), (f.sign | f.nan, 9),
    ]  # fmt: skip
    for bits, bit in cases:
        assert ieee_compare.classify(f, bits) == 1 << bit

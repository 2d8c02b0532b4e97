"""Conversions of base/ieee_convert against the host and against exact fractions."""

import math
from fractions import Fraction
from random import Random

import numpy as np
import pytest
from tests.base.host_float import ROUNDING, edges, evaluate, needs_x86, operands

from hospes.base import ieee
from hospes.base.ieee import BINARY32, BINARY64, NV, NX, RDN, RMM, RNE, RTZ, RUP
from hospes.base.ieee_convert import convert, from_integer, to_integer

FORMATS = [BINARY32, BINARY64]
COUNT = 1500


@needs_x86
def test_narrowing_and_widening_agree_with_the_host() -> None:
    for rm in ROUNDING:
        for bits in edges(BINARY64) + operands(BINARY64, 1, COUNT):
            wide = np.array([bits], np.uint64).view(np.float64)
            narrow, flags = evaluate(rm, lambda wide=wide: _cast(wide, np.float32))
            got = int(narrow.view(np.uint32)[0])
            got = BINARY32.nan if BINARY32.is_nan(got) else got
            assert convert(BINARY64, BINARY32, bits, rm) == (got, flags), (hex(bits), rm)
    for bits in edges(BINARY32) + operands(BINARY32, 2, COUNT):
        narrow = np.array([bits], np.uint32).view(np.float32)
        wide, flags = evaluate(RNE, lambda narrow=narrow: _cast(narrow, np.float64))
        got = int(wide.view(np.uint64)[0])
        got = BINARY64.nan if BINARY64.is_nan(got) else got
        assert convert(BINARY32, BINARY64, bits, RNE) == (got, flags), hex(bits)


def _cast(array: np.ndarray, kind: type) -> np.ndarray:
    with np.errstate(all="ignore"):
        return array.astype(kind)


def value_of(f: ieee.Format, bits: int) -> Fraction:
    significand, exponent = f.split(bits)
    value = Fraction(significand) * Fraction(2) ** exponent
    return -value if f.is_negative(bits) else value


ROUND = {
    RNE: round,
    RTZ: math.trunc,
    RDN: math.floor,
    RUP: math.ceil,
    RMM: lambda value: math.floor(abs(value) + Fraction(1, 2)) * (1 if value >= 0 else -1),
}


@pytest.mark.parametrize("f", FORMATS)
@pytest.mark.parametrize("width", [32, 64])
@pytest.mark.parametrize("signed", [True, False])
def test_to_integer_agrees_with_exact_fractions(f: ieee.Format, width: int, signed: bool) -> None:
    low, high = (-(1 << (width - 1)), (1 << (width - 1)) - 1) if signed else (0, (1 << width) - 1)
    limits = [from_integer(f, n, RTZ)[0] for n in (low, high, low - 1, high + 1)]
    cases = [limit + delta for limit in limits for delta in (-1, 0, 1) if limit + delta >= 0]
    for bits in cases + edges(f) + operands(f, 3, COUNT):
        for rm, rounding in ROUND.items():
            if f.is_nan(bits) or f.is_infinite(bits):
                negative = f.is_negative(bits) and not f.is_nan(bits)
                expected = low if negative else high, NV
            else:
                exact = value_of(f, bits)
                value = rounding(exact)
                inside = low <= value <= high
                flags = NV if not inside else NX if value != exact else 0
                expected = min(max(value, low), high), flags
            assert to_integer(f, bits, rm, width, signed) == expected, (hex(bits), rm)


@pytest.mark.parametrize("f", FORMATS)
def test_from_integer_rounds_to_a_neighbour(f: ieee.Format) -> None:
    random = Random(5)
    numbers = [0, 1, -1, (1 << 63) - 1, -(1 << 63), (1 << 64) - 1, (1 << 24) + 1, (1 << 53) + 1]
    numbers += [random.getrandbits(64) >> random.randrange(64) for _ in range(COUNT)]
    for number in numbers:
        down, flags = from_integer(f, number, RDN)
        up, _ = from_integer(f, number, RUP)
        nearest, _ = from_integer(f, number, RNE)
        low, high = value_of(f, down), value_of(f, up)
        assert low <= number <= high
        assert flags == (NX if low != number else 0)
        assert up == down or abs(up - down) == 1
        error = abs(value_of(f, nearest) - number)
        assert error == min(number - low, high - number)


def test_from_integer_ties() -> None:
    tie = (1 << 24) + 1
    results = {rm: from_integer(BINARY32, tie, rm)[0] - 0x4B80_0000 for rm in ROUND}
    assert results == {RNE: 0, RTZ: 0, RDN: 0, RUP: 1, RMM: 1}

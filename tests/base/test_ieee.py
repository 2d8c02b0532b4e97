"""Arithmetic of base/ieee against the host's FPU, and by hand where the host has no answer."""

import pytest
from tests.base.host_float import ROUNDING, edges, libm, needs_x86, numpy_operator, operands

from hospes.base import ieee
from hospes.base.ieee import BINARY32, BINARY64, DZ, NV, NX, OF, RDN, RMM, RNE, RTZ, RUP, UF

FORMATS = [BINARY32, BINARY64]
UFUNCS = {"add": ieee.add, "subtract": ieee.sub, "multiply": ieee.mul, "divide": ieee.div}
COUNT = 1500

ONE, TWO, HALF = 0x3F80_0000, 0x4000_0000, 0x3F00_0000
SMALLEST_NORMAL = 0x0080_0000


@needs_x86
@pytest.mark.parametrize("f", FORMATS)
@pytest.mark.parametrize("name", UFUNCS)
def test_operators_agree_with_the_host(f: ieee.Format, name: str) -> None:
    pairs = [(a, b) for a in edges(f) for b in edges(f)][::3]
    pairs += zip(operands(f, 1, COUNT), operands(f, 2, COUNT), strict=True)
    for index, (a, b) in enumerate(pairs):
        rm = index % 4
        expected = numpy_operator(f, name, rm, a, b)
        assert UFUNCS[name](f, a, b, rm) == expected, (name, hex(a), hex(b), rm)


@needs_x86
@pytest.mark.parametrize("f", FORMATS)
def test_square_root_agrees_with_the_host(f: ieee.Format) -> None:
    for a in edges(f) + operands(f, 3, COUNT):
        for rm in ROUNDING:
            assert ieee.sqrt(f, a, rm) == numpy_operator(f, "sqrt", rm, a), (hex(a), rm)


@needs_x86
@pytest.mark.parametrize("f", FORMATS)
def test_fused_multiply_add_agrees_with_the_host(f: ieee.Format) -> None:
    triples = zip(*(operands(f, seed, 2 * COUNT) for seed in (4, 5, 6)), strict=True)
    for index, (a, b, c) in enumerate(triples):
        rm = index % 4
        if {f.magnitude(a), f.magnitude(b)} == {0, f.infinity}:
            continue
        assert ieee.fma(f, a, b, c, rm) == libm(f, "fma", rm, a, b, c), (hex(a), hex(b), hex(c), rm)


@pytest.mark.parametrize("f", FORMATS)
def test_fused_product_of_infinity_and_zero_is_invalid_even_with_a_quiet_nan(
    f: ieee.Format,
) -> None:
    for c in (f.nan, f.infinity, 0, 5):
        assert ieee.fma(f, f.infinity, f.sign, c, RNE) == (f.nan, NV)
        assert ieee.fma(f, 0, f.infinity | f.sign, c, RNE) == (f.nan, NV)


def test_fused_result_with_cancellation_keeps_the_low_product_bits() -> None:
    a = ONE + 1  # 1 + 2**-23; its square is 1 + 2**-22 + 2**-46
    square = ieee.mul(BINARY32, a, a, RTZ)[0]
    assert ieee.fma(BINARY32, a, a, square ^ BINARY32.sign, RNE) == ((127 - 46) << 23, 0)


@pytest.mark.parametrize(
    ("rm", "up", "down"),
    [(RNE, 0, 0), (RTZ, 0, 0), (RDN, 0, 1), (RUP, 1, 0), (RMM, 1, 1)],
)
def test_a_tie_goes_where_the_mode_says(rm: int, up: int, down: int) -> None:
    half_ulp = (127 - 24) << 23
    assert ieee.add(BINARY32, ONE, half_ulp, rm) == (ONE + up, NX)
    sign = BINARY32.sign
    assert ieee.add(BINARY32, ONE | sign, half_ulp | sign, rm) == ((ONE + down) | sign, NX)


def test_rmm_rounds_to_nearest_when_there_is_no_tie() -> None:
    third = ieee.div(BINARY64, 1023 << 52, 0x4008_0000_0000_0000, RMM)
    assert third == (0x3FD5_5555_5555_5555, NX)
    # 1.5 units of the smallest subnormal is a tie; 1.25 is not.
    tie, below_tie = ONE + (1 << 22), ONE + (1 << 21)
    assert ieee.mul(BINARY32, tie, 1, RMM) == (2, NX | UF)
    assert ieee.mul(BINARY32, below_tie, 1, RMM) == (1, NX | UF)
    assert ieee.mul(BINARY32, BINARY32.sign | tie, 1, RMM) == (BINARY32.sign | 2, NX | UF)


@pytest.mark.parametrize(
    ("rm", "positive", "negative"),
    [
        (RNE, 0x7F80_0000, 0xFF80_0000),
        (RTZ, 0x7F7F_FFFF, 0xFF7F_FFFF),
        (RDN, 0x7F7F_FFFF, 0xFF80_0000),
        (RUP, 0x7F80_0000, 0xFF7F_FFFF),
        (RMM, 0x7F80_0000, 0xFF80_0000),
    ],
)
def test_overflow_by_mode(rm: int, positive: int, negative: int) -> None:
    largest = BINARY32.largest
    assert ieee.mul(BINARY32, largest, TWO, rm) == (positive, OF | NX)
    assert ieee.mul(BINARY32, largest | BINARY32.sign, TWO, rm) == (negative, OF | NX)


def test_tininess_is_detected_after_rounding() -> None:
    below = SMALLEST_NORMAL - 1
    # (1 - 2**-24) * 2**-126 fits 24 bits, so with an unbounded exponent it would stay below
    # 2**-126: it is tiny, though the delivered result is normal.
    assert ieee.mul(BINARY32, ONE - 1, SMALLEST_NORMAL, RNE) == (SMALLEST_NORMAL, NX | UF)
    # (1 - 2**-23) * (1 + 2**-23) * 2**-126 needs 47 bits and rounds up to 2**-126: not tiny.
    assert ieee.mul(BINARY32, below, ONE + 1, RNE) == (SMALLEST_NORMAL, NX)
    assert ieee.mul(BINARY32, below, ONE + 1, RMM) == (SMALLEST_NORMAL, NX)
    assert ieee.mul(BINARY32, below, ONE + 1, RUP) == (SMALLEST_NORMAL, NX)
    assert ieee.mul(BINARY32, below, ONE + 1, RTZ) == (below, NX | UF)
    # An exact subnormal raises nothing.
    assert ieee.mul(BINARY32, SMALLEST_NORMAL, HALF, RNE) == (SMALLEST_NORMAL >> 1, 0)


def test_exact_zero_sums_have_the_sign_of_the_mode() -> None:
    sign = BINARY64.sign
    for rm in (RNE, RTZ, RDN, RUP, RMM):
        zero = sign if rm == RDN else 0
        assert ieee.sub(BINARY64, 5, 5, rm) == (zero, 0)
        assert ieee.add(BINARY64, 0, sign, rm) == (zero, 0)
        assert ieee.add(BINARY64, sign, sign, rm) == (sign, 0)
        assert ieee.fma(BINARY64, 0, sign, sign, rm) == (sign, 0)


def test_division_by_zero_and_invalid_operations() -> None:
    f = BINARY64
    assert ieee.div(f, 5, f.sign, RNE) == (f.infinity | f.sign, DZ)
    assert ieee.div(f, 0, 0, RNE) == (f.nan, NV)
    assert ieee.div(f, f.infinity, f.infinity, RNE) == (f.nan, NV)
    assert ieee.sub(f, f.infinity, f.infinity, RNE) == (f.nan, NV)
    assert ieee.sqrt(f, f.sign | 1, RNE) == (f.nan, NV)
    assert ieee.sqrt(f, f.sign, RNE) == (f.sign, 0)


@pytest.mark.parametrize("f", FORMATS)
def test_a_nan_result_is_canonical(f: ieee.Format) -> None:
    payload, signalling = f.nan | f.sign | 5, f.infinity | 5
    for operation in (ieee.add, ieee.sub, ieee.mul, ieee.div):
        assert operation(f, payload, ONE, RNE) == (f.nan, 0)
        assert operation(f, ONE, signalling, RNE) == (f.nan, NV)
    assert ieee.fma(f, ONE, ONE, payload, RNE) == (f.nan, 0)
    assert ieee.sqrt(f, signalling, RNE) == (f.nan, NV)

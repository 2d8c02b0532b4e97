"""D: conversions between precisions and with integers, compressed loads and stores."""

import pytest
from tests.isa.riscv.fp_case import Inputs, insn_named, run

from hospes.base.ieee import NV, NX, OF, RDN, RMM, RNE, RTZ, RUP
from hospes.isa.riscv.fp_bits import BOX, INFINITY64, NAN32, NAN64, SIGN64
from hospes.isa.riscv.profile import RV64

ONE = 0x3FF0_0000_0000_0000
ALL_ONES = (1 << 64) - 1


def test_narrowing_boxes_and_widening_unboxes() -> None:
    narrowed = run(insn_named("fcvt.s.d"), Inputs((ONE, 0, 0), 0))
    assert narrowed.f == BOX | 0x3F80_0000
    assert run(insn_named("fcvt.d.s"), Inputs((narrowed.f, 0, 0), 0)).f == ONE
    assert run(insn_named("fcvt.d.s"), Inputs((0x3F80_0000, 0, 0), 0)).f == NAN64
    signalling = run(insn_named("fcvt.s.d"), Inputs((INFINITY64 | 1, 0, 0), 0))
    assert (signalling.f, signalling.fflags) == (BOX | NAN32, NV)
    overflow = run(insn_named("fcvt.s.d"), Inputs((INFINITY64 - 1, 0, 0), 0), rm=RTZ)
    assert (overflow.f, overflow.fflags) == (BOX | 0x7F7F_FFFF, OF | NX)


@pytest.mark.parametrize(
    ("bits", "rounded"),
    [
        (0x3FE0_0000_0000_0000, {RNE: 0, RTZ: 0, RDN: 0, RUP: 1, RMM: 1}),
        (0x3FF8_0000_0000_0000, {RNE: 2, RTZ: 1, RDN: 1, RUP: 2, RMM: 2}),
        (0x4004_0000_0000_0000, {RNE: 2, RTZ: 2, RDN: 2, RUP: 3, RMM: 3}),
        (0xBFE0_0000_0000_0000, {RNE: 0, RTZ: 0, RDN: -1, RUP: 0, RMM: -1}),
        (0xC004_0000_0000_0000, {RNE: -2, RTZ: -2, RDN: -3, RUP: -2, RMM: -3}),
        (1, {RNE: 0, RTZ: 0, RDN: 0, RUP: 1, RMM: 0}),
    ],
)
def test_rounding_to_an_integer(bits: int, rounded: dict[int, int]) -> None:
    for rm, expected in rounded.items():
        for name in ("fcvt.w.d", "fcvt.l.d"):
            out = run(insn_named(name), Inputs((bits, 0, 0), 0), rm=rm)
            assert (out.x, out.fflags) == (expected & ALL_ONES, NX), (name, rm)


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("fcvt.w.d", -(1 << 31), (1 << 31) - 1),
        ("fcvt.wu.d", 0, -1),
        ("fcvt.l.d", -(1 << 63), (1 << 63) - 1),
        ("fcvt.lu.d", 0, -1),
    ],
)
def test_saturation(name: str, low: int, high: int) -> None:
    for bits, expected in (
        (NAN64, high), (SIGN64 | NAN64, high), (INFINITY64, high), (SIGN64 | INFINITY64, low),
        (0x43F0_0000_0000_0000, high), (0xC3F0_0000_0000_0000, low),
    ):  # fmt: skip
        out = run(insn_named(name), Inputs((bits, 0, 0), 0))
        assert (out.x, out.fflags) == (expected & ALL_ONES, NV), hex(bits)


def test_a_negative_number_that_rounds_to_zero_is_in_the_unsigned_range() -> None:
    out = run(insn_named("fcvt.lu.d"), Inputs((0xBFE0_0000_0000_0000, 0, 0), 0), rm=RNE)
    assert (out.x, out.fflags) == (0, NX)
    out = run(insn_named("fcvt.lu.d"), Inputs((0xBFE0_0000_0000_0000, 0, 0), 0), rm=RDN)
    assert (out.x, out.fflags) == (0, NV)


def test_words_convert_exactly_whatever_frm() -> None:
    minus_one = Inputs((0, 0, 0), ALL_ONES, frm=RMM)
    assert run(insn_named("fcvt.d.w"), minus_one).f == SIGN64 | ONE
    assert run(insn_named("fcvt.d.wu"), minus_one).f == 0x41EF_FFFF_FFE0_0000


def test_comparisons() -> None:
    quiet, signalling = NAN64, INFINITY64 | 1
    cases = [
        ("feq.d", ONE, ONE, 1, 0), ("feq.d", 0, SIGN64, 1, 0), ("feq.d", ONE, quiet, 0, 0),
        ("feq.d", ONE, signalling, 0, NV), ("flt.d", SIGN64, 0, 0, 0), ("fle.d", 0, SIGN64, 1, 0),
        ("flt.d", SIGN64 | ONE, ONE, 1, 0), ("flt.d", ONE, quiet, 0, NV),
        ("fle.d", quiet, quiet, 0, NV),
    ]  # fmt: skip
    for name, a, b, expected, flags in cases:
        out = run(insn_named(name), Inputs((a, b, 0), 0))
        assert (out.x, out.fflags) == (expected, flags), (name, hex(a), hex(b))


@pytest.mark.parametrize(
    ("word", "name", "operands"),
    [
        (0x3588, "fld", (10, 11, 40)),
        (0xB588, "fsd", (11, 10, 40)),
        (0x3542, "fld", (10, 2, 48)),
        (0xB82A, "fsd", (2, 10, 48)),
        (0x2002, "fld", (0, 2, 0)),
    ],
)
def test_compressed(word: int, name: str, operands: tuple[int, ...]) -> None:
    decoded = RV64.decode(word)
    assert decoded is not None
    assert decoded.insn.name.startswith("c." + name)
    by_name = dict(
        zip([operand.name for operand in decoded.insn.operands], decoded.operands, strict=True)
    )
    order = ("rd", "rs1", "imm") if name == "fld" else ("rs1", "rs2", "imm")
    assert tuple(by_name[operand] for operand in order) == operands

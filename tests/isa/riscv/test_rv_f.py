"""F: boxing, flags, rounding fields, FS and registers of the single-precision instructions."""

import pytest
from tests.isa.riscv.fp_case import ARITHMETIC, Inputs, insn_named, run

from hospes.base.ieee import DZ, NV, NX, RDN, RMM, RNE, RTZ, RUP
from hospes.isa.insn import Insn
from hospes.isa.riscv.fp_bits import BOX, NAN32
from hospes.isa.riscv.hart import Hart
from hospes.isa.riscv.rv_f import flw, fsw
from hospes.isa.subset import Illegal

ONE, TWO, THREE = 0x3F80_0000, 0x4000_0000, 0x4040_0000
MINUS = 0x8000_0000


def boxed(*bits: int) -> tuple[int, int, int]:
    padded = [*bits, 0, 0, 0]
    return BOX | padded[0], BOX | padded[1], BOX | padded[2]


class OneWord:
    """A port with one word of memory."""

    def __init__(self, value: int) -> None:
        self.value = value
        self.stored: tuple[int, int, int] | None = None

    def load(self, gva: int, size_bytes: int) -> int:
        assert (gva, size_bytes) == (0x1004, 4)
        return self.value

    def store(self, gva: int, size_bytes: int, value: int) -> None:
        self.stored = (gva, size_bytes, value)


def test_a_loaded_single_is_boxed() -> None:
    h = Hart()
    h.fs, h.x[1], h.port = 1, 0x1000, OneWord(ONE)  # type: ignore[assignment]
    flw(h, 2, 1, 4)
    assert h.f[2] == BOX | ONE
    assert h.fs == 3


def test_a_store_takes_the_low_bits_boxed_or_not() -> None:
    h, port = Hart(), OneWord(0)
    h.fs, h.x[1], h.f[2], h.port = 1, 0x1008, 0x1234_5678_3F80_0000, port  # type: ignore[assignment]
    fsw(h, 1, 2, -4)
    assert port.stored == (0x1004, 4, ONE)
    assert h.fs == 1


def test_an_operand_that_is_not_boxed_is_the_canonical_nan() -> None:
    for bits in (ONE, BOX - (1 << 32) | ONE, 0):
        out = run(insn_named("fadd.s"), Inputs((bits, BOX | ONE, 0), 0))
        assert out[:1] + out[2:] == (BOX | NAN32, 0, 3)
    assert run(insn_named("fsgnj.s"), Inputs((ONE, BOX | MINUS, 0), 0)).f == BOX | MINUS | NAN32
    assert run(insn_named("fclass.s"), Inputs((0, 0, 0), 0)).x == 1 << 9
    assert run(insn_named("fcvt.w.s"), Inputs((0, 0, 0), 0)).x == 0x7FFF_FFFF


def test_a_move_takes_the_bits_boxed_or_not() -> None:
    assert run(insn_named("fmv.x.w"), Inputs((MINUS, 0, 0), 0)).x == 0xFFFF_FFFF_8000_0000
    assert (
        run(insn_named("fmv.w.x"), Inputs((0, 0, 0), 0x1234_5678_8765_4321)).f == BOX | 0x87654321
    )


@pytest.mark.parametrize(("rm", "last"), [(RNE, 0xAB), (RTZ, 0xAA), (RDN, 0xAA), (RUP, 0xAB)])
def test_static_and_dynamic_rounding(rm: int, last: int) -> None:
    third = BOX | 0x3EAA_AA00 | last
    operands = boxed(ONE, THREE)
    assert run(insn_named("fdiv.s"), Inputs(operands, 0, frm=RMM), rm=rm).f == third
    assert run(insn_named("fdiv.s"), Inputs(operands, 0, frm=rm), rm=7).f == third


def test_rmm_differs_from_rne_in_ties() -> None:
    tie = boxed(ONE, (127 - 24) << 23)
    assert run(insn_named("fadd.s"), Inputs(tie, 0), rm=RNE).f == BOX | ONE
    assert run(insn_named("fadd.s"), Inputs(tie, 0), rm=RMM).f == BOX | ONE + 1


def test_flags_accumulate() -> None:
    out = run(insn_named("fdiv.s"), Inputs(boxed(ONE, 0), 0, fflags=NX))
    assert out == (BOX | 0x7F80_0000, 0, NX | DZ, 3)


@pytest.mark.parametrize(
    "made", [m for m in ARITHMETIC if "{rm}" in m.syntax], ids=lambda m: m.name
)
def test_reserved_rounding_fields_are_illegal(made: Insn) -> None:
    inputs = Inputs((0, 0, 0), 0)
    for rm in (5, 6):
        with pytest.raises(Illegal):
            run(made, inputs, rm=rm)
        with pytest.raises(Illegal):
            run(made, inputs._replace(frm=rm), rm=7)
        run(made, inputs._replace(frm=rm), rm=0)
    with pytest.raises(Illegal):
        run(made, inputs._replace(frm=7), rm=7)


@pytest.mark.parametrize("made", ARITHMETIC, ids=lambda m: m.name)
def test_with_fs_off_everything_is_illegal(made: Insn) -> None:
    with pytest.raises(Illegal):
        run(made, Inputs((0, 0, 0), 0), rm=0, fs=0)


@pytest.mark.parametrize("made", ARITHMETIC, ids=lambda m: m.name)
def test_fs_becomes_dirty_unless_nothing_can_change(made: Insn) -> None:
    only_read = made.name in ("fmv.x.w", "fmv.x.d", "fclass.s", "fclass.d")
    assert run(made, Inputs((0, 0, 0), 0), rm=0).fs == (1 if only_read else 3)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("fmadd.s", 7.0), ("fmsub.s", 5.0), ("fnmsub.s", -5.0), ("fnmadd.s", -7.0)],
)
def test_signs_of_the_fused_operations(name: str, expected: float) -> None:
    bits = {7.0: 0x40E0_0000, 5.0: 0x40A0_0000, -5.0: 0xC0A0_0000, -7.0: 0xC0E0_0000}
    assert run(insn_named(name), Inputs(boxed(TWO, THREE, ONE), 0)).f == BOX | bits[expected]


def test_fused_invalid_product_with_a_quiet_nan_addend() -> None:
    out = run(insn_named("fmadd.s"), Inputs(boxed(0x7F80_0000, 0, NAN32), 0))
    assert (out.f, out.fflags) == (BOX | NAN32, NV)


def test_unsigned_words_are_sign_extended() -> None:
    out = run(insn_named("fcvt.wu.s"), Inputs(boxed(0x4F00_0000), 0), rm=RTZ)
    assert out.x == 0xFFFF_FFFF_8000_0000
    assert run(insn_named("fcvt.wu.s"), Inputs(boxed(MINUS | ONE), 0), rm=RTZ)[1:3] == (0, NV)
    assert (
        run(insn_named("fcvt.s.wu"), Inputs(boxed(), (1 << 64) - (1 << 31))).f == BOX | 0x4F000000
    )

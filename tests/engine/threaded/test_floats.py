"""Native floating point against the instructions' own functions, operand by operand.

HOSPES_CASES sets the number of cases per instruction.
"""

import os

import pytest
from tests.isa.riscv.fp_case import (
    ARITHMETIC,
    RD,
    RS1,
    RS2,
    RS3,
    Inputs,
    Outputs,
    inputs_for,
    run,
    word_of,
)

from hospes.base.ieee import DZ, NX, RDN, RUP
from hospes.engine.engine import Exit
from hospes.engine.reference import ReferenceEngine
from hospes.engine.threaded.engine import ThreadedEngine
from hospes.engine.threaded.host import X86
from hospes.isa.insn import Insn
from hospes.isa.riscv import priv
from hospes.isa.riscv.encoding import ILLEGAL_INSTRUCTION
from hospes.isa.riscv.hart import Hart
from hospes.isa.riscv.profile import RV64
from hospes.isa.subset import Illegal
from hospes.memory.space import Memory

CASES = int(os.environ.get("HOSPES_CASES", "300"))
BASE = 0x8000_0000
HANDLER = BASE + 0x800
JUMP_TO_SELF = RV64.assemble("j .")
ONE, THREE = 0x3FF0_0000_0000_0000, 0x4008_0000_0000_0000


class Guest:
    """A hart in M-mode with two pages of memory; the trap handler stops by jumping to itself."""

    def __init__(self) -> None:
        self.memory = Memory(0x2000, BASE)
        self.engine = ThreadedEngine(self.memory)
        self.hart = Hart()
        priv.reset(self.hart)
        self.memory.write(HANDLER, JUMP_TO_SELF)
        self.hart.mtvec = HANDLER

    def place(self, words: list[int]) -> None:
        """Put each instruction, followed by a jump to itself, at 8 times its index."""
        for index, word in enumerate(words):
            self.memory.write(BASE + 8 * index, word.to_bytes(4, "little") + JUMP_TO_SELF)

    def run(self, index: int, inputs: Inputs, fs: int = 1) -> tuple[Exit, Outputs]:
        """Run the instruction of that index."""
        h = self.hart
        for number, bits in zip((RD, RS1, RS2, RS3), (0, *inputs.f), strict=True):
            h.f[number] = bits
        h.x[RD], h.x[RS1] = 0, inputs.x
        h.frm, h.fflags, h.fs = inputs.frm, inputs.fflags, fs
        h.mcause = h.mstatus = 0
        priv.refresh(h)
        h.pc = BASE + 8 * index
        reason = self.engine.run(h, 2)
        return reason, Outputs(h.f[RD], h.x[RD], h.fflags, h.fs)


ROUNDINGS = (7, 0, 1, 2, 3, 4, 5)


@pytest.mark.parametrize("made", ARITHMETIC, ids=lambda made: made.name)
def test_native_floating_point_is_what_the_function_says(made: Insn) -> None:
    guest = Guest()
    rounds = any(field.name == "rm" for field in made.fields)
    roundings = ROUNDINGS if rounds else (0,)
    guest.place([word_of(made, rm) for rm in roundings])
    direct = 0
    for number, inputs in enumerate(inputs_for(made, 2, CASES)):
        index = (0, number // 2)[number % 2] % len(roundings)
        rm = roundings[index]
        reason, native = guest.run(index, inputs)
        try:
            expected = run(made, inputs, rm)
        except Illegal:
            assert reason is Exit.REFERENCE or guest.hart.mcause == ILLEGAL_INSTRUCTION
            continue
        if reason is Exit.REFERENCE:
            assert not (X86 and guest.hart.fp_ok[rm]), (made.name, rm, inputs)
            assert guest.hart.pc == BASE + 8 * index
            assert native == Outputs(0, 0, inputs.fflags, 1)
            continue
        direct += 1
        assert native == expected, (made.name, rm, inputs)
    assert direct > CASES // 4 or not X86


def test_with_fs_off_every_instruction_traps_natively() -> None:
    guest = Guest()
    guest.place([word_of(made, 0) for made in ARITHMETIC])
    for index, made in enumerate(ARITHMETIC):
        reason, _ = guest.run(index, Inputs((0, 0, 0), 0), fs=0)
        if X86:
            assert reason is Exit.BUDGET, made.name
            assert guest.hart.mcause == ILLEGAL_INSTRUCTION, made.name
            assert guest.hart.mtval == word_of(made, 0), made.name


def test_flags_and_rounding_mode_through_the_csrs() -> None:
    guest = Guest()
    program = f"""
        fsflags zero
        fdiv.d  f1, f10, f11
        frflags a0
        frflags a1
        fdiv.d  f2, f10, f12
        frflags a2
        csrwi   fflags, 0
        frflags a3
        csrwi   frm, {RUP}
        fdiv.d  f3, f10, f11
        csrwi   frm, {RDN}
        fdiv.d  f4, f10, f11
        frcsr   a4
        csrwi   fcsr, 0
        frcsr   a5
        j .
    """
    guest.memory.write(BASE, RV64.assemble(program, BASE))
    h = guest.hart
    h.f[10], h.f[11], h.f[12] = ONE, THREE, 0
    h.fs, h.pc = 1, BASE
    priv.refresh(h)
    reference = ReferenceEngine(guest.memory)
    while guest.engine.run(h, 16) is Exit.REFERENCE:
        assert not X86
        reference.step(h)
    third = 0x3FD5_5555_5555_5555
    assert [h.f[n] for n in (1, 2, 3, 4)] == [third, 0x7FF0_0000_0000_0000, third + 1, third]
    assert [h.x[n] for n in (10, 11, 12, 13)] == [NX, NX, NX | DZ, 0]
    assert [h.x[14], h.x[15]] == [NX | RDN << 5, 0]

"""Every floating-point instruction against unicorn, over random and edge operands.

HOSPES_CASES sets the number of cases per instruction. Where unicorn 2.1 (the RISC-V model of QEMU
5.0) is itself wrong, `corrected` names the section of the ISA that says so.
"""

import os

import pytest
import unicorn
from tests.isa.riscv.fp_case import ARITHMETIC, RD, RS1, Inputs, Outputs, inputs_for, run, word_of
from unicorn import riscv_const as reg

from hospes.base.ieee import BINARY32, BINARY64, NV
from hospes.isa.insn import Insn
from hospes.isa.riscv.fp_bits import BOX
from hospes.isa.subset import Illegal

CASES = int(os.environ.get("HOSPES_CASES", "300"))
CODE = 0x1000
FS_INITIAL = 1 << 13


class Oracle:
    """A unicorn hart in M-mode with one instruction in memory."""

    def __init__(self) -> None:
        self.machine = unicorn.Uc(unicorn.UC_ARCH_RISCV, unicorn.UC_MODE_RISCV64)
        self.machine.mem_map(CODE, 0x1000)
        self.word = 0

    def run(self, word: int, inputs: Inputs) -> Outputs | None:
        """What the instruction leaves; None if it trapped."""
        machine = self.machine
        if word != self.word:
            machine.mem_write(CODE, word.to_bytes(4, "little"))
            machine.ctl_remove_cache(CODE, CODE + 4)
            self.word = word
        machine.reg_write(reg.UC_RISCV_REG_MSTATUS, FS_INITIAL)
        for index, bits in enumerate(inputs.f):
            machine.reg_write(reg.UC_RISCV_REG_F0 + RS1 + index, bits)
        machine.reg_write(reg.UC_RISCV_REG_F0 + RD, 0)
        machine.reg_write(reg.UC_RISCV_REG_X0 + RD, 0)
        machine.reg_write(reg.UC_RISCV_REG_X0 + RS1, inputs.x)
        machine.reg_write(reg.UC_RISCV_REG_FCSR, inputs.frm << 5 | inputs.fflags)
        try:
            machine.emu_start(CODE, CODE + 4, count=1)
        except unicorn.UcError:
            return None
        return Outputs(
            machine.reg_read(reg.UC_RISCV_REG_F0 + RD),
            machine.reg_read(reg.UC_RISCV_REG_X0 + RD),
            machine.reg_read(reg.UC_RISCV_REG_FFLAGS),
            machine.reg_read(reg.UC_RISCV_REG_MSTATUS) >> 13 & 3,
        )


def writes_single(made: Insn) -> bool:
    """Whether the result is a single."""
    if made.integer_destination:
        return False
    if made.name.startswith("fcvt"):
        return made.name.startswith("fcvt.s.")
    return made.name.endswith(".s") or made.name == "fmv.w.x"


def corrected(made: Insn, inputs: Inputs, theirs: Outputs) -> Outputs:
    """Unicorn's answer where it is right by the Unprivileged and Privileged ISA of today.

    - "NaN Boxing of Narrower Values": a single result has all upper bits 1; unicorn clears them.
    - "Single-Precision Floating-Point Computational Instructions": fmin and fmax are
      minimumNumber and maximumNumber since F 2.2, so a signalling NaN loses to a number; unicorn
      implements minNum and maxNum, which give the canonical NaN.
    - "Single-Precision Floating-Point Computational Instructions": infinity times zero plus a
      quiet NaN is invalid; unicorn does not raise the flag.
    - "Extension Context Status in mstatus Register": an instruction that changes neither
      registers nor flags may leave FS alone; unicorn makes it Dirty, imprecisely but rightly.
    """
    if writes_single(made):
        theirs = theirs._replace(f=theirs.f | BOX)
    if made.name.startswith(("fmv.x", "fclass")):
        theirs = theirs._replace(fs=1)
    f, box = (BINARY32, BOX) if made.name.endswith(".s") else (BINARY64, 0)
    a, b = inputs.f[0] & ~box, inputs.f[1] & ~box
    if "rs3" in made.syntax and {f.magnitude(a), f.magnitude(b)} == {0, f.infinity}:
        theirs = theirs._replace(fflags=theirs.fflags | NV)
    if made.name.startswith(("fmin", "fmax")):
        if f.is_signalling(a) and not f.is_nan(b):
            theirs = theirs._replace(f=b | box)
        elif f.is_signalling(b) and not f.is_nan(a):
            theirs = theirs._replace(f=a | box)
    return theirs


@pytest.mark.parametrize("made", ARITHMETIC, ids=lambda made: made.name)
def test_agrees_with_unicorn(made: Insn) -> None:
    oracle = Oracle()
    has_rounding = any(field.name == "rm" for field in made.fields)
    for index, inputs in enumerate(inputs_for(made, 1, CASES)):
        rm = (7, 0, 7, 1, 2, 7, 3, 4, 7, 5)[index % 10] if has_rounding else 0
        try:
            ours: Outputs | None = run(made, inputs, rm)
        except Illegal:
            ours = None
        theirs = oracle.run(word_of(made, rm), inputs)
        if theirs is not None:
            theirs = corrected(made, inputs, theirs)
        assert ours == theirs, (made.name, rm, inputs)

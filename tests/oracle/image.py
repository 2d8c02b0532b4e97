"""A bare-metal program that runs many cases and leaves their results in memory.

Every judge runs the same bytes: code at BASE, tables of operands, a window of data to load and
store, a log of traps and the results. The program ends with a store to the board's finisher.
"""

from dataclasses import dataclass, field
from functools import cache
from random import Random
from typing import Final

import numpy as np
import numpy.typing as npt

from hospes.isa.insn import Insn
from hospes.isa.riscv.profile import RV64

Rows = npt.NDArray[np.uint64]

BASE: Final = 0x8000_0000
INPUTS: Final = 0x8100_0000
DATA: Final = 0x8200_0000
DATA_BYTES: Final = 0x1_0000
SCRATCH: Final = 0x8210_0000
TRAPS: Final = 0x8220_0000
TRAP_BYTES: Final = 32
RESULTS: Final = 0x8300_0000
END: Final = 0x8800_0000
FINISHER: Final = 0x10_0000
PASS: Final = 0x5555
U64: Final = 0xFFFF_FFFF_FFFF_FFFF

RUN_TIME: Final = f"""
    j start
.equ FINISHER, {FINISHER}
.equ SCRATCH, {SCRATCH}
.equ TRAPS, {TRAPS}
# A trap: log cause, value, address and mstatus's MPP, then go on behind the instruction, or where
# the case asked to (scratch 24), in M-mode if it asked for that (scratch 32).
.balign 4
handler:
    csrrw t6, mscratch, t6
    sd t5, 0(t6)
    sd t4, 8(t6)
    ld t5, 16(t6)
    csrr t4, mcause
    sd t4, 0(t5)
    csrr t4, mtval
    sd t4, 8(t5)
    csrr t4, mepc
    sd t4, 16(t5)
    csrr t4, mstatus
    srli t4, t4, 11
    andi t4, t4, 3
    sd t4, 24(t5)
    addi t5, t5, {TRAP_BYTES}
    sd t5, 16(t6)
    ld t4, 24(t6)
    bnez t4, 2f
    csrr t4, mepc
    lbu t5, 0(t4)
    addi t4, t4, 2
    andi t5, t5, 3
    addi t5, t5, -3
    bnez t5, 2f
    addi t4, t4, 2
2:  csrw mepc, t4
    sd zero, 24(t6)
    ld t4, 32(t6)
    beqz t4, 3f
    sd zero, 32(t6)
    lui t4, 2
    addiw t4, t4, -2048
    csrs mstatus, t4
3:  ld t4, 8(t6)
    ld t5, 0(t6)
    csrrw t6, mscratch, t6
    mret
.balign 8
scratch_at: .dword SCRATCH
traps_at: .dword TRAPS
start:
    lla t0, handler
    csrw mtvec, t0
    lla t0, scratch_at
    ld t1, 8(t0)
    ld t0, 0(t0)
    csrw mscratch, t0
    sd t1, 16(t0)
    li t0, -1
    csrw pmpaddr0, t0
    li t0, 0x1f
    csrw pmpcfg0, t0
    li t0, 0x2000
    csrs mstatus, t0
"""
FINISH: Final = f"""
    li t0, {FINISHER}
    li t1, {PASS}
    sw t1, 0(t0)
    j .
"""


@cache
def encode(name: str, /, **fields: int) -> int:
    """The word of an instruction with these fields."""
    return RV64.by_name[name][0].encode(fields)


@dataclass
class Block:
    """The cases of one instruction: each word with each row of operands.

    `fields` name the u64 values of a result; results are an array [row, word, field]. `places`
    are the words' addresses, which the trap log knows them by. `labels` tell more about the words,
    where they alone do not say what is done.
    """

    made: Insn
    words: list[int]
    rows: Rows
    fields: tuple[str, ...]
    labels: tuple[str, ...] = ()
    results_gpa: int = 0
    places: list[int] = field(default_factory=list)

    @property
    def cases(self) -> int:
        return len(self.words) * len(self.rows)

    @property
    def stride(self) -> int:
        """Bytes of results for one row."""
        return 8 * len(self.words) * len(self.fields)


class Image:
    """A program under construction.

    With `stand_ins`, instructions of extensions that a judge lacks are replaced by a sequence of
    others (standins.py); everything else is the same as without.
    """

    def __init__(self, seed: str, *, stand_ins: bool = False) -> None:
        self.random = Random(seed)
        self.stand_ins = stand_ins
        self.code = bytearray(RV64.assemble(RUN_TIME, BASE))
        self.inputs = bytearray()
        self.data = self.random.randbytes(DATA_BYTES)
        self.results_gpa = RESULTS
        self.blocks: list[Block] = []
        self.finished = False

    @property
    def pc(self) -> int:
        return BASE + len(self.code)

    @property
    def cases(self) -> int:
        return sum(block.cases for block in self.blocks)

    def emit(self, *words: int) -> None:
        """Append instructions."""
        for word in words:
            self.code += word.to_bytes(4 if word & 3 == 3 else 2, "little")

    def assemble(self, source: str) -> None:
        """Append instructions given as text."""
        self.code += RV64.assemble(source, self.pc)

    def pointers(self, **registers: int) -> None:
        """Load registers x5, x6 … (given as x5=value) with constants, using nothing else."""
        if self.pc & 7:
            self.emit(*([0x0001] * (-self.pc % 4 // 2)))
            self.emit(*([encode("addi", rd=0, rs1=0, imm=0)] * (-self.pc % 8 // 4)))
        values = list(registers.items())
        self.emit(encode("jal", rd=0, imm=4 + 4 + 8 * len(values)))
        self.emit(encode("addi", rd=0, rs1=0, imm=0))
        start = self.pc
        for _, value in values:
            self.code += (value & U64).to_bytes(8, "little")
        base = int(values[-1][0][1:])
        here = self.pc
        self.emit(encode("auipc", rd=base, imm=0))
        for number, (name, _) in enumerate(values):
            offset = start + 8 * number - here
            self.emit(encode("ld", rd=int(name[1:]), rs1=base, imm=offset))

    def place_rows(self, rows: Rows) -> int:
        """Put a table of operands into memory; its address."""
        gpa = INPUTS + len(self.inputs)
        self.inputs += rows.astype("<u8").tobytes()
        return gpa

    def add(self, block: Block) -> None:
        """Reserve room for a block's results."""
        block.results_gpa = self.results_gpa
        self.results_gpa += block.stride * len(block.rows)
        self.blocks.append(block)

    def finish(self) -> None:
        """Append the end."""
        if self.finished:
            return
        self.finished = True
        self.emit(*([0x0001] * (self.pc % 4 // 2)))
        self.assemble(FINISH)
        if self.pc > INPUTS or INPUTS + len(self.inputs) > DATA or self.results_gpa > END:
            raise ValueError("the image has more cases than it has room for")

    def regions(self) -> list[tuple[int, bytes]]:
        """What is in memory at the start."""
        self.finish()
        return [(BASE, bytes(self.code)), (INPUTS, bytes(self.inputs)), (DATA, self.data)]

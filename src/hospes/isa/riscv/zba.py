"""Zba: address generation (Unprivileged ISA, section 30.4.1)."""

from hospes.base.bits import u32
from hospes.isa.insn import insn
from hospes.isa.riscv.hart import Hart


@insn("0010000 rs2 rs1 010 rd 0110011", "sh1add {rd}, {rs1}, {rs2}")
def sh1add(h: Hart, rd: int, rs1: int, rs2: int) -> None:
    """rs2 plus 2 times rs1."""
    h.x[rd] = h.x[rs2] + (h.x[rs1] << 1)


@insn("0010000 rs2 rs1 100 rd 0110011", "sh2add {rd}, {rs1}, {rs2}")
def sh2add(h: Hart, rd: int, rs1: int, rs2: int) -> None:
    """rs2 plus 4 times rs1."""
    h.x[rd] = h.x[rs2] + (h.x[rs1] << 2)


@insn("0010000 rs2 rs1 110 rd 0110011", "sh3add {rd}, {rs1}, {rs2}")
def sh3add(h: Hart, rd: int, rs1: int, rs2: int) -> None:
    """rs2 plus 8 times rs1."""
    h.x[rd] = h.x[rs2] + (h.x[rs1] << 3)


@insn("0000100 rs2 rs1 000 rd 0111011", "add.uw {rd}, {rs1}, {rs2}")
def add_uw(h: Hart, rd: int, rs1: int, rs2: int) -> None:
    """rs2 plus the unsigned low word of rs1."""
    h.x[rd] = h.x[rs2] + u32(h.x[rs1])


@insn("0010000 rs2 rs1 010 rd 0111011", "sh1add.uw {rd}, {rs1}, {rs2}")
def sh1add_uw(h: Hart, rd: int, rs1: int, rs2: int) -> None:
    """rs2 plus 2 times the unsigned low word of rs1."""
    h.x[rd] = h.x[rs2] + (u32(h.x[rs1]) << 1)


@insn("0010000 rs2 rs1 100 rd 0111011", "sh2add.uw {rd}, {rs1}, {rs2}")
def sh2add_uw(h: Hart, rd: int, rs1: int, rs2: int) -> None:
    """rs2 plus 4 times the unsigned low word of rs1."""
    h.x[rd] = h.x[rs2] + (u32(h.x[rs1]) << 2)


@insn("0010000 rs2 rs1 110 rd 0111011", "sh3add.uw {rd}, {rs1}, {rs2}")
def sh3add_uw(h: Hart, rd: int, rs1: int, rs2: int) -> None:
    """rs2 plus 8 times the unsigned low word of rs1."""
    h.x[rd] = h.x[rs2] + (u32(h.x[rs1]) << 3)


@insn("000010 shamt rs1 001 rd 0011011", "slli.uw {rd}, {rs1}, {shamt}")
def slli_uw(h: Hart, rd: int, rs1: int, shamt: int) -> None:
    """The unsigned low word shifted left by a constant."""
    h.x[rd] = u32(h.x[rs1]) << shamt

"""RV64I's word instructions: 32-bit results, sign-extended (Unprivileged ISA, section 4.2)."""

from hospes.base.bits import s32, u32
from hospes.isa.insn import insn
from hospes.isa.riscv.hart import Hart


@insn("imm[11:0] rs1 000 rd 0011011", "addiw {rd}, {rs1}, {imm}")
def addiw(h: Hart, rd: int, rs1: int, imm: int) -> None:
    """Sum with an immediate."""
    h.x[rd] = s32(h.x[rs1] + imm)


@insn("0000000 shamtw rs1 001 rd 0011011", "slliw {rd}, {rs1}, {shamtw}")
def slliw(h: Hart, rd: int, rs1: int, shamtw: int) -> None:
    """Shift left by a constant."""
    h.x[rd] = s32(h.x[rs1] << shamtw)


@insn("0000000 shamtw rs1 101 rd 0011011", "srliw {rd}, {rs1}, {shamtw}")
def srliw(h: Hart, rd: int, rs1: int, shamtw: int) -> None:
    """Shift the low word right by a constant, filling with zeros."""
    h.x[rd] = s32(u32(h.x[rs1]) >> shamtw)


@insn("0100000 shamtw rs1 101 rd 0011011", "sraiw {rd}, {rs1}, {shamtw}")
def sraiw(h: Hart, rd: int, rs1: int, shamtw: int) -> None:
    """Shift the low word right by a constant, filling with its sign."""
    h.x[rd] = s32(h.x[rs1]) >> shamtw


@insn("0000000 rs2 rs1 000 rd 0111011", "addw {rd}, {rs1}, {rs2}")
def addw(h: Hart, rd: int, rs1: int, rs2: int) -> None:
    """Sum."""
    h.x[rd] = s32(h.x[rs1] + h.x[rs2])


@insn("0100000 rs2 rs1 000 rd 0111011", "subw {rd}, {rs1}, {rs2}")
def subw(h: Hart, rd: int, rs1: int, rs2: int) -> None:
    """Difference."""
    h.x[rd] = s32(h.x[rs1] - h.x[rs2])


@insn("0000000 rs2 rs1 001 rd 0111011", "sllw {rd}, {rs1}, {rs2}")
def sllw(h: Hart, rd: int, rs1: int, rs2: int) -> None:
    """Shift left by the low five bits of rs2."""
    h.x[rd] = s32(h.x[rs1] << (h.x[rs2] & 31))


@insn("0000000 rs2 rs1 101 rd 0111011", "srlw {rd}, {rs1}, {rs2}")
def srlw(h: Hart, rd: int, rs1: int, rs2: int) -> None:
    """Shift the low word right by the low five bits of rs2, filling with zeros."""
    h.x[rd] = s32(u32(h.x[rs1]) >> (h.x[rs2] & 31))


@insn("0100000 rs2 rs1 101 rd 0111011", "sraw {rd}, {rs1}, {rs2}")
def sraw(h: Hart, rd: int, rs1: int, rs2: int) -> None:
    """Shift the low word right by the low five bits of rs2, filling with its sign."""
    h.x[rd] = s32(h.x[rs1]) >> (h.x[rs2] & 31)

"""Zicond: conditional operations (Unprivileged ISA, chapter 12)."""

from hospes.isa.insn import insn
from hospes.isa.riscv.hart import Hart


@insn("0000111 rs2 rs1 101 rd 0110011", "czero.eqz {rd}, {rs1}, {rs2}")
def czero_eqz(h: Hart, rd: int, rs1: int, rs2: int) -> None:
    """0 if rs2 is zero, else rs1."""
    h.x[rd] = 0 if h.x[rs2] == 0 else h.x[rs1]


@insn("0000111 rs2 rs1 111 rd 0110011", "czero.nez {rd}, {rs1}, {rs2}")
def czero_nez(h: Hart, rd: int, rs1: int, rs2: int) -> None:
    """0 if rs2 is not zero, else rs1."""
    h.x[rd] = 0 if h.x[rs2] != 0 else h.x[rs1]

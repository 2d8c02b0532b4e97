"""Zbs: single-bit operations (Unprivileged ISA, section 30.4.4)."""

from hospes.isa.insn import insn
from hospes.isa.riscv.hart import Hart


@insn("0100100 rs2 rs1 001 rd 0110011", "bclr {rd}, {rs1}, {rs2}")
def bclr(h: Hart, rd: int, rs1: int, rs2: int) -> None:
    """Clear the bit numbered by the low six bits of rs2."""
    h.x[rd] = h.x[rs1] & ~(1 << (h.x[rs2] & 63))


@insn("010010 shamt rs1 001 rd 0010011", "bclri {rd}, {rs1}, {shamt}")
def bclri(h: Hart, rd: int, rs1: int, shamt: int) -> None:
    """Clear the bit numbered by a constant."""
    h.x[rd] = h.x[rs1] & ~(1 << shamt)


@insn("0100100 rs2 rs1 101 rd 0110011", "bext {rd}, {rs1}, {rs2}")
def bext(h: Hart, rd: int, rs1: int, rs2: int) -> None:
    """Only the bit, moved to bit 0, numbered by the low six bits of rs2."""
    h.x[rd] = h.x[rs1] >> (h.x[rs2] & 63) & 1


@insn("010010 shamt rs1 101 rd 0010011", "bexti {rd}, {rs1}, {shamt}")
def bexti(h: Hart, rd: int, rs1: int, shamt: int) -> None:
    """Only the bit, moved to bit 0, numbered by a constant."""
    h.x[rd] = h.x[rs1] >> shamt & 1


@insn("0110100 rs2 rs1 001 rd 0110011", "binv {rd}, {rs1}, {rs2}")
def binv(h: Hart, rd: int, rs1: int, rs2: int) -> None:
    """Flip the bit numbered by the low six bits of rs2."""
    h.x[rd] = h.x[rs1] ^ 1 << (h.x[rs2] & 63)


@insn("011010 shamt rs1 001 rd 0010011", "binvi {rd}, {rs1}, {shamt}")
def binvi(h: Hart, rd: int, rs1: int, shamt: int) -> None:
    """Flip the bit numbered by a constant."""
    h.x[rd] = h.x[rs1] ^ 1 << shamt


@insn("0010100 rs2 rs1 001 rd 0110011", "bset {rd}, {rs1}, {rs2}")
def bset(h: Hart, rd: int, rs1: int, rs2: int) -> None:
    """Set the bit numbered by the low six bits of rs2."""
    h.x[rd] = h.x[rs1] | 1 << (h.x[rs2] & 63)


@insn("001010 shamt rs1 001 rd 0010011", "bseti {rd}, {rs1}, {shamt}")
def bseti(h: Hart, rd: int, rs1: int, shamt: int) -> None:
    """Set the bit numbered by a constant."""
    h.x[rd] = h.x[rs1] | 1 << shamt

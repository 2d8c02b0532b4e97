"""Zbb: basic bit manipulation (Unprivileged ISA, section 30.4.2)."""

from typing import Final

from hospes.base.bits import (
    bswap64,
    clz64,
    ctz64,
    popcount64,
    rotl32,
    rotl64,
    s8,
    s16,
    s32,
    s64,
    u16,
    u32,
)
from hospes.isa.insn import insn
from hospes.isa.riscv.hart import Hart

LOW_SEVEN: Final = 0x7F7F_7F7F_7F7F_7F7F
"""The low seven bits of every byte."""


@insn("0100000 rs2 rs1 111 rd 0110011", "andn {rd}, {rs1}, {rs2}")
def andn(h: Hart, rd: int, rs1: int, rs2: int) -> None:
    """And with the complement of rs2."""
    h.x[rd] = h.x[rs1] & ~h.x[rs2]


@insn("0100000 rs2 rs1 110 rd 0110011", "orn {rd}, {rs1}, {rs2}")
def orn(h: Hart, rd: int, rs1: int, rs2: int) -> None:
    """Or with the complement of rs2."""
    h.x[rd] = h.x[rs1] | ~h.x[rs2]


@insn("0100000 rs2 rs1 100 rd 0110011", "xnor {rd}, {rs1}, {rs2}")
def xnor(h: Hart, rd: int, rs1: int, rs2: int) -> None:
    """Complement of the exclusive or."""
    h.x[rd] = ~(h.x[rs1] ^ h.x[rs2])


@insn("0110000 00000 rs1 001 rd 0010011", "clz {rd}, {rs1}")
def clz(h: Hart, rd: int, rs1: int) -> None:
    """Leading zero bits."""
    h.x[rd] = clz64(h.x[rs1])


@insn("0110000 00000 rs1 001 rd 0011011", "clzw {rd}, {rs1}")
def clzw(h: Hart, rd: int, rs1: int) -> None:
    """Leading zero bits of the low word."""
    h.x[rd] = clz64(u32(h.x[rs1])) - 32


@insn("0110000 00001 rs1 001 rd 0010011", "ctz {rd}, {rs1}")
def ctz(h: Hart, rd: int, rs1: int) -> None:
    """Trailing zero bits."""
    h.x[rd] = ctz64(h.x[rs1])


@insn("0110000 00001 rs1 001 rd 0011011", "ctzw {rd}, {rs1}")
def ctzw(h: Hart, rd: int, rs1: int) -> None:
    """Trailing zero bits of the low word."""
    h.x[rd] = ctz64(h.x[rs1] | 1 << 32)


@insn("0110000 00010 rs1 001 rd 0010011", "cpop {rd}, {rs1}")
def cpop(h: Hart, rd: int, rs1: int) -> None:
    """Number of one bits."""
    h.x[rd] = popcount64(h.x[rs1])


@insn("0110000 00010 rs1 001 rd 0011011", "cpopw {rd}, {rs1}")
def cpopw(h: Hart, rd: int, rs1: int) -> None:
    """Number of one bits of the low word."""
    h.x[rd] = popcount64(u32(h.x[rs1]))


@insn("0000101 rs2 rs1 110 rd 0110011", "max {rd}, {rs1}, {rs2}")
def max_(h: Hart, rd: int, rs1: int, rs2: int) -> None:
    """Greater, signed."""
    h.x[rd] = h.x[rs2] if s64(h.x[rs1]) < s64(h.x[rs2]) else h.x[rs1]


@insn("0000101 rs2 rs1 111 rd 0110011", "maxu {rd}, {rs1}, {rs2}")
def maxu(h: Hart, rd: int, rs1: int, rs2: int) -> None:
    """Greater, unsigned."""
    h.x[rd] = h.x[rs2] if h.x[rs1] < h.x[rs2] else h.x[rs1]


@insn("0000101 rs2 rs1 100 rd 0110011", "min {rd}, {rs1}, {rs2}")
def min_(h: Hart, rd: int, rs1: int, rs2: int) -> None:
    """Lesser, signed."""
    h.x[rd] = h.x[rs1] if s64(h.x[rs1]) < s64(h.x[rs2]) else h.x[rs2]


@insn("0000101 rs2 rs1 101 rd 0110011", "minu {rd}, {rs1}, {rs2}")
def minu(h: Hart, rd: int, rs1: int, rs2: int) -> None:
    """Lesser, unsigned."""
    h.x[rd] = h.x[rs1] if h.x[rs1] < h.x[rs2] else h.x[rs2]


@insn("0110000 00100 rs1 001 rd 0010011", "sext.b {rd}, {rs1}")
def sext_b(h: Hart, rd: int, rs1: int) -> None:
    """Sign-extend a byte."""
    h.x[rd] = s8(h.x[rs1])


@insn("0110000 00101 rs1 001 rd 0010011", "sext.h {rd}, {rs1}")
def sext_h(h: Hart, rd: int, rs1: int) -> None:
    """Sign-extend a halfword."""
    h.x[rd] = s16(h.x[rs1])


@insn("0000100 00000 rs1 100 rd 0111011", "zext.h {rd}, {rs1}")
def zext_h(h: Hart, rd: int, rs1: int) -> None:
    """Zero-extend a halfword."""
    h.x[rd] = u16(h.x[rs1])


@insn("0110000 rs2 rs1 001 rd 0110011", "rol {rd}, {rs1}, {rs2}")
def rol(h: Hart, rd: int, rs1: int, rs2: int) -> None:
    """Rotate left by the low six bits of rs2."""
    h.x[rd] = rotl64(h.x[rs1], h.x[rs2] & 63)


@insn("0110000 rs2 rs1 001 rd 0111011", "rolw {rd}, {rs1}, {rs2}")
def rolw(h: Hart, rd: int, rs1: int, rs2: int) -> None:
    """Rotate the low word left by the low five bits of rs2."""
    h.x[rd] = s32(rotl32(u32(h.x[rs1]), h.x[rs2] & 31))


@insn("0110000 rs2 rs1 101 rd 0110011", "ror {rd}, {rs1}, {rs2}")
def ror(h: Hart, rd: int, rs1: int, rs2: int) -> None:
    """Rotate right by the low six bits of rs2."""
    h.x[rd] = rotl64(h.x[rs1], -h.x[rs2] & 63)


@insn("0110000 rs2 rs1 101 rd 0111011", "rorw {rd}, {rs1}, {rs2}")
def rorw(h: Hart, rd: int, rs1: int, rs2: int) -> None:
    """Rotate the low word right by the low five bits of rs2."""
    h.x[rd] = s32(rotl32(u32(h.x[rs1]), -h.x[rs2] & 31))


@insn("011000 shamt rs1 101 rd 0010011", "rori {rd}, {rs1}, {shamt}")
def rori(h: Hart, rd: int, rs1: int, shamt: int) -> None:
    """Rotate right by a constant."""
    h.x[rd] = rotl64(h.x[rs1], -shamt & 63)


@insn("0110000 shamtw rs1 101 rd 0011011", "roriw {rd}, {rs1}, {shamtw}")
def roriw(h: Hart, rd: int, rs1: int, shamtw: int) -> None:
    """Rotate the low word right by a constant."""
    h.x[rd] = s32(rotl32(u32(h.x[rs1]), -shamtw & 31))


@insn("0010100 00111 rs1 101 rd 0010011", "orc.b {rd}, {rs1}")
def orc_b(h: Hart, rd: int, rs1: int) -> None:
    """Every byte that is not zero becomes all ones."""
    # Adding 127 to a byte's low seven bits carries into its top bit unless they are all zero.
    nonzero = ((h.x[rs1] & LOW_SEVEN) + LOW_SEVEN | h.x[rs1]) & ~LOW_SEVEN
    h.x[rd] = (nonzero >> 7) * 0xFF


@insn("0110101 11000 rs1 101 rd 0010011", "rev8 {rd}, {rs1}")
def rev8(h: Hart, rd: int, rs1: int) -> None:
    """Reverse the order of the bytes."""
    h.x[rd] = bswap64(h.x[rs1])

"""RV64I: the base integer instructions (Unprivileged ISA, chapters 2 and 4)."""

from hospes.base.bits import s8, s16, s32, s64, u64
from hospes.isa.insn import insn
from hospes.isa.riscv.hart import Hart
from hospes.isa.subset import (
    jump,
    load8,
    load16,
    load32,
    load64,
    store8,
    store16,
    store32,
    store64,
)


@insn("imm[31:12] rd 0110111", "lui {rd}, {imm:hi}")
def lui(h: Hart, rd: int, imm: int) -> None:
    """The immediate's upper 20 bits, sign-extended."""
    h.x[rd] = imm


@insn("imm[31:12] rd 0010111", "auipc {rd}, {imm:hi}")
def auipc(h: Hart, rd: int, imm: int) -> None:
    """The address of this instruction plus an upper immediate."""
    h.x[rd] = h.pc + imm


@insn("imm[20|10:1|11|19:12] rd 1101111", "jal {rd}, {imm:pc}")
def jal(h: Hart, rd: int, imm: int) -> None:
    """Jump, leaving the address of the next instruction in rd."""
    h.x[rd] = h.next_pc
    jump(h, u64(h.pc + imm))


@insn("imm[11:0] rs1 000 rd 1100111", "jalr {rd}, {imm}({rs1})")
def jalr(h: Hart, rd: int, rs1: int, imm: int) -> None:
    """Jump to a register plus offset with bit 0 cleared; rd may be that register."""
    target = u64(h.x[rs1] + imm) & ~1
    h.x[rd] = h.next_pc
    jump(h, target)


@insn("imm[12|10:5] rs2 rs1 000 imm[4:1|11] 1100011", "beq {rs1}, {rs2}, {imm:pc}")
def beq(h: Hart, rs1: int, rs2: int, imm: int) -> None:
    """Branch if equal."""
    if h.x[rs1] == h.x[rs2]:
        jump(h, u64(h.pc + imm))


@insn("imm[12|10:5] rs2 rs1 001 imm[4:1|11] 1100011", "bne {rs1}, {rs2}, {imm:pc}")
def bne(h: Hart, rs1: int, rs2: int, imm: int) -> None:
    """Branch if not equal."""
    if h.x[rs1] != h.x[rs2]:
        jump(h, u64(h.pc + imm))


@insn("imm[12|10:5] rs2 rs1 100 imm[4:1|11] 1100011", "blt {rs1}, {rs2}, {imm:pc}")
def blt(h: Hart, rs1: int, rs2: int, imm: int) -> None:
    """Branch if less, signed."""
    if s64(h.x[rs1]) < s64(h.x[rs2]):
        jump(h, u64(h.pc + imm))


@insn("imm[12|10:5] rs2 rs1 101 imm[4:1|11] 1100011", "bge {rs1}, {rs2}, {imm:pc}")
def bge(h: Hart, rs1: int, rs2: int, imm: int) -> None:
    """Branch if greater or equal, signed."""
    if s64(h.x[rs1]) >= s64(h.x[rs2]):
        jump(h, u64(h.pc + imm))


@insn("imm[12|10:5] rs2 rs1 110 imm[4:1|11] 1100011", "bltu {rs1}, {rs2}, {imm:pc}")
def bltu(h: Hart, rs1: int, rs2: int, imm: int) -> None:
    """Branch if less, unsigned."""
    if h.x[rs1] < h.x[rs2]:
        jump(h, u64(h.pc + imm))


@insn("imm[12|10:5] rs2 rs1 111 imm[4:1|11] 1100011", "bgeu {rs1}, {rs2}, {imm:pc}")
def bgeu(h: Hart, rs1: int, rs2: int, imm: int) -> None:
    """Branch if greater or equal, unsigned."""
    if h.x[rs1] >= h.x[rs2]:
        jump(h, u64(h.pc + imm))


@insn("imm[11:0] rs1 000 rd 0000011", "lb {rd}, {imm}({rs1})")
def lb(h: Hart, rd: int, rs1: int, imm: int) -> None:
    """Load a signed byte."""
    h.x[rd] = s8(load8(h, u64(h.x[rs1] + imm)))


@insn("imm[11:0] rs1 001 rd 0000011", "lh {rd}, {imm}({rs1})")
def lh(h: Hart, rd: int, rs1: int, imm: int) -> None:
    """Load a signed halfword."""
    h.x[rd] = s16(load16(h, u64(h.x[rs1] + imm)))


@insn("imm[11:0] rs1 010 rd 0000011", "lw {rd}, {imm}({rs1})")
def lw(h: Hart, rd: int, rs1: int, imm: int) -> None:
    """Load a signed word."""
    h.x[rd] = s32(load32(h, u64(h.x[rs1] + imm)))


@insn("imm[11:0] rs1 011 rd 0000011", "ld {rd}, {imm}({rs1})")
def ld(h: Hart, rd: int, rs1: int, imm: int) -> None:
    """Load a doubleword."""
    h.x[rd] = load64(h, u64(h.x[rs1] + imm))


@insn("imm[11:0] rs1 100 rd 0000011", "lbu {rd}, {imm}({rs1})")
def lbu(h: Hart, rd: int, rs1: int, imm: int) -> None:
    """Load an unsigned byte."""
    h.x[rd] = load8(h, u64(h.x[rs1] + imm))


@insn("imm[11:0] rs1 101 rd 0000011", "lhu {rd}, {imm}({rs1})")
def lhu(h: Hart, rd: int, rs1: int, imm: int) -> None:
    """Load an unsigned halfword."""
    h.x[rd] = load16(h, u64(h.x[rs1] + imm))


@insn("imm[11:0] rs1 110 rd 0000011", "lwu {rd}, {imm}({rs1})")
def lwu(h: Hart, rd: int, rs1: int, imm: int) -> None:
    """Load an unsigned word."""
    h.x[rd] = load32(h, u64(h.x[rs1] + imm))


@insn("imm[11:5] rs2 rs1 000 imm[4:0] 0100011", "sb {rs2}, {imm}({rs1})")
def sb(h: Hart, rs1: int, rs2: int, imm: int) -> None:
    """Store a byte."""
    store8(h, u64(h.x[rs1] + imm), h.x[rs2])


@insn("imm[11:5] rs2 rs1 001 imm[4:0] 0100011", "sh {rs2}, {imm}({rs1})")
def sh(h: Hart, rs1: int, rs2: int, imm: int) -> None:
    """Store a halfword."""
    store16(h, u64(h.x[rs1] + imm), h.x[rs2])


@insn("imm[11:5] rs2 rs1 010 imm[4:0] 0100011", "sw {rs2}, {imm}({rs1})")
def sw(h: Hart, rs1: int, rs2: int, imm: int) -> None:
    """Store a word."""
    store32(h, u64(h.x[rs1] + imm), h.x[rs2])


@insn("imm[11:5] rs2 rs1 011 imm[4:0] 0100011", "sd {rs2}, {imm}({rs1})")
def sd(h: Hart, rs1: int, rs2: int, imm: int) -> None:
    """Store a doubleword."""
    store64(h, u64(h.x[rs1] + imm), h.x[rs2])


@insn("imm[11:0] rs1 000 rd 0010011", "addi {rd}, {rs1}, {imm}")
def addi(h: Hart, rd: int, rs1: int, imm: int) -> None:
    """Sum with an immediate."""
    h.x[rd] = h.x[rs1] + imm


@insn("imm[11:0] rs1 010 rd 0010011", "slti {rd}, {rs1}, {imm}")
def slti(h: Hart, rd: int, rs1: int, imm: int) -> None:
    """1 if less than an immediate, signed, else 0."""
    h.x[rd] = 1 if s64(h.x[rs1]) < imm else 0


@insn("imm[11:0] rs1 011 rd 0010011", "sltiu {rd}, {rs1}, {imm}")
def sltiu(h: Hart, rd: int, rs1: int, imm: int) -> None:
    """1 if less than a sign-extended immediate taken as unsigned, else 0."""
    h.x[rd] = 1 if h.x[rs1] < u64(imm) else 0


@insn("imm[11:0] rs1 100 rd 0010011", "xori {rd}, {rs1}, {imm}")
def xori(h: Hart, rd: int, rs1: int, imm: int) -> None:
    """Exclusive or with an immediate."""
    h.x[rd] = h.x[rs1] ^ imm


@insn("imm[11:0] rs1 110 rd 0010011", "ori {rd}, {rs1}, {imm}")
def ori(h: Hart, rd: int, rs1: int, imm: int) -> None:
    """Or with an immediate; with rd = x0 also the prefetch hints of Zicbop."""
    h.x[rd] = h.x[rs1] | imm


@insn("imm[11:0] rs1 111 rd 0010011", "andi {rd}, {rs1}, {imm}")
def andi(h: Hart, rd: int, rs1: int, imm: int) -> None:
    """And with an immediate."""
    h.x[rd] = h.x[rs1] & imm


@insn("000000 shamt rs1 001 rd 0010011", "slli {rd}, {rs1}, {shamt}")
def slli(h: Hart, rd: int, rs1: int, shamt: int) -> None:
    """Shift left by a constant."""
    h.x[rd] = h.x[rs1] << shamt


@insn("000000 shamt rs1 101 rd 0010011", "srli {rd}, {rs1}, {shamt}")
def srli(h: Hart, rd: int, rs1: int, shamt: int) -> None:
    """Shift right by a constant, filling with zeros."""
    h.x[rd] = h.x[rs1] >> shamt


@insn("010000 shamt rs1 101 rd 0010011", "srai {rd}, {rs1}, {shamt}")
def srai(h: Hart, rd: int, rs1: int, shamt: int) -> None:
    """Shift right by a constant, filling with the sign."""
    h.x[rd] = s64(h.x[rs1]) >> shamt


@insn("0000000 rs2 rs1 000 rd 0110011", "add {rd}, {rs1}, {rs2}")
def add(h: Hart, rd: int, rs1: int, rs2: int) -> None:
    """Sum."""
    h.x[rd] = h.x[rs1] + h.x[rs2]


@insn("0100000 rs2 rs1 000 rd 0110011", "sub {rd}, {rs1}, {rs2}")
def sub(h: Hart, rd: int, rs1: int, rs2: int) -> None:
    """Difference."""
    h.x[rd] = h.x[rs1] - h.x[rs2]


@insn("0000000 rs2 rs1 001 rd 0110011", "sll {rd}, {rs1}, {rs2}")
def sll(h: Hart, rd: int, rs1: int, rs2: int) -> None:
    """Shift left by the low six bits of rs2."""
    h.x[rd] = h.x[rs1] << (h.x[rs2] & 63)


@insn("0000000 rs2 rs1 010 rd 0110011", "slt {rd}, {rs1}, {rs2}")
def slt(h: Hart, rd: int, rs1: int, rs2: int) -> None:
    """1 if less, signed, else 0."""
    h.x[rd] = 1 if s64(h.x[rs1]) < s64(h.x[rs2]) else 0


@insn("0000000 rs2 rs1 011 rd 0110011", "sltu {rd}, {rs1}, {rs2}")
def sltu(h: Hart, rd: int, rs1: int, rs2: int) -> None:
    """1 if less, unsigned, else 0."""
    h.x[rd] = 1 if h.x[rs1] < h.x[rs2] else 0


@insn("0000000 rs2 rs1 100 rd 0110011", "xor {rd}, {rs1}, {rs2}")
def xor(h: Hart, rd: int, rs1: int, rs2: int) -> None:
    """Exclusive or."""
    h.x[rd] = h.x[rs1] ^ h.x[rs2]


@insn("0000000 rs2 rs1 101 rd 0110011", "srl {rd}, {rs1}, {rs2}")
def srl(h: Hart, rd: int, rs1: int, rs2: int) -> None:
    """Shift right by the low six bits of rs2, filling with zeros."""
    h.x[rd] = h.x[rs1] >> (h.x[rs2] & 63)


@insn("0100000 rs2 rs1 101 rd 0110011", "sra {rd}, {rs1}, {rs2}")
def sra(h: Hart, rd: int, rs1: int, rs2: int) -> None:
    """Shift right by the low six bits of rs2, filling with the sign."""
    h.x[rd] = s64(h.x[rs1]) >> (h.x[rs2] & 63)


@insn("0000000 rs2 rs1 110 rd 0110011", "or {rd}, {rs1}, {rs2}")
def or_(h: Hart, rd: int, rs1: int, rs2: int) -> None:
    """Or."""
    h.x[rd] = h.x[rs1] | h.x[rs2]


@insn("0000000 rs2 rs1 111 rd 0110011", "and {rd}, {rs1}, {rs2}")
def and_(h: Hart, rd: int, rs1: int, rs2: int) -> None:
    """And."""
    h.x[rd] = h.x[rs1] & h.x[rs2]


@insn("fm pred succ rs1 000 rd 0001111", "fence {pred}, {succ}")
def fence(h: Hart) -> None:
    """Order memory accesses: both engines perform them in program order, nothing is left to do."""


@insn("0000 0001 0000 00000 000 00000 0001111", "pause", overrides=["fence"])
def pause(h: Hart) -> None:
    """Hint of Zihintpause that a loop is waiting; a fence that orders nothing."""

"""M: multiplication and division (Unprivileged ISA, chapter 13)."""

from hospes.base.bits import (
    ONES,
    S64_MIN,
    s32,
    s64,
    sdiv,
    smulh,
    srem,
    u32,
    udiv,
    umulh,
    urem,
)
from hospes.isa.insn import insn
from hospes.isa.riscv.hart import Hart


@insn("0000001 rs2 rs1 000 rd 0110011", "mul {rd}, {rs1}, {rs2}")
def mul(h: Hart, rd: int, rs1: int, rs2: int) -> None:
    """Low half of the product."""
    h.x[rd] = h.x[rs1] * h.x[rs2]


@insn("0000001 rs2 rs1 001 rd 0110011", "mulh {rd}, {rs1}, {rs2}")
def mulh(h: Hart, rd: int, rs1: int, rs2: int) -> None:
    """High half of the signed product."""
    h.x[rd] = smulh(s64(h.x[rs1]), s64(h.x[rs2]))


@insn("0000001 rs2 rs1 010 rd 0110011", "mulhsu {rd}, {rs1}, {rs2}")
def mulhsu(h: Hart, rd: int, rs1: int, rs2: int) -> None:
    """High half of the product of a signed and an unsigned number.

    A negative rs1 counts as rs1 + 2**64 in the unsigned product: its high half is rs2 too large.
    """
    excess = h.x[rs2] if s64(h.x[rs1]) < 0 else 0
    h.x[rd] = umulh(h.x[rs1], h.x[rs2]) - excess


@insn("0000001 rs2 rs1 011 rd 0110011", "mulhu {rd}, {rs1}, {rs2}")
def mulhu(h: Hart, rd: int, rs1: int, rs2: int) -> None:
    """High half of the unsigned product."""
    h.x[rd] = umulh(h.x[rs1], h.x[rs2])


@insn("0000001 rs2 rs1 000 rd 0111011", "mulw {rd}, {rs1}, {rs2}")
def mulw(h: Hart, rd: int, rs1: int, rs2: int) -> None:
    """Low word of the product, sign-extended."""
    h.x[rd] = s32(h.x[rs1] * h.x[rs2])


@insn("0000001 rs2 rs1 100 rd 0110011", "div {rd}, {rs1}, {rs2}")
def div(h: Hart, rd: int, rs1: int, rs2: int) -> None:
    """Signed quotient; by zero all ones, on overflow the dividend."""
    a, b = s64(h.x[rs1]), s64(h.x[rs2])
    if b == 0:
        h.x[rd] = ONES
    elif a == S64_MIN and b == -1:
        h.x[rd] = a
    else:
        h.x[rd] = sdiv(a, b)


@insn("0000001 rs2 rs1 101 rd 0110011", "divu {rd}, {rs1}, {rs2}")
def divu(h: Hart, rd: int, rs1: int, rs2: int) -> None:
    """Unsigned quotient; by zero all ones."""
    if h.x[rs2] == 0:
        h.x[rd] = ONES
    else:
        h.x[rd] = udiv(h.x[rs1], h.x[rs2])


@insn("0000001 rs2 rs1 110 rd 0110011", "rem {rd}, {rs1}, {rs2}")
def rem(h: Hart, rd: int, rs1: int, rs2: int) -> None:
    """Signed remainder; by zero the dividend, on overflow 0."""
    a, b = s64(h.x[rs1]), s64(h.x[rs2])
    if b == 0:
        h.x[rd] = a
    elif b == -1:
        h.x[rd] = 0
    else:
        h.x[rd] = srem(a, b)


@insn("0000001 rs2 rs1 111 rd 0110011", "remu {rd}, {rs1}, {rs2}")
def remu(h: Hart, rd: int, rs1: int, rs2: int) -> None:
    """Unsigned remainder; by zero the dividend."""
    if h.x[rs2] == 0:
        h.x[rd] = h.x[rs1]
    else:
        h.x[rd] = urem(h.x[rs1], h.x[rs2])


@insn("0000001 rs2 rs1 100 rd 0111011", "divw {rd}, {rs1}, {rs2}")
def divw(h: Hart, rd: int, rs1: int, rs2: int) -> None:
    """Signed quotient of the low words; by zero all ones, on overflow the dividend."""
    a, b = s32(h.x[rs1]), s32(h.x[rs2])
    if b == 0:
        h.x[rd] = ONES
    else:
        h.x[rd] = s32(sdiv(a, b))


@insn("0000001 rs2 rs1 101 rd 0111011", "divuw {rd}, {rs1}, {rs2}")
def divuw(h: Hart, rd: int, rs1: int, rs2: int) -> None:
    """Unsigned quotient of the low words, sign-extended; by zero all ones."""
    a, b = u32(h.x[rs1]), u32(h.x[rs2])
    if b == 0:
        h.x[rd] = ONES
    else:
        h.x[rd] = s32(udiv(a, b))


@insn("0000001 rs2 rs1 110 rd 0111011", "remw {rd}, {rs1}, {rs2}")
def remw(h: Hart, rd: int, rs1: int, rs2: int) -> None:
    """Signed remainder of the low words; by zero the dividend, on overflow 0."""
    a, b = s32(h.x[rs1]), s32(h.x[rs2])
    if b == 0:
        h.x[rd] = a
    else:
        h.x[rd] = srem(a, b)


@insn("0000001 rs2 rs1 111 rd 0111011", "remuw {rd}, {rs1}, {rs2}")
def remuw(h: Hart, rd: int, rs1: int, rs2: int) -> None:
    """Unsigned remainder of the low words, sign-extended; by zero the dividend."""
    a, b = u32(h.x[rs1]), u32(h.x[rs2])
    if b == 0:
        h.x[rd] = s32(a)
    else:
        h.x[rd] = s32(urem(a, b))

"""A: load-reserved, store-conditional and atomic memory operations (Unprivileged ISA, chapter 14).

A reservation is kept as the address with a mark for its size in the low bits, which alignment
leaves free; 0 is none. The store-conditional succeeds if memory still holds the value that was
loaded. The aq and rl bits ask for less order than accesses have here anyway.
"""

from typing import Final

from hospes.base.bits import s32
from hospes.isa.insn import insn
from hospes.isa.riscv.encoding import LOAD_MISALIGNED, STORE_MISALIGNED
from hospes.isa.riscv.hart import Hart
from hospes.isa.subset import (
    Trap,
    amo32,
    amo64,
    compare_exchange32,
    compare_exchange64,
    inline,
    load32,
    load64,
)

NO_RESERVATION: Final = 0
RESERVED_WORD: Final = 1
RESERVED_DOUBLEWORD: Final = 2


@inline
def word_address(h: Hart, rs1: int) -> int:
    """The address in rs1 for a word operation that writes."""
    if h.x[rs1] & 3 != 0:
        raise Trap(STORE_MISALIGNED, h.x[rs1])
    return h.x[rs1]


@inline
def doubleword_address(h: Hart, rs1: int) -> int:
    """The address in rs1 for a doubleword operation that writes."""
    if h.x[rs1] & 7 != 0:
        raise Trap(STORE_MISALIGNED, h.x[rs1])
    return h.x[rs1]


@insn("00010 aq rl 00000 rs1 010 rd 0101111", "lr.w{aqrl} {rd}, ({rs1})")
def lr_w(h: Hart, rd: int, rs1: int) -> None:
    """Load a word and reserve it."""
    gva = h.x[rs1]
    if gva & 3 != 0:
        raise Trap(LOAD_MISALIGNED, gva)
    value = load32(h, gva)
    h.reservation = gva | RESERVED_WORD
    h.reserved_value = value
    h.x[rd] = s32(value)


@insn("00011 aq rl rs2 rs1 010 rd 0101111", "sc.w{aqrl} {rd}, {rs2}, ({rs1})")
def sc_w(h: Hart, rd: int, rs1: int, rs2: int) -> None:
    """Store a word if its reservation holds; rd is 0 on success, else 1."""
    gva = word_address(h, rs1)
    failed = 1
    if h.reservation == gva | RESERVED_WORD and compare_exchange32(
        h, gva, h.reserved_value, h.x[rs2]
    ):
        failed = 0
    h.reservation = NO_RESERVATION
    h.x[rd] = failed


@insn("00001 aq rl rs2 rs1 010 rd 0101111", "amoswap.w{aqrl} {rd}, {rs2}, ({rs1})")
def amoswap_w(h: Hart, rd: int, rs1: int, rs2: int) -> None:
    """Exchange a word in memory with rs2."""
    h.x[rd] = s32(amo32(h, "swap", word_address(h, rs1), h.x[rs2]))


@insn("00000 aq rl rs2 rs1 010 rd 0101111", "amoadd.w{aqrl} {rd}, {rs2}, ({rs1})")
def amoadd_w(h: Hart, rd: int, rs1: int, rs2: int) -> None:
    """Sum of a word in memory and rs2."""
    h.x[rd] = s32(amo32(h, "add", word_address(h, rs1), h.x[rs2]))


@insn("00100 aq rl rs2 rs1 010 rd 0101111", "amoxor.w{aqrl} {rd}, {rs2}, ({rs1})")
def amoxor_w(h: Hart, rd: int, rs1: int, rs2: int) -> None:
    """Exclusive or of a word in memory and rs2."""
    h.x[rd] = s32(amo32(h, "xor", word_address(h, rs1), h.x[rs2]))


@insn("01100 aq rl rs2 rs1 010 rd 0101111", "amoand.w{aqrl} {rd}, {rs2}, ({rs1})")
def amoand_w(h: Hart, rd: int, rs1: int, rs2: int) -> None:
    """And of a word in memory and rs2."""
    h.x[rd] = s32(amo32(h, "and", word_address(h, rs1), h.x[rs2]))


@insn("01000 aq rl rs2 rs1 010 rd 0101111", "amoor.w{aqrl} {rd}, {rs2}, ({rs1})")
def amoor_w(h: Hart, rd: int, rs1: int, rs2: int) -> None:
    """Or of a word in memory and rs2."""
    h.x[rd] = s32(amo32(h, "or", word_address(h, rs1), h.x[rs2]))


@insn("10000 aq rl rs2 rs1 010 rd 0101111", "amomin.w{aqrl} {rd}, {rs2}, ({rs1})")
def amomin_w(h: Hart, rd: int, rs1: int, rs2: int) -> None:
    """Lesser, as signed numbers, of a word in memory and rs2."""
    h.x[rd] = s32(amo32(h, "min", word_address(h, rs1), h.x[rs2]))


@insn("10100 aq rl rs2 rs1 010 rd 0101111", "amomax.w{aqrl} {rd}, {rs2}, ({rs1})")
def amomax_w(h: Hart, rd: int, rs1: int, rs2: int) -> None:
    """Greater, as signed numbers, of a word in memory and rs2."""
    h.x[rd] = s32(amo32(h, "max", word_address(h, rs1), h.x[rs2]))


@insn("11000 aq rl rs2 rs1 010 rd 0101111", "amominu.w{aqrl} {rd}, {rs2}, ({rs1})")
def amominu_w(h: Hart, rd: int, rs1: int, rs2: int) -> None:
    """Lesser, as unsigned numbers, of a word in memory and rs2."""
    h.x[rd] = s32(amo32(h, "minu", word_address(h, rs1), h.x[rs2]))


@insn("11100 aq rl rs2 rs1 010 rd 0101111", "amomaxu.w{aqrl} {rd}, {rs2}, ({rs1})")
def amomaxu_w(h: Hart, rd: int, rs1: int, rs2: int) -> None:
    """Greater, as unsigned numbers, of a word in memory and rs2."""
    h.x[rd] = s32(amo32(h, "maxu", word_address(h, rs1), h.x[rs2]))


@insn("00010 aq rl 00000 rs1 011 rd 0101111", "lr.d{aqrl} {rd}, ({rs1})")
def lr_d(h: Hart, rd: int, rs1: int) -> None:
    """Load a doubleword and reserve it."""
    gva = h.x[rs1]
    if gva & 7 != 0:
        raise Trap(LOAD_MISALIGNED, gva)
    value = load64(h, gva)
    h.reservation = gva | RESERVED_DOUBLEWORD
    h.reserved_value = value
    h.x[rd] = value


@insn("00011 aq rl rs2 rs1 011 rd 0101111", "sc.d{aqrl} {rd}, {rs2}, ({rs1})")
def sc_d(h: Hart, rd: int, rs1: int, rs2: int) -> None:
    """Store a doubleword if its reservation holds; rd is 0 on success, else 1."""
    gva = doubleword_address(h, rs1)
    failed = 1
    if h.reservation == gva | RESERVED_DOUBLEWORD and compare_exchange64(
        h, gva, h.reserved_value, h.x[rs2]
    ):
        failed = 0
    h.reservation = NO_RESERVATION
    h.x[rd] = failed


@insn("00001 aq rl rs2 rs1 011 rd 0101111", "amoswap.d{aqrl} {rd}, {rs2}, ({rs1})")
def amoswap_d(h: Hart, rd: int, rs1: int, rs2: int) -> None:
    """Exchange a doubleword in memory with rs2."""
    h.x[rd] = amo64(h, "swap", doubleword_address(h, rs1), h.x[rs2])


@insn("00000 aq rl rs2 rs1 011 rd 0101111", "amoadd.d{aqrl} {rd}, {rs2}, ({rs1})")
def amoadd_d(h: Hart, rd: int, rs1: int, rs2: int) -> None:
    """Sum of a doubleword in memory and rs2."""
    h.x[rd] = amo64(h, "add", doubleword_address(h, rs1), h.x[rs2])


@insn("00100 aq rl rs2 rs1 011 rd 0101111", "amoxor.d{aqrl} {rd}, {rs2}, ({rs1})")
def amoxor_d(h: Hart, rd: int, rs1: int, rs2: int) -> None:
    """Exclusive or of a doubleword in memory and rs2."""
    h.x[rd] = amo64(h, "xor", doubleword_address(h, rs1), h.x[rs2])


@insn("01100 aq rl rs2 rs1 011 rd 0101111", "amoand.d{aqrl} {rd}, {rs2}, ({rs1})")
def amoand_d(h: Hart, rd: int, rs1: int, rs2: int) -> None:
    """And of a doubleword in memory and rs2."""
    h.x[rd] = amo64(h, "and", doubleword_address(h, rs1), h.x[rs2])


@insn("01000 aq rl rs2 rs1 011 rd 0101111", "amoor.d{aqrl} {rd}, {rs2}, ({rs1})")
def amoor_d(h: Hart, rd: int, rs1: int, rs2: int) -> None:
    """Or of a doubleword in memory and rs2."""
    h.x[rd] = amo64(h, "or", doubleword_address(h, rs1), h.x[rs2])


@insn("10000 aq rl rs2 rs1 011 rd 0101111", "amomin.d{aqrl} {rd}, {rs2}, ({rs1})")
def amomin_d(h: Hart, rd: int, rs1: int, rs2: int) -> None:
    """Lesser, as signed numbers, of a doubleword in memory and rs2."""
    h.x[rd] = amo64(h, "min", doubleword_address(h, rs1), h.x[rs2])


@insn("10100 aq rl rs2 rs1 011 rd 0101111", "amomax.d{aqrl} {rd}, {rs2}, ({rs1})")
def amomax_d(h: Hart, rd: int, rs1: int, rs2: int) -> None:
    """Greater, as signed numbers, of a doubleword in memory and rs2."""
    h.x[rd] = amo64(h, "max", doubleword_address(h, rs1), h.x[rs2])


@insn("11000 aq rl rs2 rs1 011 rd 0101111", "amominu.d{aqrl} {rd}, {rs2}, ({rs1})")
def amominu_d(h: Hart, rd: int, rs1: int, rs2: int) -> None:
    """Lesser, as unsigned numbers, of a doubleword in memory and rs2."""
    h.x[rd] = amo64(h, "minu", doubleword_address(h, rs1), h.x[rs2])


@insn("11100 aq rl rs2 rs1 011 rd 0101111", "amomaxu.d{aqrl} {rd}, {rs2}, ({rs1})")
def amomaxu_d(h: Hart, rd: int, rs1: int, rs2: int) -> None:
    """Greater, as unsigned numbers, of a doubleword in memory and rs2."""
    h.x[rd] = amo64(h, "maxu", doubleword_address(h, rs1), h.x[rs2])

"""C: each compressed instruction does what the wide instruction it stands for does."""

import pytest
from tests.isa.riscv.plain_hart import DATA, PC, execute, hart

from hospes.isa.riscv.hart import Hart
from hospes.isa.riscv.profile import RV64

PAIRS = [
    ("c.lwsp a0, 4(sp)", "lw a0, 4(sp)"),
    ("c.ldsp a0, 8(sp)", "ld a0, 8(sp)"),
    ("c.swsp a1, 4(sp)", "sw a1, 4(sp)"),
    ("c.sdsp a1, 8(sp)", "sd a1, 8(sp)"),
    ("c.lw a0, 4(a2)", "lw a0, 4(a2)"),
    ("c.ld a0, 16(a2)", "ld a0, 16(a2)"),
    ("c.sw a1, 4(a2)", "sw a1, 4(a2)"),
    ("c.sd a1, 16(a2)", "sd a1, 16(a2)"),
    ("c.li a0, -32", "addi a0, zero, -32"),
    ("c.lui a0, 0xfffe1", "lui a0, 0xfffe1"),
    ("c.lui a0, 0x1f", "lui a0, 0x1f"),
    ("c.nop", "nop"),
    ("c.addi a1, -32", "addi a1, a1, -32"),
    ("c.addiw a1, 31", "addiw a1, a1, 31"),
    ("c.addi16sp sp, -512", "addi sp, sp, -512"),
    ("c.addi16sp sp, 496", "addi sp, sp, 496"),
    ("c.addi4spn a0, sp, 1020", "addi a0, sp, 1020"),
    ("c.slli a1, 63", "slli a1, a1, 63"),
    ("c.srli a1, 33", "srli a1, a1, 33"),
    ("c.srai a1, 63", "srai a1, a1, 63"),
    ("c.andi a1, -2", "andi a1, a1, -2"),
    ("c.mv a0, a1", "add a0, zero, a1"),
    ("c.add a1, a2", "add a1, a1, a2"),
    ("c.sub a1, a2", "sub a1, a1, a2"),
    ("c.xor a1, a2", "xor a1, a1, a2"),
    ("c.or a1, a2", "or a1, a1, a2"),
    ("c.and a1, a2", "and a1, a1, a2"),
    ("c.subw a1, a2", "subw a1, a1, a2"),
    ("c.addw a1, a2", "addw a1, a1, a2"),
    (f"c.j {PC - 2048}", f"j {PC - 2048}"),
    (f"c.j {PC + 2046}", f"j {PC + 2046}"),
    ("c.jr a2", "jr a2"),
    (f"c.beqz a3, {PC - 256}", f"beqz a3, {PC - 256}"),
    (f"c.beqz a1, {PC + 254}", f"beqz a1, {PC + 254}"),
    (f"c.bnez a1, {PC + 254}", f"bnez a1, {PC + 254}"),
    (f"c.bnez a3, {PC - 256}", f"bnez a3, {PC - 256}"),
]


def prepared() -> Hart:
    h = hart(x2=DATA, x11=0x8123_4567_89AB_CDEF, x12=DATA + 8)
    for offset in range(0, 64, 4):
        h.port.store(DATA + offset, 4, 0x8000_0001 * (offset + 1) & 0xFFFF_FFFF)
    return h


@pytest.mark.parametrize(("short", "wide"), PAIRS, ids=[short for short, _ in PAIRS])
def test_expansion(short: str, wide: str) -> None:
    a, b = execute(prepared(), short), execute(prepared(), wide)
    assert list(a.x)[:32] == list(b.x)[:32]
    assert [a.port.load(DATA + i, 8) for i in range(0, 64, 8)] == [
        b.port.load(DATA + i, 8) for i in range(0, 64, 8)
    ]
    assert a.pc == (PC + 2 if b.pc == PC + 4 else b.pc)


def test_links_point_behind_the_short_instruction() -> None:
    h = execute(hart(x11=0x2000), "c.jalr a1")
    assert (h.x[1], h.pc) == (PC + 2, 0x2000)
    h = execute(hart(x1=0x2001), "c.jalr ra")
    assert (h.x[1], h.pc) == (PC + 2, 0x2000)


@pytest.mark.parametrize("word", [0x4005, 0x6005, 0x8006, 0x9006, 0x0006, 0x1005])
def test_hints_change_nothing(word: int) -> None:
    """28.7: c.li, c.lui, c.mv, c.add and c.slli to x0, and c.nop with an immediate."""
    h = hart(x1=3)
    before = list(h.x)[:32]
    decoded = RV64.decode(word)
    assert decoded is not None
    decoded.insn.function(h, *decoded.operands)
    assert list(h.x)[:32] == before

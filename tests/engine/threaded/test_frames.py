"""Frames that are missing, protected or elsewhere: exits, and the access done once it can be."""

import pytest

from hospes.engine.engine import Exit
from hospes.engine.threaded.engine import ThreadedEngine
from hospes.isa.riscv.hart import Hart
from hospes.isa.riscv.priv import reset
from hospes.isa.riscv.profile import RV64
from hospes.memory.nested import ABSENT, PROTECTED
from hospes.memory.space import RAM_BASE, Memory

DATA_PAGE = 2
DATA = RAM_BASE + DATA_PAGE * 4096


def machine(text: str, at: int = RAM_BASE) -> tuple[Memory, ThreadedEngine, Hart]:
    memory = Memory(1 << 16)
    memory.write(at, RV64.assemble(text, at))
    engine, hart = ThreadedEngine(memory), Hart()
    reset(hart)
    hart.pc, hart.x[10], hart.x[11] = at, DATA, 77
    return memory, engine, hart


@pytest.mark.parametrize(
    ("text", "flag"), [("ld a2, 8(a0)", ABSENT), ("sd a1, 8(a0)", ABSENT),
                       ("sd a1, 8(a0)", PROTECTED), ("amoadd.d a2, a1, (a0)", PROTECTED)]
)  # fmt: skip
def test_an_access_leaves_until_the_frame_allows_it(text: str, flag: int) -> None:
    memory, engine, hart = machine(f"{text}\nwfi")
    memory.nested.entries[DATA_PAGE] |= flag
    for _ in range(2):
        assert engine.run(hart, 10) is Exit.FRAME
        assert (hart.pc, hart.exit_gpa >> 12 << 12, hart.instret) == (RAM_BASE, DATA, 0)
    memory.nested.entries[DATA_PAGE] &= ~flag
    assert engine.run(hart, 10) is Exit.WFI
    assert hart.instret == 2


def test_a_protected_page_can_be_read() -> None:
    memory, engine, hart = machine("ld a2, 8(a0)\nwfi")
    memory.store(DATA + 8, 8, 42)
    memory.nested.entries[DATA_PAGE] |= PROTECTED
    assert engine.run(hart, 10) is Exit.WFI
    assert hart.x[12] == 42


def test_a_fetch_leaves_until_there_is_a_frame() -> None:
    memory, engine, hart = machine("wfi", DATA)
    memory.nested.entries[DATA_PAGE] |= ABSENT
    assert engine.run(hart, 10) is Exit.FRAME
    assert (hart.pc, hart.exit_gpa) == (DATA, DATA)
    memory.nested.entries[DATA_PAGE] &= ~ABSENT
    assert engine.run(hart, 10) is Exit.WFI


def test_a_page_is_read_where_its_frame_is() -> None:
    memory, engine, hart = machine("ld a2, 8(a0)\nsd a1, 16(a0)\nwfi")
    elsewhere = DATA + 3 * 4096
    memory.store(elsewhere + 8, 8, 42)
    memory.nested.entries[DATA_PAGE] = 3 * 4096
    assert engine.run(hart, 10) is Exit.WFI
    assert hart.x[12] == 42
    assert memory.load(elsewhere + 16, 8) == 77
    assert memory.load(DATA + 16, 8) == 0

"""Posted device stores: gathered in order, delivered before anyone looks at the next exit."""

from hospes.engine.engine import Exit
from hospes.engine.threaded.engine import ThreadedEngine
from hospes.engine.threaded.state import POSTED_MAX
from hospes.isa.riscv.hart import Hart
from hospes.isa.riscv.priv import reset
from hospes.isa.riscv.profile import RV64
from hospes.memory.space import RAM_BASE, Memory

TRANSMITTER = 0x1000_0000

Store = tuple[int, int, int]


def machine(text: str) -> tuple[ThreadedEngine, Hart, list[Store]]:
    memory = Memory(1 << 16)
    memory.write(RAM_BASE, RV64.assemble(text, RAM_BASE))
    engine, hart = ThreadedEngine(memory), Hart()
    reset(hart)
    hart.pc = RAM_BASE
    stores: list[Store] = []
    engine.post_stores(TRANSMITTER, 1, lambda *store: stores.append(store))
    return engine, hart, stores


def test_stores_wait_for_the_next_exit_and_keep_their_order() -> None:
    engine, hart, stores = machine(
        """
        lui a0, 0x10000
        li a1, 65
        sb a1, 0(a0)
        addi a1, a1, 1
        sh a1, 0(a0)
        lbu a2, 5(a0)
        """
    )
    assert engine.run(hart, 100) is Exit.DEVICE
    assert hart.exit_gpa == TRANSMITTER + 5
    assert stores == [(TRANSMITTER, 1, 65), (TRANSMITTER, 2, 66)]
    assert hart.instret == 5


def test_a_store_elsewhere_leaves_at_once() -> None:
    engine, hart, stores = machine("lui a0, 0x10000\nsb a0, 1(a0)")
    assert engine.run(hart, 100) is Exit.DEVICE
    assert (hart.exit_gpa, hart.pc, stores) == (TRANSMITTER + 1, RAM_BASE + 4, [])


def test_a_flood_leaves_when_no_more_can_wait() -> None:
    engine, hart, stores = machine("lui a0, 0x10000\nagain: sb a0, 0(a0)\nj again")
    assert engine.run(hart, 10_000) is Exit.DEVICE
    assert len(stores) == POSTED_MAX


def test_stores_are_delivered_when_the_budget_ends() -> None:
    engine, hart, stores = machine("lui a0, 0x10000\nli a1, 0x201\nsb a1, 0(a0)\nspin: j spin")
    assert engine.run(hart, 1000) is Exit.BUDGET
    assert stores == [(TRANSMITTER, 1, 0x01)]

"""A small guest for the threaded engine: RAM, one hart, page tables, programs as text."""

from collections.abc import Callable
from typing import Final, TypeVar

from hospes.engine.engine import Exit
from hospes.engine.port import ReferencePort
from hospes.engine.reference import ReferenceEngine
from hospes.engine.threaded.engine import ThreadedEngine
from hospes.engine.threaded.state import EngineState
from hospes.engine.timebase import InstructionTimebase
from hospes.isa.riscv.encoding import (
    MODE_M,
    MODE_S,
    PTE_A,
    PTE_D,
    PTE_R,
    PTE_V,
    PTE_W,
    PTE_X,
    SATP_ASID_SHIFT,
    SATP_MODE_SHIFT,
    SATP_SV39,
)
from hospes.isa.riscv.hart import Hart
from hospes.isa.riscv.pmp import refresh_pmp
from hospes.isa.riscv.priv import refresh, reset
from hospes.isa.riscv.profile import RV64
from hospes.memory.space import RAM_BASE, Memory

PAGE: Final = 4096
CODE: Final = RAM_BASE
"""The first of sixteen pages for programs."""
HANDLER: Final = RAM_BASE + 0x1_0000
DATA: Final = RAM_BASE + 0x1_8000
TABLES: Final = RAM_BASE + 0x10_0000
"""Page tables are made from here on, up to the end of RAM."""
FREE: Final = RAM_BASE + 0x2_0000
"""Pages that nothing uses, up to TABLES."""
RAM_BYTES: Final = 0x20_0000
FULL: Final = PTE_V | PTE_R | PTE_W | PTE_X | PTE_A | PTE_D

T: Final = {
    "t0": 5, "t1": 6, "t2": 7, "t3": 28, "a0": 10, "a1": 11, "a2": 12, "a3": 13, "s2": 18, "s3": 19,
}  # fmt: skip
"""Registers by name."""


class Guest:
    """A hart after reset in M-mode at CODE, traps to HANDLER, PMP open to all modes.

    `make` chooses the engine; a reference engine completes what it leaves.
    """

    def __init__(
        self,
        make: Callable[..., ThreadedEngine | ReferenceEngine] = ThreadedEngine,
        **options: int,
    ) -> None:
        self.memory = Memory(RAM_BYTES)
        self.timebase = InstructionTimebase()
        self.engine = make(self.memory, timebase=self.timebase, **options)
        self.reference = ReferenceEngine(self.memory, timebase=self.timebase)
        self.h = self.hart()
        self.table_count = 1
        self.programs = 1

    def hart(self, number: int = 0) -> Hart:
        """Another hart of the machine."""
        h = Hart()
        h.port = ReferencePort(h, self.memory, None, self.timebase)
        reset(h)
        h.hartid, h.pc, h.mtvec = number, CODE, HANDLER
        h.pmpcfg[0], h.pmpaddr[0] = 0x1F, (1 << 54) - 1
        refresh_pmp(h)
        return h

    def place(self, text: str, gpa: int = CODE, gva: int | None = None) -> None:
        """Assemble at a physical address what will run at a virtual one."""
        self.memory.write(gpa, RV64.assemble(text, gpa if gva is None else gva))

    def set(self, **registers: int) -> None:
        """Set registers by name."""
        for name, value in registers.items():
            self.h.x[T[name]] = value

    def get(self, name: str) -> int:
        """A register's value."""
        return self.h.x[T[name]]

    def run(self, budget: int = 10_000) -> Exit:
        """Run the hart."""
        return self.engine.run(self.h, budget)

    def finish(self, budget: int = 10_000) -> Exit:
        """Run the hart; the reference engine does what the engine leaves."""
        end = self.h.instret + budget
        while (reason := self.run(end - self.h.instret)) in (Exit.DEVICE, Exit.REFERENCE):
            if self.reference.step(self.h) is Exit.DEVICE:
                return Exit.DEVICE
        return reason

    def go(self, text: str, budget: int = 10_000) -> Exit:
        """Place a program in a page where none was before and run it from its start."""
        self.h.pc = CODE + PAGE * self.programs
        self.programs += 1
        self.place(text, self.h.pc)
        return self.run(budget)

    def count(self, name: str) -> int:
        """One of the engine's statistics."""
        return self.engine.statistics()[name]

    def state(self, h: Hart | None = None) -> EngineState:
        """The words that only the threaded engine has, of a hart that has run on it."""
        assert isinstance(self.engine, ThreadedEngine)
        return self.engine._states[id(h or self.h)][1]

    def page_tables(self, mode: int = MODE_S, asid: int = 0) -> None:
        """Turn on Sv39 with the tables at TABLES, in a mode; programs and tables keep their
        addresses."""
        self.map(RAM_BASE, RAM_BASE, FULL, level=1)
        self.h.satp = SATP_SV39 << SATP_MODE_SHIFT | asid << SATP_ASID_SHIFT | TABLES >> 12
        self.h.mode, self.h.stvec, self.h.resync = mode, HANDLER, 1
        self.h.medeleg = 0xFFFF
        refresh(self.h)

    def map(self, gva: int, gpa: int, flags: int = FULL, level: int = 0) -> int:
        """Enter a leaf (0: 4 KiB, 1: 2 MiB, 2: 1 GiB); returns the address of its entry."""
        table = TABLES
        for above in range(2, level, -1):
            slot = table + (gva >> (12 + 9 * above) & 0x1FF) * 8
            if not self.memory.load(slot, 8):
                made = TABLES + PAGE * self.table_count
                self.table_count += 1
                self.memory.store(slot, 8, made >> 2 | PTE_V)
            table = self.memory.load(slot, 8) >> 10 << 12
        slot = table + (gva >> (12 + 9 * level) & 0x1FF) * 8
        self.memory.store(slot, 8, gpa >> 2 | flags)
        return slot

    def trap(self) -> tuple[int, int, int]:
        """Cause, value and place of the last trap into the mode that now runs."""
        h = self.h
        if h.mode == MODE_M:
            return h.mcause, h.mtval, h.mepc
        return h.scause, h.stval, h.sepc


Result = TypeVar("Result")


def on_both(scenario: Callable[[Guest], Result], **options: int) -> Result:
    """What a scenario gives on the threaded engine, which is what it gives on the reference."""
    expected = scenario(Guest(ReferenceEngine))
    result = scenario(Guest(ThreadedEngine, **options))
    assert result == expected
    return result

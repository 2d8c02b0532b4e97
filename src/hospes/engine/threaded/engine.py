"""The threaded engine as the machine sees it: harts attached to native code and run."""

from __future__ import annotations

import ctypes
import mmap
from collections.abc import Callable
from typing import Final

from hospes.base.errors import HospesError
from hospes.base.layout import WORD_BYTES
from hospes.engine.engine import Exit
from hospes.engine.threaded.native import Progress, load_engine, silent
from hospes.engine.threaded.state import (
    BLOCK_BYTES,
    CODE_PAGE_BYTES,
    DATA_TABLES_OFFSET,
    FETCH_TABLES_OFFSET,
    GENERATION_STEP,
    CodeSpace,
    EngineState,
)
from hospes.engine.timebase import ClockTimebase, InstructionTimebase, Timebase
from hospes.isa.riscv.hart import Hart
from hospes.memory.nested import PAGE_SHIFT
from hospes.memory.space import Memory

CODE_PAGES: Final = 2560
"""Pages of decoded code kept at a time, 36 KiB each, touched as they are used."""
CODE_PAGES_LEAST: Final = 2

REASONS: Final = tuple(Exit)
EXIT_REASON: Final = EngineState.offsets["exit_reason"] // WORD_BYTES
RUN_END: Final = EngineState.offsets["run_end"] // WORD_BYTES
POSTED: Final = EngineState.offsets["posted"] // WORD_BYTES
INSTRET: Final = EngineState.offsets["instret"] // WORD_BYTES
"""Indices of words that every run touches: a field's descriptor costs more than the exit."""

COUNTERS: Final = (
    "tlb_misses", "fetch_misses", "tlb_flushes", "decoded", "interrupts", "traps",
)  # fmt: skip


Deliver = Callable[[int, int, int], object]


class Block:
    """One anonymous mapping with its host address; zeroed, and resident only where touched."""

    def __init__(self, size_bytes: int) -> None:
        self._map = mmap.mmap(-1, size_bytes, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        self.view = memoryview(self._map)
        self.address = ctypes.addressof(ctypes.c_char.from_buffer(self._map))


class ThreadedEngine:
    """Executes harts with native handlers; see docs/ENGINE.md.

    A hart that runs here for the first time is moved into a block of native memory and stays
    there, also while another engine runs it. `timebase` must be the machine's own.
    """

    def __init__(
        self,
        memory: Memory,
        timebase: Timebase | None = None,
        progress: Progress = silent,
        code_pages: int = CODE_PAGES,
    ) -> None:
        if code_pages < CODE_PAGES_LEAST:
            raise HospesError(
                f"{code_pages} page of code is too little for an instruction across two pages; "
                f"give the engine at least {CODE_PAGES_LEAST}"
            )
        self.memory = memory
        self.timebase: Timebase = timebase or InstructionTimebase()
        self._counted = self.timebase if isinstance(self.timebase, InstructionTimebase) else None
        self._enter = load_engine(progress)
        self._code = Block(code_pages * CODE_PAGE_BYTES)
        pages = memory.size_bytes >> PAGE_SHIFT
        self._code_of_page = Block(pages * WORD_BYTES)
        self.space = CodeSpace()
        self.space.limit = code_pages
        self._states: dict[int, tuple[Hart, EngineState, Block]] = {}
        self._posting: tuple[int, int, Deliver] = (0, 0, _nowhere)

    def post_stores(self, base: int, size_bytes: int, deliver: Deliver) -> None:
        """Gather stores to these guest physical addresses, and deliver them at the next exit.

        For registers that take data and answer nothing, such as a transmitter's: a burst then
        costs one exit. deliver is called with address, size in bytes and value, in order.
        """
        self._posting = (base, size_bytes, deliver)
        for _, state, _ in self._states.values():
            state.posted_base, state.posted_bytes = base, size_bytes

    def run(self, hart: Hart, budget: int) -> Exit:
        """Run about `budget` instructions, or until something needs attention."""
        held = self._states.get(id(hart))
        if held is None or held[0] is not hart:
            held = self._attach(hart)
        words = held[1].words
        words[EXIT_REASON] = 0
        words[RUN_END] = words[INSTRET] + budget
        if self._counted is not None:
            held[1].clock_base_ns = self._counted.skipped
        self._enter(held[2].address)
        if words[POSTED]:
            self._carry_out(held[1])
        reason = REASONS[words[EXIT_REASON]]
        if reason is Exit.KICK:
            hart.kick = 0
        return reason

    def _carry_out(self, state: EngineState) -> None:
        """Deliver the stores that were posted during a run."""
        count, state.posted = state.posted, 0
        for number in range(count):
            size_bytes = state.posted_size[number]
            value = state.posted_value[number] & ((1 << (8 * size_bytes)) - 1)
            self._posting[2](state.posted_gpa[number], size_bytes, value)

    def kick(self, hart: Hart) -> None:
        """Make a run of this hart in another thread return within microseconds."""
        hart.kick = 1

    def follow_timebase(self) -> None:
        """The timebase was set anew, as after a pause; native code is to read it so."""
        for _, state, _ in self._states.values():
            self._set_clock(state)

    def statistics(self) -> dict[str, int]:
        """Counts over all harts: TLB and fetch misses, flushes, instructions decoded, traps."""
        states = [state for _, state, _ in self._states.values()]
        counts = {name: sum(getattr(state, name) for state in states) for name in COUNTERS}
        return counts | {"code_pages": self.space.used, "code_drops": self.space.drops}

    def _attach(self, hart: Hart) -> tuple[Hart, EngineState, Block]:
        block = Block(BLOCK_BYTES)
        hart.rebase(block.view)
        state = EngineState(block.view)
        state.data_tables = block.address + DATA_TABLES_OFFSET
        state.fetch_tables = block.address + FETCH_TABLES_OFFSET
        state.next_generation = GENERATION_STEP
        state.ram_base = self.memory.base
        state.ram_bytes = self.memory.size_bytes
        state.nested = self.memory.nested.address
        state.frames = self.memory.nested.frames_address
        state.shared = _address(self.memory.nested.shared.words)
        state.code_pages = self._code.address
        state.code_of_page = self._code_of_page.address
        state.code_space = _address(self.space.words)
        state.posted_base, state.posted_bytes = self._posting[:2]
        state.resync = 1
        self._set_clock(state)
        held = (hart, state, block)
        self._states[id(hart)] = held
        return held

    def _set_clock(self, state: EngineState) -> None:
        if isinstance(self.timebase, ClockTimebase):
            state.clock_base_ns = self.timebase.start_ns
            state.clock_gettime = _clock_gettime()
        elif isinstance(self.timebase, InstructionTimebase):
            state.clock_from_instret = 1
        else:
            raise HospesError(
                f"the threaded engine cannot follow a {type(self.timebase).__name__}; "
                "use the host's clock or the instruction count"
            )


def _nowhere(gpa: int, size_bytes: int, value: int) -> None:
    """There are no posted stores."""


def _address(words: memoryview) -> int:
    """The host address of a block of words."""
    return ctypes.addressof(ctypes.c_uint64.from_buffer(words))


def _clock_gettime() -> int:
    """The address of the C library's clock_gettime."""
    function = ctypes.CDLL(None).clock_gettime
    return ctypes.cast(function, ctypes.c_void_p).value or 0

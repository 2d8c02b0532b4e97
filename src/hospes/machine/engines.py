"""The engines of one machine: each made when it is first asked for."""

from functools import cached_property
from typing import TYPE_CHECKING, Final, Protocol, runtime_checkable

from hospes.base.progress import Progress, silent
from hospes.engine.engine import Engine
from hospes.engine.port import ReferencePort
from hospes.engine.timebase import ClockTimebase
from hospes.isa.riscv.hart import Hart
from hospes.machine.boards.virt import Board
from hospes.memory.space import Memory
from hospes.spec.vm import EngineKind

if TYPE_CHECKING:
    from hospes.engine.reference import ReferenceEngine

SLICES: Final = {EngineKind.THREADED: (1_000_000, 100_000), EngineKind.REFERENCE: (2_000, 500)}
"""Instructions in a slice of a machine's only hart, and of one among several: a few ms."""


@runtime_checkable
class Follower(Protocol):
    """An engine whose native code keeps a copy of the timebase's start."""

    def follow_timebase(self) -> None: ...


class Engines:
    """The reference engine, always there to finish what another one leaves, and the others."""

    def __init__(
        self, memory: Memory, board: Board, timebase: ClockTimebase, progress: Progress = silent
    ) -> None:
        self._memory, self._bus, self._timebase = memory, board.bus, timebase
        self._posted = board.posted
        self._progress = progress
        self._made: dict[EngineKind, Engine] = {}

    def engine(self, kind: EngineKind) -> Engine:
        """The engine of a kind."""
        if kind is EngineKind.REFERENCE:
            return self.reference
        if kind not in self._made:
            self._made[kind] = self._threaded()
        return self._made[kind]

    @cached_property
    def reference(self) -> "ReferenceEngine":
        """Imported late: with native code, a guest's first instructions do without it."""
        from hospes.engine.reference import ReferenceEngine

        engine = ReferenceEngine(self._memory, self._bus, self._timebase)
        self._made[EngineKind.REFERENCE] = engine
        return engine

    def _threaded(self) -> Engine:
        """Imported late: it brings LLVM along."""
        from hospes.engine.threaded.engine import ThreadedEngine

        told: list[str] = []

        def tell(task: str) -> None:
            told.append(task)
            self._progress(task, 0, 0)

        engine = ThreadedEngine(self._memory, self._timebase, tell)
        engine.post_stores(*self._posted, self._bus.write)
        for task in told:
            self._progress(task, 1, 1)
        return engine

    def hart(self, number: int) -> Hart:
        """A new hart; engines move its words to where they need them."""
        hart = Hart()
        hart.hartid = number
        hart.port = ReferencePort(hart, self._memory, self._bus, self._timebase)
        return hart

    def slice(self, kind: EngineKind, harts: int, ready: int) -> int:
        """How many instructions a hart's turn has: fewer if others are ready or may become so."""
        alone, shared = SLICES[kind]
        if ready > 1:
            return shared
        return alone if harts == 1 else alone // 4

    def follow_timebase(self) -> None:
        """The timebase was set anew; engines with a clock of their own set theirs."""
        for engine in self._made.values():
            if isinstance(engine, Follower):
                engine.follow_timebase()

    def statistics(self) -> dict[str, int]:
        """What the engines count themselves."""
        counts: dict[str, int] = {}
        for engine in self._made.values():
            counts |= engine.statistics()
        return counts

    def close(self) -> None:
        """Give back what the engines hold."""
        self._made.clear()
        vars(self).pop("reference", None)

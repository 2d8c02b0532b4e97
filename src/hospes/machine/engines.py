"""The engines of one machine: each made when it is first asked for."""

from typing import Final

from hospes.devices.bus import Bus
from hospes.engine.engine import Engine
from hospes.engine.port import ReferencePort
from hospes.engine.reference import ReferenceEngine
from hospes.engine.threaded.native import Progress, silent
from hospes.engine.timebase import Timebase
from hospes.isa.riscv.hart import Hart
from hospes.memory.space import Memory
from hospes.spec.vm import EngineKind

SLICES: Final = {EngineKind.THREADED: (1_000_000, 100_000), EngineKind.REFERENCE: (2_000, 500)}
"""Instructions in a slice of a machine's only hart, and of one among several: a few ms."""


class Engines:
    """The reference engine, always there to finish what another one leaves, and the others."""

    def __init__(
        self, memory: Memory, bus: Bus, timebase: Timebase, progress: Progress = silent
    ) -> None:
        self._progress = progress
        self._memory, self._bus, self._timebase = memory, bus, timebase
        self.reference = ReferenceEngine(memory, bus, timebase)
        self._made: dict[EngineKind, Engine] = {EngineKind.REFERENCE: self.reference}

    def engine(self, kind: EngineKind) -> Engine:
        """The engine of a kind."""
        if kind not in self._made:
            from hospes.engine.threaded.engine import ThreadedEngine

            self._made[kind] = ThreadedEngine(self._memory, self._timebase, self._progress)
        return self._made[kind]

    def hart(self, kind: EngineKind, number: int) -> Hart:
        """A new hart, fit for engines of a kind."""
        hart = Hart()
        hart.hartid = number
        return self.adopt(kind, hart)

    def adopt(self, kind: EngineKind, hart: Hart) -> Hart:
        """The hart itself, or one of the same state, as engines of a kind need it."""
        hart.port = ReferencePort(hart, self._memory, self._bus, self._timebase)
        return hart

    def slice(self, kind: EngineKind, harts: int) -> int:
        """How many instructions a hart's turn has."""
        alone, shared = SLICES[kind]
        return alone if harts == 1 else shared

    def statistics(self) -> dict[str, int]:
        """What the engines count themselves."""
        counts: dict[str, int] = {}
        for engine in self._made.values():
            counts |= engine.statistics()
        return counts

    def close(self) -> None:
        """Give back what the engines hold."""
        self._made.clear()

"""Where a hart's `time` counter comes from: the host's clock, or the instructions retired."""

from typing import Final, Protocol

from hospes.base.clock import Clock
from hospes.isa.riscv.hart import Hart

TICK_NS: Final = 100
"""The timebase runs at 10 MHz."""
INSTRUCTIONS_PER_TICK: Final = 10


class Timebase(Protocol):
    """The platform's real-time counter."""

    def ticks(self, hart: Hart) -> int:
        """The 10 MHz ticks as this hart sees them now; never fewer than before."""
        ...


class ClockTimebase:
    """Ticks follow a clock, from `start_ns` of its monotonic reading on (default: from now)."""

    def __init__(self, clock: Clock, start_ns: int | None = None) -> None:
        self._clock = clock
        self.start_ns = clock.monotonic_ns() if start_ns is None else start_ns

    def ticks(self, hart: Hart) -> int:
        """Nanoseconds since the start, in units of TICK_NS."""
        return (self._clock.monotonic_ns() - self.start_ns) // TICK_NS


class InstructionTimebase:
    """Ticks follow the retired instructions, so that a run can be repeated exactly.

    `skipped` counts the ticks that passed while no instruction ran.
    """

    def __init__(self) -> None:
        self.skipped = 0

    def ticks(self, hart: Hart) -> int:
        """One tick for INSTRUCTIONS_PER_TICK instructions, and those skipped."""
        return hart.instret // INSTRUCTIONS_PER_TICK + self.skipped

    def skip(self, ticks: int) -> None:
        """Let time pass while no instruction runs, as a hart waiting in wfi needs."""
        if ticks < 0:
            raise ValueError(f"time cannot be skipped by {ticks} ticks")
        self.skipped += ticks

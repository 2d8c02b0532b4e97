"""Clocks: the only way time reaches a machine, so a run can be steered by a test or replayed."""

import time
from typing import Protocol


class Clock(Protocol):
    """Two readings in nanoseconds: one that never steps back and one that tells the date."""

    def monotonic_ns(self) -> int:
        """Nanoseconds since some fixed moment; never decreases."""
        ...

    def wall_ns(self) -> int:
        """Nanoseconds since 1970-01-01 00:00 UTC; may be stepped by the host's administrator."""
        ...


class HostClock:
    """The host's own clocks."""

    def monotonic_ns(self) -> int:
        """CLOCK_MONOTONIC."""
        return time.monotonic_ns()

    def wall_ns(self) -> int:
        """CLOCK_REALTIME."""
        return time.time_ns()


class ManualClock:
    """A clock that moves only when it is told to."""

    def __init__(self, monotonic_ns: int = 0, wall_ns: int = 0) -> None:
        self._monotonic_ns = monotonic_ns
        self._wall_ns = wall_ns

    def monotonic_ns(self) -> int:
        """Nanoseconds advanced so far, plus the start."""
        return self._monotonic_ns

    def wall_ns(self) -> int:
        """The date last set, plus what was advanced since."""
        return self._wall_ns

    def advance(self, ns: int) -> None:
        """Let ns nanoseconds pass on both readings."""
        if ns < 0:
            raise ValueError(f"a clock cannot be advanced by {ns} ns")
        self._monotonic_ns += ns
        self._wall_ns += ns

    def set_wall(self, wall_ns: int) -> None:
        """Step the date without letting time pass."""
        self._wall_ns = wall_ns

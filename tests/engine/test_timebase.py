"""Timebases: 10 MHz from a clock or from retired instructions."""

import pytest

from hospes.base.clock import ManualClock
from hospes.engine.timebase import ClockTimebase, InstructionTimebase
from hospes.isa.riscv.hart import Hart


def test_clock_ticks_start_at_zero() -> None:
    clock = ManualClock(monotonic_ns=5_000_000_000)
    timebase = ClockTimebase(clock)
    assert timebase.ticks(Hart()) == 0
    clock.advance(1_000_099)
    assert timebase.ticks(Hart()) == 10_000


def test_clock_ticks_can_start_earlier() -> None:
    assert ClockTimebase(ManualClock(monotonic_ns=1000), start_ns=0).ticks(Hart()) == 10


def test_instructions_tick() -> None:
    hart = Hart()
    timebase = InstructionTimebase()
    hart.instret = 1234
    assert timebase.ticks(hart) == 123
    timebase.skip(1000)
    assert timebase.ticks(hart) == 1123
    with pytest.raises(ValueError, match="-1 ticks"):
        timebase.skip(-1)

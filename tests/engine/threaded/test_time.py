"""The guest's time counter in native code: counted time, skipped time, the host's clock."""

import time

from hospes.base.clock import HostClock
from hospes.engine.engine import Exit
from hospes.engine.threaded.engine import ThreadedEngine
from hospes.engine.timebase import ClockTimebase, InstructionTimebase, Timebase
from hospes.isa.riscv.hart import Hart
from hospes.isa.riscv.priv import reset
from hospes.isa.riscv.profile import RV64
from hospes.memory.space import RAM_BASE, Memory


def two_readings(timebase: Timebase, between: object = None) -> tuple[int, int]:
    """rdtime, a pause of the run, rdtime."""
    memory = Memory(1 << 16)
    memory.write(RAM_BASE, RV64.assemble("rdtime a0\nwfi\nrdtime a1\nwfi", RAM_BASE))
    engine, hart = ThreadedEngine(memory, timebase), Hart()
    reset(hart)
    hart.pc = RAM_BASE
    assert engine.run(hart, 10) is Exit.WFI
    if callable(between):
        between()
    assert engine.run(hart, 10) is Exit.WFI
    return hart.x[10], hart.x[11]


def test_skipped_time_is_seen() -> None:
    timebase = InstructionTimebase()
    first, second = two_readings(timebase, lambda: timebase.skip(1234))
    assert second - first == 1234


def test_the_hosts_clock_goes_on_between_runs() -> None:
    first, second = two_readings(ClockTimebase(HostClock()), lambda: time.sleep(0.05))
    assert 500_000 <= second - first < 100_000_000

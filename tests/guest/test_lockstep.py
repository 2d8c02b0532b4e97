"""A running Linux, looked at again and again: both engines go on from there in the same way."""

import threading
import time
from collections.abc import Iterator
from typing import Final

import pytest

from hospes import HospesError, Machine
from hospes.engine.engine import Exit
from hospes.engine.lockstep import Lockstep, Side
from hospes.engine.reference import ReferenceEngine
from hospes.engine.threaded.engine import ThreadedEngine
from hospes.guests.store import Image
from hospes.isa.riscv.hart import Hart
from hospes.memory.space import Memory

pytestmark = [pytest.mark.guest, pytest.mark.soak]

BOOT_SECONDS: Final = 120
MEMORY: Final = "96M"
SAMPLES: Final = 60
INSTRUCTIONS: Final = 60_000
"""In one sample, unless it ends earlier at a device or a call to the firmware."""
WORK: Final = (
    "while :; do awk 'BEGIN { for (i = 0; i < 20000; i++) s += sin(i) / (i + 1); print s }'; "
    "tar c /bin | gzip | sha256sum; sort -r /proc/kallsyms | tail -n 1; done > /dev/null"
)


class Sample:
    """A copy of a hart and its memory, with no devices."""

    def __init__(self, machine: Machine) -> None:
        core = machine.core
        self.words, self.base, self.content = core._call(
            lambda: (
                core._powered.harts[0].words[: Hart.size_bytes // 8].tolist(),
                core._powered.memory.base,
                core._powered.memory.read(
                    core._powered.memory.base, core._powered.memory.size_bytes
                ),
            )
        )

    def side(self, name: str) -> Side:
        """The copy on an engine."""
        memory = Memory(len(self.content), self.base)
        memory.write(self.base, self.content)
        reference = ReferenceEngine(memory)
        hart = Hart()
        for number, word in enumerate(self.words):
            hart.words[number] = word
        hart.resync, hart.kick = 1, 0
        engine = ThreadedEngine(memory) if name == "threaded" else reference
        return Side(name, engine, hart, memory, reference.step)


@pytest.fixture
def busy(tiny: Image) -> Iterator[Machine]:
    """A guest that computes with floats, starts programs, compresses and reads files."""
    with Machine("tiny", memory=MEMORY) as machine:
        assert machine.session.ready(BOOT_SECONDS)

        def work() -> None:
            try:
                machine.run(WORK, timeout=3600)
            except HospesError:
                return

        threading.Thread(target=work, daemon=True).start()
        yield machine


def test_linux_goes_on_alike_on_both_engines(busy: Machine) -> None:
    instructions, modes = 0, set()
    for _ in range(SAMPLES):
        time.sleep(0.02)
        sample = Sample(busy)
        leader, follower = sample.side("threaded"), sample.side("reference")
        lockstep = Lockstep(leader, follower)
        begun = leader.hart.instret
        while leader.hart.instret < begun + INSTRUCTIONS:
            modes.add(leader.hart.mode)
            difference = lockstep.run(5000, 1000)
            assert difference is None, str(difference)
            if lockstep.exit is not Exit.BUDGET:
                break
        instructions += leader.hart.instret - begun
        for side in (leader, follower):
            side.memory.close()
    assert modes == {0, 1}
    assert instructions > SAMPLES * INSTRUCTIONS // 10

"""Random programs on the threaded and the reference engine in lockstep."""

from random import Random
from typing import Final

import pytest
from tests.oracle.groups import CASES
from tests.oracle.judges import FinisherBus
from tests.oracle.random_program import random_program

from hospes.engine.lockstep import Lockstep, Side
from hospes.engine.reference import ReferenceEngine
from hospes.engine.threaded.engine import ThreadedEngine
from hospes.isa.riscv.hart import Hart
from hospes.isa.riscv.priv import reset
from hospes.memory.space import RAM_BASE, Memory

MEMORY: Final = 1 << 20


def side(name: str, content: dict[int, bytes]) -> Side:
    memory = Memory(MEMORY)
    for gpa, data in content.items():
        memory.write(gpa, data)
    reference = ReferenceEngine(memory, FinisherBus())
    engine = ThreadedEngine(memory) if name == "threaded" else reference
    hart = Hart()
    reset(hart)
    hart.pc = RAM_BASE
    return Side(name, engine, hart, memory, reference.step)


def run(seed: int, instructions: int) -> Lockstep:
    """A random program for about so many instructions."""
    random, content = Random(seed), random_program(seed)
    lockstep = Lockstep(side("threaded", content), side("reference", content))
    while lockstep.leader.hart.instret < instructions:
        step = random.choice((1, 10, 100, 1000, 4000))
        difference = lockstep.run(20 * step, step)
        assert difference is None, f"seed {seed}: {difference}"
    return lockstep


@pytest.mark.parametrize("seed", range(4))
def test_random_programs(seed: int) -> None:
    """Both engines are in the same state all along."""
    lockstep = run(seed, CASES * 200)
    assert lockstep.leader.engine.statistics()["traps"] > 100


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(100, 115))
def test_many_random_programs(seed: int) -> None:
    """The same for longer."""
    run(seed, CASES * 3000)

"""Fused handlers: pairs behave as their two instructions do, also when code changes around them."""

import random
from collections.abc import Callable

import pytest

from hospes.engine.engine import Engine, Exit
from hospes.engine.port import ReferencePort
from hospes.engine.reference import ReferenceEngine
from hospes.engine.threaded.engine import ThreadedEngine
from hospes.engine.threaded.fuse import Pair, pairs_of
from hospes.engine.threaded.pairs import PAIRS
from hospes.engine.timebase import InstructionTimebase
from hospes.isa.insn import Insn
from hospes.isa.riscv.hart import Hart
from hospes.isa.riscv.priv import reset
from hospes.isa.riscv.profile import RV64
from hospes.memory.space import RAM_BASE, Memory

DATA = RAM_BASE + 0x8_0000
BASE_REGISTER = 8
LOOP_REGISTER = 30
MEMORY = {"ld", "lw", "lwu", "lh", "lhu", "lb", "lbu", "sd", "sw", "sh", "sb", "fld", "fsd"}
BRANCHES = {"beq", "bne", "blt", "bge", "bltu", "bgeu"}
JUMPS = {"jal", "jalr"}


def run(make: Callable[[Memory], Engine], code: bytes, budget: int) -> tuple[object, ...]:
    """The end of a program in M-mode: exit, registers, instructions retired, data."""
    memory = Memory(1 << 20)
    memory.write(RAM_BASE, code)
    hart = Hart()
    hart.port = ReferencePort(hart, memory, None, InstructionTimebase())
    reset(hart)
    values = random.Random(len(code))
    for number in range(1, 32):
        hart.x[number] = values.getrandbits(64)
    hart.x[BASE_REGISTER], hart.x[2], hart.x[LOOP_REGISTER] = DATA, DATA + 256, 3
    hart.pc, hart.fs = RAM_BASE, 3
    reason = make(memory).run(hart, budget)
    return reason, hart.pc, hart.instret, list(hart.x)[:32], memory.read(DATA, 4096)


def encodings(name: str, length: int) -> list[Insn]:
    return [i for i in RV64.insns if (i.function.__name__, i.length) == (name, length)]


def random_word(made: Insn, rng: random.Random) -> int | None:
    """A word of an encoding that reads and writes a few registers and keeps to the data."""
    name = made.function.__name__
    values = {}
    for field in made.fields:
        base = field.name.startswith("rs1") and name in MEMORY
        if field.name.startswith("r") and field.name != "rm":
            values[field.name] = BASE_REGISTER if base else rng.randint(9, 15)
        elif name in BRANCHES:
            values[field.name] = made.length
        else:
            values[field.name] = rng.randint(0, 7) * 8 if name in MEMORY else rng.randint(0, 31)
    try:
        return made.encode(values)
    except ValueError:
        return None


def random_program(seed: int) -> bytes:
    """Pairs in a random order, three times over, then wfi."""
    rng = random.Random(seed)
    code = b""
    while len(code) < 160:
        pair: Pair = rng.choice(pairs_of(PAIRS))
        for name, length in (pair.first, pair.second):
            word = None if name in JUMPS else random_word(rng.choice(encodings(name, length)), rng)
            if word is not None:
                code += word.to_bytes(length, "little")
    end = f"addi x30, x30, -1\nbnez x30, {RAM_BASE:#x}\nwfi"
    return code + RV64.assemble(end, RAM_BASE + len(code))


@pytest.mark.parametrize("seed", range(40))
def test_random_pairs_agree_with_the_reference(seed: int) -> None:
    code = random_program(seed)
    expected = run(ReferenceEngine, code, 5000)
    assert expected[0] is Exit.WFI
    assert run(ThreadedEngine, code, 5000) == expected


def test_every_pair_names_instructions() -> None:
    for pair in pairs_of(PAIRS):
        assert encodings(*pair.first)
        assert encodings(*pair.second)


@pytest.mark.parametrize("distance", range(0, 14, 2))
def test_an_op_before_a_changed_one_keeps_its_operands(distance: int) -> None:
    """Dropping a changed op also drops the ops that may be fused with it, but an op further ahead
    may be fused with one of those, and still executes by its operands."""
    filler = "c.add a0, a1\n" * (distance // 2)
    code = RV64.assemble(
        f"""
        li t3, 2
        la t0, changed
        la t1, other
        li a1, 1
        again:
        c.add a0, a1
        c.add a0, a1
        {filler}
        changed: c.addi a0, 1
        c.add a0, a1
        lhu t2, 0(t1)
        sh t2, 0(t0)
        fence.i
        addi t3, t3, -1
        bnez t3, again
        wfi
        other: c.addi a0, 16
        """,
        RAM_BASE,
    )
    assert run(ThreadedEngine, code, 1000) == run(ReferenceEngine, code, 1000)

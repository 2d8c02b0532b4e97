"""Random instruction words: the native decoder takes them for what the Python decoder takes them.

Each word runs once on the threaded and on the reference engine, from the same random registers. All
state must agree after it, so also whether it was legal, and which operands it had.
"""

from random import Random
from typing import Final

import pytest
from tests.oracle.groups import CASES
from tests.oracle.judges import FinisherBus
from tests.oracle.operands import held, integer

from hospes.base.ieee import BINARY32, BINARY64
from hospes.engine.lockstep import Lockstep, Side
from hospes.engine.reference import ReferenceEngine
from hospes.engine.threaded.engine import ThreadedEngine
from hospes.isa.riscv.encoding import MODE_M, MODE_S, MODE_U
from hospes.isa.riscv.hart import Hart
from hospes.isa.riscv.pmp import refresh_pmp
from hospes.isa.riscv.priv import refresh, reset
from hospes.isa.riscv.profile import RV64
from hospes.memory.space import RAM_BASE, Memory

MEMORY: Final = 1 << 18
HANDLER: Final = RAM_BASE
CODE: Final = RAM_BASE + 0x1000
CODE_BYTES: Final = 0x1_0000
DATA: Final = RAM_BASE + 0x2_0000
BREAK: Final = 0x9002
SPACING: Final = 6
"""Bytes from one word to the next: so some lie across a page's end."""
STATES: Final = 16
WIDE: Final = [made for made in RV64.insns if made.length == 4]


class Harts:
    """Both engines, and the states that words are started from."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.lockstep = Lockstep(self._side("threaded"), self._side("reference"))
        self.states = [self._state() for _ in range(STATES)]

    def _side(self, name: str) -> Side:
        memory = Memory(MEMORY)
        reference = ReferenceEngine(memory, FinisherBus())
        engine = ThreadedEngine(memory) if name == "threaded" else reference
        return Side(name, engine, Hart(), memory, reference.step)

    def _state(self) -> memoryview:
        """Registers with numbers, or addresses of data; a mode; counters open."""
        random, hart = self.random, Hart()
        reset(hart)
        for number in range(1, 32):
            hart.x[number] = random.choice((integer(random), DATA + random.randrange(0x1_0000)))
        for number in range(32):
            hart.f[number] = held(random, random.choice((BINARY32, BINARY64)))
        hart.mode = random.choice((MODE_M, MODE_M, MODE_S, MODE_U))
        hart.fs, hart.frm = random.randrange(4), random.randrange(8)
        hart.mtvec = HANDLER
        hart.stvec = HANDLER
        hart.mepc = hart.sepc = HANDLER
        hart.mcounteren = hart.scounteren = random.choice((0, 7))
        hart.pmpcfg[0], hart.pmpaddr[0] = 0x1F, (1 << 54) - 1
        self.lockstep.follower.engine.run(hart, 0)
        refresh_pmp(hart)
        refresh(hart)
        return memoryview(bytes(hart.words)).cast("Q")

    def place(self, words: list[int]) -> list[int]:
        """Fill the code with these words and breakpoints between; their addresses."""
        code = bytearray(BREAK.to_bytes(2, "little") * (CODE_BYTES // 2))
        places = [SPACING * number for number in range(len(words))]
        for place, word in zip(places, words, strict=True):
            size = 4 if word & 3 == 3 else 2
            code[place : place + size] = word.to_bytes(size, "little")
        for side in (self.lockstep.leader, self.lockstep.follower):
            side.memory.write(HANDLER, RV64.assemble("j ."))
            side.memory.write(CODE, code)
        return [CODE + place for place in places]

    def run(self, words: list[int]) -> None:
        """Run each word once, from a random state."""
        room = CODE_BYTES // SPACING - 1
        for start in range(0, len(words), room):
            batch = words[start : start + room]
            for word, place in zip(batch, self.place(batch), strict=True):
                state = self.random.choice(self.states)
                for side in (self.lockstep.leader, self.lockstep.follower):
                    side.hart.words[: len(state)] = state
                    side.hart.pc = place
                    side.hart.resync = 1
                difference = self.lockstep.run(1, 1)
                assert difference is None, f"{RV64.disassemble(word)} ({word:#x}): {difference}"


def near(random: Random) -> int:
    """A word of an instruction, or one with up to two bits flipped."""
    made = random.choice(WIDE)
    word = made.match | random.getrandbits(32) & ~made.mask
    for _ in range(random.randrange(3)):
        word ^= 1 << random.randrange(2, 32)
    return word


def words_of(seed: int, count: int) -> list[int]:
    """Compressed words, any wide words, and wide words near instructions."""
    random = Random(seed)
    words = []
    for number in range(count):
        if number % 4 == 0:
            word = random.getrandbits(16)
            words.append(word if word & 3 != 3 else word & ~1)
        else:
            words.append(near(random) if number % 4 < 3 else random.getrandbits(32) | 3)
    return words


def test_random_words() -> None:
    Harts(1).run(words_of(1, CASES * 40))


@pytest.mark.soak
def test_every_compressed_word() -> None:
    Harts(2).run([word for word in range(1 << 16) if word & 3 != 3])


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(10))
def test_many_random_words(seed: int) -> None:
    Harts(seed + 3).run(words_of(seed + 3, CASES * 100))

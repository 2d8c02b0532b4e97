"""The instructions that access devices, decoded apart from the others."""

import random

from hospes.isa.riscv.accesses import ACCESSES
from hospes.isa.riscv.profile import RV64
from hospes.machine.mmio import LOADS, STORES


def meaning(word: int, isa) -> tuple[str, object] | None:
    """What a word moves according to an instruction set."""
    decoded = isa.decode(word)
    if decoded is None or decoded.insn.function.__name__ not in {*LOADS, *STORES}:
        return None
    return decoded.insn.function.__name__, decoded.operands


def test_every_load_and_store_is_there() -> None:
    assert {*LOADS, *STORES} <= {insn.function.__name__ for insn in ACCESSES.insns}


def test_every_compressed_word_is_taken_for_the_same_access() -> None:
    for word in range(1 << 16):
        assert meaning(word, ACCESSES) == meaning(word, RV64), hex(word)


def test_other_words_are_taken_for_the_same_access() -> None:
    chance = random.Random(7)
    for opcode in (0x03, 0x23, 0x07, 0x27, 0x2F, 0x0F):
        for _ in range(3000):
            word = chance.getrandbits(25) << 7 | opcode
            assert meaning(word, ACCESSES) == meaning(word, RV64), hex(word)

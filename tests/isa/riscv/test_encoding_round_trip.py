"""Every instruction: decoded from random words, and assembled, disassembled, assembled again."""

import random

import pytest

from hospes.isa.insn import Insn
from hospes.isa.pattern import Field
from hospes.isa.riscv.hart import SINK
from hospes.isa.riscv.profile import RV64

PC = 0x8000_1000
CASES = 40
NAMES = [made.name for made in RV64.insns]
LOST_IN_TEXT = {"c.nop": {"imm"}, "fence": {"fm", "rs1", "rd"}, "fence.i": {"imm", "rs1", "rd"}}
"""Fields without effect that the assembly syntax has no place for."""
FORMS_OF_RM = set(range(8)) - {5, 6}


def test_names_are_unique() -> None:
    assert len(set(NAMES)) == len(NAMES)


def random_word(made: Insn, rng: random.Random) -> int:
    """A word that is this instruction, with edge values more often than chance gives them."""
    while True:
        word = made.match
        for field in made.fields:
            ones = field.insert_raw((1 << field.width) - 1)
            word |= rng.choice([0, ones, rng.getrandbits(32) & ones, rng.getrandbits(32) & ones])
        found = RV64.find(word)
        if found is made:
            return word
        assert found is not None or made.where, f"{word:#x} should be {made.name}"


def expected(field: Field | int, word: int) -> int:
    """The value of an operand, by a route of its own: bit by bit."""
    if isinstance(field, int):
        return field
    value, top = 0, 0
    for insn_lo, width, value_lo in field.pieces:
        for bit in range(width):
            value += (word >> insn_lo + bit & 1) * 2 ** (value_lo + bit)
            top = max(top, value_lo + bit)
    if field.signed and value >= 2**top:
        value -= 2 ** (top + 1)
    return value + field.add


@pytest.mark.parametrize("made", RV64.insns, ids=NAMES)
def test_decode(made: Insn) -> None:
    rng = random.Random(made.name)
    for _ in range(CASES):
        word = random_word(made, rng)
        decoded = RV64.decode(word)
        assert decoded is not None
        assert decoded.insn is made
        for (name, source), value in zip(made.operands, decoded.operands, strict=True):
            wanted = expected(source, word)
            if name == "rd" and made.integer_destination and wanted == 0:
                wanted = SINK
            assert value == wanted, (hex(word), name)


@pytest.mark.parametrize("made", RV64.insns, ids=NAMES)
def test_text_round_trip(made: Insn) -> None:
    rng = random.Random(made.name)
    lost = LOST_IN_TEXT.get(made.name, set())
    for _ in range(CASES):
        word = random_word(made, rng)
        values = {field.name: field.extract(word) for field in made.fields}
        if values.get("rm", 7) not in FORMS_OF_RM:
            continue
        canonical = made.encode({k: v for k, v in values.items() if k not in lost})
        text = RV64.disassemble(canonical, PC)
        code = RV64.assemble(text, PC)
        assert int.from_bytes(code, "little") == canonical, text
        assert len(code) == made.length
        assert RV64.disassemble(canonical, PC) == text


def test_illegal_words_are_data() -> None:
    assert RV64.disassemble(0xFFFF_FFFF) == ".word 0xffffffff"
    assert RV64.disassemble(0) == ".half 0x0000"

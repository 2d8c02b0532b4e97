"""Random words of one instruction, and which registers they use."""

from collections.abc import Set
from random import Random
from typing import NamedTuple

from hospes.isa.insn import DECLARED, Insn
from hospes.isa.pattern import Field
from hospes.isa.riscv.hart import SINK

SOURCES = ("rs1", "rs2", "rs3")


class Registers(NamedTuple):
    """The registers of one word: sources in the order of rs1, rs2, rs3, and the destination.

    A register is (number, whether it is a float register); an operand that is absent is None.
    """

    sources: tuple[tuple[int, bool] | None, ...]
    destination: tuple[int, bool] | None

    @property
    def integers(self) -> set[int]:
        """Numbers of the integer registers among them."""
        used = [*self.sources, self.destination]
        return {number for number, is_float in filter(None, used) if not is_float}


def is_float(made: Insn, name: str) -> bool:
    """Whether an operand of the semantics is a float register."""
    base: Insn = getattr(made.function, DECLARED)[0]
    return f"{{{name}:f}}" in base.syntax


def registers_of(made: Insn, word: int) -> Registers:
    """What a word reads and writes, compressed ones as what they stand for."""
    values = dict(zip((name for name, _ in made.operands), made.arguments(word), strict=True))
    sources = tuple(
        (values[name], is_float(made, name)) if name in values else None for name in SOURCES
    )
    destination = None
    if "rd" in values:
        number = 0 if values["rd"] == SINK and made.integer_destination else values["rd"]
        destination = (number, not made.integer_destination)
    return Registers(sources, destination)


def field_value(random: Random, field: Field) -> int:
    """Raw bits for a field, its edges more often than chance gives them."""
    ones = field.insert_raw((1 << field.width) - 1)
    if field.name == "rm":
        rm = random.choice((7, 7, 7, 0, 1, 2, 3, 4, 7, random.randrange(8)))
        return field.insert_raw(rm)
    if field.name.startswith(("rd", "rs")):
        return random.getrandbits(32) & ones
    choice = random.randrange(6)
    if choice == 0:
        return 0
    if choice == 1:
        return ones
    if choice == 2:
        return field.insert_raw(1 << random.randrange(field.width))
    return random.getrandbits(32) & ones


def random_word(made: Insn, random: Random, avoid: Set[int]) -> int:
    """A word of the instruction that keeps off some integer registers."""
    while True:
        word = made.match
        for field in made.fields:
            word |= field_value(random, field)
        word |= random.getrandbits(32) & _free_bits(made)
        if made.fits(word) and not registers_of(made, word).integers & avoid:
            return word


def _free_bits(made: Insn) -> int:
    """Bits that the pattern leaves open and no field has."""
    used = made.mask
    for field in made.fields:
        used |= field.mask
    return ((1 << 8 * made.length) - 1) & ~used


def same_registers(made: Insn, random: Random, avoid: Set[int]) -> int:
    """A word that has one register in as many places as it can."""
    plain = [f for f in made.fields if f.name.startswith(("rd", "rs")) and f.width == 5]
    while True:
        word = random_word(made, random, avoid)
        number = random.choice([n for n in range(32) if n not in avoid])
        for field in plain:
            word = word & ~field.mask | field.insert_raw(number)
        if made.fits(word) and not registers_of(made, word).integers & avoid:
            return word


def random_words(made: Insn, random: Random, count: int, avoid: Set[int]) -> list[int]:
    """So many words, some of them with equal registers."""
    makers = (random_word, random_word, random_word, same_registers)
    return [makers[number % 4](made, random, avoid) for number in range(count)]

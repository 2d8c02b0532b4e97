"""Bit patterns of instructions: their text, the fields in them, and conditions on those fields.

A pattern reads from the most significant bit down, tokens separated by blanks: fixed bits (`0`,
`1`, `.` for either), a field of standard width (`rs1`), or pieces of a field's value with explicit
bit numbers (`imm[12|10:5]`), which several tokens may share. Bits of the value that no piece
gives are zero, so `imm[12:1]` is an even number. A field called `imm` is sign-extended from its
highest bit; every other field is unsigned. A prime marks a three-bit register, x8 to x15.
"""

import re
from dataclasses import dataclass
from typing import Final, NamedTuple

STANDARD_WIDTHS: Final = {
    "rd": 5, "rs1": 5, "rs2": 5, "rs3": 5, "rd'": 3, "rs1'": 3, "rs2'": 3,
    "rm": 3, "csr": 12, "shamt": 6, "shamtw": 5, "uimm": 5,
    "aq": 1, "rl": 1, "pred": 4, "succ": 4, "fm": 4,
}  # fmt: skip
FIRST_COMPRESSED_REGISTER: Final = 8

FIXED_BITS = re.compile(r"[01.]+")
FIELD = re.compile(r"([a-z][a-z0-9]*'?)(?:\[([0-9:|]+)\])?")
CONDITION = re.compile(r"([a-z][a-z0-9]*'?) *(==|!=) *(0x[0-9a-fA-F]+|\d+)")


class Piece(NamedTuple):
    """`width` bits of a field: from bit `insn_lo` of the instruction to bit `value_lo`."""

    insn_lo: int
    width: int
    value_lo: int


class Condition(NamedTuple):
    """The raw value of `field` (assembled, before sign extension and `add`) against a constant."""

    field: str
    operator: str
    value: int


@dataclass(frozen=True)
class Field:
    """A number in an instruction word; `add` is 8 for the three-bit registers."""

    name: str
    pieces: tuple[Piece, ...]
    signed: bool = False
    add: int = 0

    @property
    def width(self) -> int:
        """Bits of the raw value, implicit low zeros included."""
        return max(piece.value_lo + piece.width for piece in self.pieces)

    @property
    def low(self) -> int:
        """The smallest value."""
        return self.add - (1 << self.width - 1 if self.signed else 0)

    @property
    def high(self) -> int:
        """The largest value."""
        ones = sum((1 << width) - 1 << value_lo for _, width, value_lo in self.pieces)
        return self.add + (ones & ~(1 << self.width - 1) if self.signed else ones)

    @property
    def mask(self) -> int:
        """The instruction bits that belong to this field."""
        return self.insert_raw((1 << self.width) - 1)

    def raw(self, word: int) -> int:
        """The assembled value, before sign extension and `add`."""
        value = 0
        for insn_lo, width, value_lo in self.pieces:
            value |= (word >> insn_lo & (1 << width) - 1) << value_lo
        return value

    def extract(self, word: int) -> int:
        """The value in an instruction word; negative for a signed field with its top bit set."""
        value = self.raw(word)
        if self.signed and value >> self.width - 1:
            value -= 1 << self.width
        return value + self.add

    def insert_raw(self, raw: int) -> int:
        """The instruction bits that hold a raw value."""
        word = 0
        for insn_lo, width, value_lo in self.pieces:
            word |= (raw >> value_lo & (1 << width) - 1) << insn_lo
        return word

    def insert(self, value: int) -> int:
        """The instruction bits that hold a value; ValueError if the field cannot hold it."""
        word = self.insert_raw(value - self.add)
        if self.extract(word) != value:
            raise ValueError(f"{value:#x} does not fit {self.name} ({self.low} to {self.high})")
        return word


@dataclass(frozen=True)
class Pattern:
    """A parsed pattern: a word fits if `word & mask == match` and every condition holds."""

    text: str
    bits: int
    mask: int
    match: int
    fields: tuple[Field, ...]


def parse_pattern(text: str) -> Pattern:
    """Read a pattern of 16 or 32 bits; ValueError tells what is wrong with it."""
    tokens = [(token, _token_pieces(token)) for token in text.split()]
    bits = sum(width for _, (_, pieces) in tokens for width, _ in pieces)
    if bits not in (16, 32):
        raise ValueError(f"pattern '{text}' has {bits} bits instead of 16 or 32")
    mask = match = 0
    position = bits
    pieces_of: dict[str, list[Piece]] = {}
    for token, (name, pieces) in tokens:
        for width, value_lo in pieces:
            position -= width
            if name:
                pieces_of.setdefault(name, []).append(Piece(position, width, value_lo))
            else:
                mask |= _bits(token, "01") << position
                match |= _bits(token, "1") << position
    fields = tuple(_field(text, name, tuple(pieces)) for name, pieces in pieces_of.items())
    return Pattern(text, bits, mask, match, fields)


def parse_conditions(text: str, fields: tuple[Field, ...]) -> tuple[Condition, ...]:
    """Read `field != constant and …`; only `==` and `!=` against constants, joined by `and`."""
    conditions = []
    for term in text.split(" and ") if text else []:
        found = CONDITION.fullmatch(term.strip())
        if found is None or found[1] not in {field.name for field in fields}:
            raise ValueError(f"'{term}' is not a comparison of a field with a constant")
        conditions.append(Condition(found[1], found[2], int(found[3], 0)))
    return tuple(conditions)


def _token_pieces(token: str) -> tuple[str, list[tuple[int, int]]]:
    """A token's field name ('' for fixed bits) and its (width, value_lo) from the top down."""
    if FIXED_BITS.fullmatch(token):
        return "", [(len(token), 0)]
    found = FIELD.fullmatch(token)
    if found is None:
        raise ValueError(f"'{token}' is neither bits nor a field")
    name, ranges = found.groups()
    if ranges is None:
        if name not in STANDARD_WIDTHS:
            raise ValueError(f"field '{name}' needs explicit bits")
        return name, [(STANDARD_WIDTHS[name], 0)]
    pieces = []
    for part in ranges.split("|"):
        high, _, low = part.partition(":")
        pieces.append((int(high) - int(low or high) + 1, int(low or high)))
    return name, pieces


def _field(text: str, name: str, pieces: tuple[Piece, ...]) -> Field:
    value_bits = [piece.value_lo + bit for piece in pieces for bit in range(piece.width)]
    if len(value_bits) != len(set(value_bits)):
        raise ValueError(f"pattern '{text}' gives a bit of {name} twice")
    add = FIRST_COMPRESSED_REGISTER if name.endswith("'") else 0
    return Field(name, pieces, signed=name == "imm", add=add)


def _bits(token: str, ones: str) -> int:
    return int("".join("1" if bit in ones else "0" for bit in token), 2)

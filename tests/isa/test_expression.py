"""Expressions in assembly operands."""

import pytest

from hospes.isa.expression import evaluate

SYMBOLS = {"start": 0x8000_0000, ".": 0x10, "a.b$c": 3, "1f": 5, "0b": 6}


def value(text: str) -> int:
    return evaluate(text, SYMBOLS.__getitem__, lambda name, value: {"hi": value >> 12}[name])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", 0),
        ("-7", -7),
        ("0x1F", 31),
        ("0b101", 5),
        ("1_000", 1000),
        ("1 + 2*3", 7),
        ("(1 + 2)*3", 9),
        ("10 - 3 - 2", 5),
        ("1 << 4 | 1", 17),
        ("0xff & ~0xf", 0xF0),
        ("6 ^ 3", 5),
        ("7 / 2 + 7 % 4", 6),
        ("- -3", 3),
        ("256 >> 2 >> 2", 16),
        ("'a'", 97),
        (r"'\n'", 10),
        ("start + 4", 0x8000_0004),
        (". + a.b$c", 0x13),
        ("1f - 0b", -1),
        ("%hi(start + 0x1000) + 1", 0x8_0002),
    ],
)
def test_values(text: str, expected: int) -> None:
    assert value(text) == expected


@pytest.mark.parametrize("text", ["", "1 +", "(1", "1 2", ")", "%hi start", "* 3", "$$ !"])
def test_no_expressions(text: str) -> None:
    with pytest.raises((ValueError, LookupError)):
        value(text)


def test_unknown_names_and_division_by_zero() -> None:
    with pytest.raises(LookupError, match="nowhere"):
        value("nowhere + 1")
    with pytest.raises(ValueError, match="divides by zero"):
        value("1 / (2 - 2)")

"""M against the exact arithmetic of Python integers and fractions, on all pairs of edges."""

from collections.abc import Callable
from fractions import Fraction
from math import trunc

import pytest
from tests.isa.riscv.plain_hart import EDGES, result, sext

from hospes.base.bits import U64_MAX, s32, s64, u32


def quotient(a: int, b: int) -> int:
    return -1 if b == 0 else trunc(Fraction(a, b))


def remainder(a: int, b: int) -> int:
    return a if b == 0 else a - b * trunc(Fraction(a, b))


EXPECTED: dict[str, Callable[[int, int], int]] = {
    "mul": lambda a, b: a * b,
    "mulh": lambda a, b: s64(a) * s64(b) >> 64,
    "mulhsu": lambda a, b: s64(a) * b >> 64,
    "mulhu": lambda a, b: a * b >> 64,
    "mulw": lambda a, b: sext(a * b),
    "div": lambda a, b: quotient(s64(a), s64(b)),
    "divu": quotient,
    "rem": lambda a, b: remainder(s64(a), s64(b)),
    "remu": remainder,
    "divw": lambda a, b: sext(quotient(s32(a), s32(b))),
    "divuw": lambda a, b: sext(quotient(u32(a), u32(b))),
    "remw": lambda a, b: sext(remainder(s32(a), s32(b))),
    "remuw": lambda a, b: sext(remainder(u32(a), u32(b))),
}


@pytest.mark.parametrize("mnemonic", EXPECTED)
def test_all_pairs_of_edges(mnemonic: str) -> None:
    for a in EDGES:
        for b in EDGES:
            got = result(f"{mnemonic} a0, a1, a2", a, b)
            assert got == EXPECTED[mnemonic](a, b) & U64_MAX, (hex(a), hex(b))


@pytest.mark.parametrize(
    ("mnemonic", "a", "b", "expected"),
    [
        ("div", 1 << 63, U64_MAX, 1 << 63),
        ("rem", 1 << 63, U64_MAX, 0),
        ("div", 5, 0, U64_MAX),
        ("divu", 5, 0, U64_MAX),
        ("rem", U64_MAX - 4, 0, U64_MAX - 4),
        ("divw", 0x8000_0000, U64_MAX, 0xFFFF_FFFF_8000_0000),
        ("remw", 0x8000_0000, U64_MAX, 0),
        ("remuw", 0x8000_0000, 0, 0xFFFF_FFFF_8000_0000),
    ],
)
def test_table_of_the_specification(mnemonic: str, a: int, b: int, expected: int) -> None:
    """Unprivileged ISA, section 13.2: division by zero and overflow."""
    assert result(f"{mnemonic} a0, a1, a2", a, b) == expected

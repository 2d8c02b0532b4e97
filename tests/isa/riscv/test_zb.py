"""Zba, Zbb, Zbs and Zicond against definitions over lists of bits, on edges and random operands."""

import random
from collections.abc import Callable

import pytest
from tests.isa.riscv.plain_hart import EDGES, result, sext

from hospes.base.bits import U64_MAX, s64

RANDOM = random.Random(3)
VALUES = (*EDGES, *(RANDOM.getrandbits(64) for _ in range(8)))


def bits(value: int, width: int = 64) -> str:
    """The bits from the highest down."""
    return format(value & (1 << width) - 1, f"0{width}b")


def turned(value: int, left: int, width: int) -> int:
    text = bits(value, width)
    left %= width
    return int(text[left:] + text[:left], 2)


def changed(value: int, number: int, digit: str) -> int:
    text = bits(value)
    at = 63 - number % 64
    flipped = str(1 - int(text[at]))
    return int(text[:at] + (digit or flipped) + text[at + 1 :], 2)


def leading_zeros(text: str) -> int:
    return len(text) - len(text.lstrip("0"))


def byte_list(value: int) -> list[int]:
    return list(value.to_bytes(8, "little"))


TWO: dict[str, Callable[[int, int], int]] = {
    "sh1add": lambda a, b: b + 2 * a,
    "sh2add": lambda a, b: b + 4 * a,
    "sh3add": lambda a, b: b + 8 * a,
    "add.uw": lambda a, b: b + a % 2**32,
    "sh1add.uw": lambda a, b: b + 2 * (a % 2**32),
    "sh2add.uw": lambda a, b: b + 4 * (a % 2**32),
    "sh3add.uw": lambda a, b: b + 8 * (a % 2**32),
    "andn": lambda a, b: a & (U64_MAX - b),
    "orn": lambda a, b: a | (U64_MAX - b),
    "xnor": lambda a, b: U64_MAX - (a ^ b),
    "max": lambda a, b: max(s64(a), s64(b)),
    "maxu": max,
    "min": lambda a, b: min(s64(a), s64(b)),
    "minu": min,
    "rol": lambda a, b: turned(a, b, 64),
    "ror": lambda a, b: turned(a, -b, 64),
    "rolw": lambda a, b: sext(turned(a, b, 32)),
    "rorw": lambda a, b: sext(turned(a, -b, 32)),
    "bclr": lambda a, b: changed(a, b, "0"),
    "bset": lambda a, b: changed(a, b, "1"),
    "binv": lambda a, b: changed(a, b, ""),
    "bext": lambda a, b: int(bits(a)[63 - b % 64]),
    "czero.eqz": lambda a, b: a if b else 0,
    "czero.nez": lambda a, b: 0 if b else a,
}
ONE: dict[str, Callable[[int], int]] = {
    "clz": lambda a: leading_zeros(bits(a)),
    "clzw": lambda a: leading_zeros(bits(a, 32)),
    "ctz": lambda a: leading_zeros(bits(a)[::-1]),
    "ctzw": lambda a: leading_zeros(bits(a, 32)[::-1]),
    "cpop": lambda a: bits(a).count("1"),
    "cpopw": lambda a: bits(a, 32).count("1"),
    "sext.b": lambda a: int.from_bytes(a.to_bytes(8, "little")[:1], "little", signed=True),
    "sext.h": lambda a: int.from_bytes(a.to_bytes(8, "little")[:2], "little", signed=True),
    "zext.h": lambda a: a % 2**16,
    "orc.b": lambda a: int.from_bytes(255 if byte else 0 for byte in byte_list(a)[::-1]),
    "rev8": lambda a: int.from_bytes(byte_list(a)),
}
CONSTANT: dict[str, tuple[int, Callable[[int, int], int]]] = {
    "slli.uw": (64, lambda a, n: a % 2**32 * 2**n),
    "rori": (64, TWO["ror"]),
    "roriw": (32, TWO["rorw"]),
    "bclri": (64, TWO["bclr"]),
    "bseti": (64, TWO["bset"]),
    "binvi": (64, TWO["binv"]),
    "bexti": (64, TWO["bext"]),
}


@pytest.mark.parametrize("mnemonic", TWO)
def test_two_registers(mnemonic: str) -> None:
    for a in VALUES:
        for b in VALUES:
            got = result(f"{mnemonic} a0, a1, a2", a, b)
            assert got == TWO[mnemonic](a, b) & U64_MAX, (hex(a), hex(b))


@pytest.mark.parametrize("mnemonic", ONE)
def test_one_register(mnemonic: str) -> None:
    for a in VALUES:
        assert result(f"{mnemonic} a0, a1", a) == ONE[mnemonic](a) & U64_MAX, hex(a)


@pytest.mark.parametrize("mnemonic", CONSTANT)
def test_a_constant(mnemonic: str) -> None:
    width, expected = CONSTANT[mnemonic]
    for a in VALUES:
        for n in range(width):
            assert result(f"{mnemonic} a0, a1, {n}", a) == expected(a, n) & U64_MAX, (hex(a), n)

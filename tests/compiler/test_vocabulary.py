"""Each word of base/bits natively: what Python says for random and edge operands; its refusals."""

import random
from collections.abc import Callable

import pytest
from tests.compiler.compiled import Subject

from hospes.base import bits
from hospes.base.bits import S64_MIN, U64_MAX
from hospes.compiler.vocabulary import BITS

Make = Callable[[str], Subject]
CASES = 400
EDGES = (
    0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF,
    1 << 32, (1 << 63) - 1, 1 << 63, (1 << 63) + 1, U64_MAX - 1, U64_MAX,
)  # fmt: skip

CALLS = {
    **{f"u{width}": f"u{width}({{}})" for width in (8, 16, 32, 64)},
    **{f"s{width}": f"s{width}({{}})" for width in (8, 16, 32, 64)},
    "sdiv": "sdiv(s64({}), s64({}))",
    "srem": "srem(s64({}), s64({}))",
    "udiv": "udiv({}, {})",
    "urem": "urem({}, {})",
    "umulh": "umulh({}, {})",
    "smulh": "smulh(s64({}), s64({}))",
    "clz64": "clz64({})",
    "ctz64": "ctz64({})",
    "popcount64": "popcount64({})",
    "bswap64": "bswap64({})",
    "rotl64": "rotl64({}, {} & 63)",
    "rotl32": "rotl32(u32({}), {} & 31)",
    "min": "min({}, {})",
    "max": "max(s64({}), s64({}))",
}


def operands(count: int) -> list[tuple[int, ...]]:
    """Every pair of edges, then numbers of random lengths."""
    numbers = random.Random(1)
    pairs = [(a, b) for a in EDGES for b in EDGES]
    pairs += [
        (numbers.getrandbits(numbers.randint(1, 64)), numbers.getrandbits(numbers.randint(1, 64)))
        for _ in range(CASES)
    ]
    return [pair[:count] for pair in pairs]


def test_every_word_is_tried() -> None:
    words = {name for name, word in vars(bits).items() if callable(word) and word in BITS}
    assert {word.__name__ for word in BITS} == set(CALLS)
    assert words == set(CALLS) - {"min", "max"}


@pytest.mark.parametrize("name", CALLS)
def test_word(subject: Make, name: str) -> None:
    call = CALLS[name]
    count = call.count("{}")
    parameters = ["a", "b"][:count]
    made = subject(f"def f(h, {', '.join(parameters)}):\n    return {call.format(*parameters)}\n")
    run = made.compile("f")
    divides = name in {"sdiv", "srem", "udiv", "urem"}
    for values in operands(count):
        overflows = name in {"sdiv", "srem"} and values == (S64_MIN & U64_MAX, U64_MAX)
        if not (divides and values[1] == 0) and not overflows:
            assert run(*values) == made.python("f", *values), values


WIDE = ("u8", "u16", "u32", "u64", "s8", "s16", "s32", "s64")


@pytest.mark.parametrize("name", WIDE)
def test_a_wrap_takes_any_number(subject: Make, name: str) -> None:
    made = subject(f"""
def f(h, a, b):
    h.x[0] = {name}(a * b - (a << 7))
    h.x[1] = {name}(-a)
    h.x[2] = {name}(HUGE - 3)
    h.x[3] = {name}(-HUGE + 200)
    h.x[4] = {name}(NEGATIVE)
    h.x[5] = {name}(a & 0x55)
""")
    run = made.compile("f")
    for values in operands(2):
        assert run(*values) == made.python("f", *values), values


REFUSED = {
    "clz64(s64(a))": "this operand must lie in 0..18446744073709551615; wrap or mask it",
    "ctz64(-1)": "this operand must lie in 0..18446744073709551615",
    "popcount64(s8(a))": "this operand must lie in 0..18446744073709551615",
    "bswap64(s64(a))": "this operand must lie in 0..18446744073709551615",
    "umulh(s64(a), b)": "this operand must lie in 0..18446744073709551615",
    "udiv(a, s64(b))": "this operand must lie in 0..18446744073709551615",
    "sdiv(a, s64(b))": "this operand must lie in -9223372036854775808..9223372036854775807",
    "smulh(s64(a), b)": "this operand must lie in -9223372036854775808..9223372036854775807",
    "rotl64(a, b)": "this operand must lie in 0..63",
    "rotl32(a, 3)": "this operand must lie in 0..4294967295",
    "rotl32(u32(a), 32)": "this operand must lie in 0..31",
    "udiv(a + b, b)": "a value that may leave 64 bits is an operand",
    "min(a + 1, b)": "a value that may leave 64 bits is compared",
    "max(s64(a), b)": "a signed value is compared with an unsigned one",
}


@pytest.mark.parametrize("call", REFUSED)
def test_refusal(subject: Make, call: str) -> None:
    made = subject(f"def f(h, a, b):\n    return {call}  # here\n")
    assert made.refusal().startswith(REFUSED[call])


def test_ranges_of_results_are_known(subject: Make) -> None:
    """What a word returns is narrow enough to shift by, index with, or add without wrapping."""
    made = subject("""
def f(h, a, b):
    h.x[clz64(a) & 7] = u64(a << (ctz64(a) & 63))
    return s64(popcount64(a) + clz64(b) + u8(a) + s8(b)) + u16(a) * u32(b)
""")
    run = made.compile("f")
    for values in operands(2):
        assert run(*values) == made.python("f", *values)

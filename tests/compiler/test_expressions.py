"""Every form of expression: its value natively and in Python, and when it is refused."""

import re
from collections.abc import Callable

import pytest
from tests.compiler.compiled import Subject

from hospes.base.bits import U64_MAX

Make = Callable[[str], Subject]
EDGES = (0, 1, 2, 63, 64, 0x7F, 0xFF, 1 << 31, 1 << 32, (1 << 63) - 1, 1 << 63, U64_MAX)

VALUES = (
    "u64(a + b)", "u64(a - b)", "u64(a * b)", "a & b", "a | b", "a ^ b", "u64(~a)", "u64(-a)",
    "u64(a << (b & 63))", "a >> (b & 63)", "s64(a) >> (b & 63)", "u32(a) - u32(b)",
    "u64(a + b * 3 - 7)", "u64((a << 3) + (b << 5))", "s64(a) & s64(b)", "s64(a) | s64(b)",
    "s64(a) ^ s64(b)", "s64(a) & 0xFF", "u64(s64(a) ^ b)", "~s64(a)", "u64(a + HUGE)",
    "a == b", "a != b", "a < b", "a <= b", "a > b", "a >= b", "s64(a) < s64(b)",
    "s64(a) >= s64(b)", "s64(a) == -1", "u8(a) < 256", "u8(a) > 255", "u8(a) == 300",
    "not a", "not a == b", "a == 0 and b == 0", "a == 0 or b == 0", "(a < b) + (b < a)",
    "a if a < b else b", "s64(a) if a < b else 5", "-1 if a else 1",
    "1 if a and b else 2", "1 if a or b else 2", "3 if not (a and b or b) else 4",
    "BIG", "NEGATIVE", "Colour.BLUE", "u64(a + Colour.RED)", "True", "u64(a + True)",
    "h.a", "h.x[3]", "h.x[a & 7]", "u64(h.x[a & 7] + h.x[b & 7])", "s8(a)", "u16(a)",
    "1 << 63", "u64(HUGE - 1)", "-(1 << 63)", "~0", "u64(-1)", "min(a, b)", "max(s8(a), s8(b))",
    "a == 0 and b == 0 or a == b", "u64((a == b) << 4)", "7 if u8(a) < 256 else 1 // 0",
)  # fmt: skip


@pytest.mark.parametrize("value", VALUES)
def test_value(subject: Make, value: str) -> None:
    made = subject(f"def f(h, a, b):\n    return {value}\n")
    run = made.compile("f")
    for a in EDGES:
        for b in EDGES:
            assert run(a, b, a=7, b=9) == made.python("f", a, b, a=7, b=9), (a, b)


REFUSED = {
    "(a + b) >> 1": "a value that may leave 64 bits is shifted right; wrap it",
    "a + b": "a value that may leave 64 bits is returned; wrap it",
    "a - b": "a value that may leave 64 bits is returned",
    "-a": "a value that may leave 64 bits is returned",
    "a << 1": "a value that may leave 64 bits is returned",
    "a * b == 3": "a value that may leave 64 bits is compared",
    "s64(a) ^ b": "a value that may leave 64 bits is returned",
    "h.x[a + b]": "a value that may leave 64 bits is used as an index",
    "clz64(a + b)": "a value that may leave 64 bits is an operand",
    "a >> b": r"a shift amount must lie in 0\.\.63; mask it with & 63",
    "u64(a << 64)": "a shift amount must lie in 0..63",
    "a >> s8(b)": "a shift amount must lie in 0..63",
    "u64(a << -1)": "a shift amount must lie in 0..63",
    "s64(a) < b": "a signed value is compared with an unsigned one; make both s64 or u64",
    "s64(a) == BIG << 23": "a signed value is compared with an unsigned one",
    "a < b < 3": "only a single == != < <= > >= is part of the subset",
    "a is b": "only a single == != < <= > >= is part of the subset",
    "a in (1, 2)": "only a single == != < <= > >= is part of the subset",
    "a // b": "use sdiv, udiv, srem or urem; / // % \\*\\* are not part of the subset",
    "a % b": "use sdiv, udiv, srem or urem",
    "a ** 2": "use sdiv, udiv, srem or urem",
    "a / b": "use sdiv, udiv, srem or urem",
    "+a": r"unary \+ is not part of the subset",
    "+5": r"unary \+ is not part of the subset",
    "a and b": "`and`/`or` of numbers is a test, not a value; compare each first",
    "1 if a else (a == 1 and (b or a))": "`and`/`or` of numbers is a test, not a value",
    "[a]": "List is not part of the subset",
    "(a, b)": "Tuple is not part of the subset",
    "{}": "Dict is not part of the subset",
    "lambda: a": "Lambda is not part of the subset",
    "f'{a}'": "JoinedStr is not part of the subset",
    "(a := b)": "NamedExpr is not part of the subset",
    "1.5": "Constant is not part of the subset",
    "'text'": "Constant is not part of the subset",
    "None": "Constant is not part of the subset",
    "TEXT": "TEXT is neither a local variable nor an integer constant",
    "missing": "missing is neither a local variable nor an integer constant",
    "h": "h is neither a local variable nor an integer constant",
    "h.missing": "State has no field missing",
    "Colour.GREEN": "Colour.GREEN is not a field of the state or a constant",
    "a.b": "a.b is not a field of the state or a constant",
    "h.x": "x is an array",
    "h.a[0]": "a is one word",
    "h.x[a]": r"an index of x must lie in 0\.\.7; mask it",
    "h.x[8]": r"an index of x must lie in 0\.\.7",
    "h.x[-1]": r"an index of x must lie in 0\.\.7",
    "h.x[0:2]": "Slice is not part of the subset",
    "a[0]": "only an array field of the state can be indexed",
    "Colour.RED[0]": "Colour.RED is not an array field of the state",
    "*a,": "Tuple is not part of the subset",
}


@pytest.mark.parametrize("value", REFUSED)
def test_refusal(subject: Make, value: str) -> None:
    made = subject(f"def f(h, a, b):\n    c = 1\n    return {value}  # here\n")
    refusal = made.refusal()
    assert re.match(REFUSED[value], refusal), refusal


def test_the_line_is_that_of_the_operand(subject: Make) -> None:
    made = subject(
        "def f(h, a, b):\n    return u64(\n        1 +\n        (a >> b)  # here\n    )\n"
    )
    assert "shift amount" in made.refusal()


@pytest.mark.parametrize(("word", "stop"), [("and", 0), ("or", 1)])
def test_later_operands_run_only_when_they_decide(subject: Make, word: str, stop: int) -> None:
    text = f"""
def count(h, value):
    h.a = h.a + 1
    return value
def f(h, a, b):
    return count(h, a) == 1 {word} count(h, b) == 1 {word} count(h, a) == 1
"""
    made = subject(text)
    run = made.compile("f")
    for a in (0, 1):
        for b in (0, 1):
            assert run(a, b) == made.python("f", a, b)
    assert run(stop, 1 - stop).fields[-2] == 1


def test_only_the_chosen_branch_runs(subject: Make) -> None:
    text = """
def touch(h, value):
    h.a = value
    return value
def f(h, a):
    return touch(h, 1) if a else touch(h, 2)
"""
    made = subject(text)
    run = made.compile("f")
    assert [run(a).fields[-2] for a in (0, 1)] == [2, 1]

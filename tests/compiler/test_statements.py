"""Every form of statement: what it does natively and in Python, and when it is refused."""

import itertools
import re
import textwrap
from collections.abc import Callable

import pytest
from tests.compiler.compiled import Subject

from hospes.base.bits import U64_MAX

Make = Callable[[str], Subject]
EDGES = (0, 1, 2, 3, 7, 12, 1 << 31, 1 << 63, U64_MAX)

BODIES = {
    "tuple assignment swaps": """
        c, d = a, b
        c, d = d, c
        h.x[0], h.a = c, d
        return u64(c * 3 + d)
        """,
    "augmented assignment": """
        c = a
        c &= 0xFFFF
        c |= 1
        c ^= b & 0xFF
        c >>= 1
        h.a += c
        h.b -= 1
        h.b <<= 3
        h.x[1] *= b
        h.x[b & 7] ^= a
        return c
        """,
    "a parameter is assigned": """
        a = u64(a + 1)
        if b > a:
            a = b
        return a
        """,
    "annotated assignment": """
        c: int = u64(a + b)
        return c
        """,
    "if, elif, else": """
        if a == 0:
            c = 1
        elif a == 1:
            c = 2
        elif a < 4:
            return 77
        else:
            c = 4
        return c
        """,
    "a test known while compiling": """
        if BIG == 0:
            return missing
        if True:
            c = 5
        else:
            return missing
        return c
        """,
    "a return decided while compiling": """
        n = 0
        while n < 10:
            if n == 0:
                return 5
            n = u64(n + 1)
        return 6
        """,
    "what follows a decided return is not reached": """
        if BIG:
            return 5
        h.a = 1
        return missing
        """,
    "a counter decides": """
        for i in range(4):
            if i == 2:
                return a
            h.x[i] = a
        return missing
        """,
    "every path returns": """
        if a:
            if b:
                return 1
            else:
                return 2
        else:
            return 3
        """,
    "while with a counter": """
        c = 0
        total = a
        while c < 10:
            total = u64(total + c)
            if total & 1:
                h.a = total
            c = u64(c + 1)
        return total
        """,
    "while that never runs": """
        c = 9
        while c < 9:
            c = u64(c + 1)
        return c
        """,
    "a signed loop": """
        c = -5
        while c < 5:
            h.a = u64(h.a + c)
            c = s64(c + 1)
        return c
        """,
    "values pass from one turn of a loop to the next": """
        c = 0
        d = 0
        e = 0
        n = 0
        while n < 6:
            e = d
            d = c
            c = u64(a + n)
            n = u64(n + 1)
        return u64(c ^ d << 8 ^ e << 16)
        """,
    "nested loops": """
        c = 0
        n = 0
        while n < 4:
            m = 0
            while m < n:
                c = u64(c + m * a)
                m = u64(m + 1)
            n = u64(n + 1)
        return c
        """,
    "return out of a loop": """
        n = 0
        while n < 100:
            if n == a:
                return u64(n + 1000)
            n = u64(n + 1)
        return 5
        """,
    "unrolled loops": """
        c = 0
        for i in range(3):
            for j in range(1, 4):
                c = u64(c + i * j)
        for i in range(6, 0, -2):
            c = u64(c * 3 + i)
            h.x[i] = c
        for i in range(0):
            c = 0
        return c
        """,
    "return out of an unrolled loop": """
        for i in range(4):
            if i == a:
                return i
        return 9
        """,
    "a field takes any value": """
        h.a = a + b
        h.b = -a
        h.x[1] = a << 3
        h.x[2] = a * b
        h.a = h.a - 1
        """,
    "nothing is returned": """
        if a:
            h.a = 1
            return
        h.a = 2
        """,
    "pass and text": """
        '''A docstring.'''
        pass
        return 1
        """,
    "a declared variable used in its branch only": """
        if a:
            c = 3
            h.a = c
        if b:
            c = 4
            h.b = c
        return 0
        """,
}  # fmt: skip


def function(body: str) -> str:
    return "def f(h, a, b):\n" + textwrap.indent(textwrap.dedent(body).strip("\n"), "    ") + "\n"


@pytest.mark.parametrize("name", BODIES)
def test_body(subject: Make, name: str) -> None:
    made = subject(function(BODIES[name]))
    run = made.compile("f")
    for a in EDGES:
        for b in EDGES:
            assert run(a, b, a=3, b=4) == made.python("f", a, b, a=3, b=4), (a, b)


def test_an_augmented_index_is_worked_out_once(subject: Make) -> None:
    made = subject("""
def count(h):
    h.a = h.a + 1
    return h.a & 7
def f(h):
    h.x[count(h)] += 5
""")
    assert made.compile("f")() == made.python("f")


REFUSED = {
    "c = a + b  # here": "c is assigned a value that may leave 64 bits; wrap it first",
    "c = a\n    c += 1  # here": "c is assigned a value that may leave 64 bits",
    "c = s64(a)\n    if b:\n        c = b  # here": "c is both negative and beyond s64; keep it",
    "return c  # here": "c is neither a local variable nor an integer constant",
    "c = u64(c + 1)  # here": "c is read before it is assigned on every path",
    "if a:\n        c = 1\n    return c  # here": "c is read before it is assigned on every path",
    "while a:\n        c = 1\n        a = c\n    return c  # here": "c is read before it is",
    "for i in range(a):  # here\n        pass": "the bounds of a range must be constants",
    "for i in range():  # here\n        pass": "the bounds of a range must be constants",
    "for i in range(1, 2, 0):  # here\n        pass": "the bounds of a range must be constants",
    "for i in a:  # here\n        pass": r"only `for name in range\(constants\)` is part",
    "for i in range(3):  # here\n        pass\n    else:\n        pass": "only `for name in range",
    "for a in range(3):  # here\n        pass": "a is also a variable; a loop's counter",
    "for i in range(3):  # here\n        i = 5": "i is also a variable",
    "for i in range(3):\n        for i in range(3):  # here\n            pass": "i is also a",
    "for i in range(3):\n        pass\n    return i  # here": "i counts a loop and means nothing",
    "while a:  # here\n        a = 0\n    else:\n        pass": "while … else is not part",
    "c = d = a  # here": "assign to one target at a time",
    "c, d = a  # here": "assign as many values as there are targets",
    "c, d = a, b, a  # here": "assign as many values as there are targets",
    "c, *d = a, b  # here": "assign to a local variable or a field of the state",
    "c: int  # here": "a declaration needs a value",
    "a.b = 1  # here": "only fields of the state can be assigned",
    "a[0] = 1  # here": "assign to a local variable or a field of the state",
    "Colour.RED = 1  # here": "only fields of the state can be assigned",
    "h.missing = 1  # here": "State has no field missing",
    "h.x = 1  # here": "x is an array",
    "h.a[0] = 1  # here": "a is one word",
    "h.x[a] = 1  # here": r"an index of x must lie in 0\.\.7",
    "h.x[a + b] = 1  # here": "a value that may leave 64 bits is used as an index",
    "a + b  # here": "an expression without effect is not part of the subset",
    "return 1\n    h.a = 1  # here": "nothing may follow a jump, raise or return on its path",
    "if a:\n        return 1\n    else:\n        return 2\n    h.a = 1  # here": "nothing may",
    "if a:\n        return 1\n    return  # here": "some paths return a value and others do not",
    "if a:\n        return\n    return 1  # here": "some paths return a value and others do not",
    "while a:\n        break  # here": "Break is not part of the subset",
    "while a:\n        continue  # here": "Continue is not part of the subset",
    "del a  # here": "Delete is not part of the subset",
    "assert a  # here": "Assert is not part of the subset",
    "global BIG  # here": "Global is not part of the subset",
    "import os  # here": "Import is not part of the subset",
    "with a:  # here\n        pass": "With is not part of the subset",
    "try:  # here\n        pass\n    finally:\n        pass": "Try is not part of the subset",
    "def g():  # here\n        pass": "FunctionDef is not part of the subset",
    "yield a  # here": "an expression without effect is not part of the subset",
    "match a:  # here\n        case 1:\n            pass": "Match is not part of the subset",
    "raise Illegal()  # here": "a function that is not @inline cannot raise; return a status",
    "raise Trap(1, 2)  # here": "a function that is not @inline cannot raise",
    "raise Trap  # here": r"only Trap\(cause, tval\) and Illegal\(\) can be raised",
    "raise Trap()  # here": r"raise Trap\(cause\) or Trap\(cause, tval\)",
    "raise Trap(1, 2, 3)  # here": r"raise Trap\(cause\) or Trap\(cause, tval\)",
    "raise ValueError()  # here": "only Trap",
    "raise  # here": "only Trap",
}


@pytest.mark.parametrize("body", REFUSED)
def test_refusal(subject: Make, body: str) -> None:
    refusal = subject(f"def f(h, a, b):\n    {body}\n").refusal()
    assert re.match(REFUSED[body], refusal), refusal


def test_a_path_that_falls_off_the_end_beside_one_with_a_value(subject: Make) -> None:
    made = subject("def f(h, a):  # here\n    if a:\n        return 1\n")
    assert made.refusal() == "some paths return a value and others do not"


def test_a_range_that_cannot_be_settled(subject: Make) -> None:
    """Each turn moves the range of one variable on to the next; eight are one too many."""
    names = [f"v{n}" for n in range(10)]
    starts = "".join(f"    {name} = 0\n" for name in names)
    moves = "".join(f"        {b} = {a}\n" for a, b in reversed(list(itertools.pairwise(names))))
    text = (
        f"def f(h, a):  # here\n{starts}    while v9 < 5:\n{moves}        v0 = a\n    return v9\n"
    )
    assert subject(text).refusal().startswith("the range of a variable cannot be settled")

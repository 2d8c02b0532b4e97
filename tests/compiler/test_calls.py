"""Calls: native functions, @inline expansion, recursion, exceptions, and the vocabulary."""

import ast
import re
from collections.abc import Callable

import pytest
from tests.compiler.compiled import State, Subject

from hospes.base.bits import U64_MAX
from hospes.compiler.emitter import Emitter, Value
from hospes.compiler.expressions import Expressions
from hospes.compiler.lower import lower_body
from hospes.compiler.module import Module
from hospes.compiler.subset import SubsetError, source_of
from hospes.compiler.targets import NativeFunction
from hospes.compiler.vocabulary import BITS

Make = Callable[[str], Subject]
EDGES = (0, 1, 2, 5, 1 << 63, U64_MAX)

TEXTS = {
    "a native function": """
def twice(h, v):
    h.a = h.a + 1
    return u64(v * 2)
def f(h, a, b):
    return u64(twice(h, a) + twice(h, u64(b + 1)))
""",
    "a function without the state": """
def larger(p, q):
    if p > q:
        return p
    return q
def f(h, a, b):
    return larger(a, b)
""",
    "a signed result": """
def signed(h, v):
    return s64(v)
def f(h, a, b):
    return signed(h, a) if signed(h, a) < signed(h, b) else -1
""",
    "a small result keeps its range": """
def low(v):
    return v & 7
def f(h, a, b):
    return u64(h.x[low(a)] << low(b))
""",
    "a procedure": """
@cold
def note(h, v):
    h.b = v
def f(h, a, b):
    if a:
        note(h, b)
    return 0
""",
    "an expansion that returns early": """
@inline
def pick(v):
    if v == 0:
        return 10
    if v == 1:
        return 20
    w = v
    while w > 100:
        if w == 101:
            return 7
        w = w >> 1
    return w
def f(h, a, b):
    return u64(pick(a) * 3 + pick(b))
""",
    "an expansion without a value that returns early": """
@inline
def note(h, v):
    if v == 0:
        return
    h.a = v
def f(h, a, b):
    note(h, a)
    note(h, b)
    h.b = h.a + 1
""",
    "an expansion inside an expansion": """
@inline
def one(v):
    x = v & 0xFF
    return x
@inline
def two(v, w):
    x = one(v)
    y = one(w)
    return (x << 8) | y
def f(h, a, b):
    x = 5
    return u64(two(a, b) + x + two(b, a))
""",
    "an expansion of a signed argument": """
@inline
def halve(v):
    return v >> 1
def f(h, a, b):
    return halve(s64(a))
""",
    "an expansion of a wide range of constants": """
@inline
def bits(count):
    return (1 << count) - 1
def f(h, a, b):
    return a & bits(12)
""",
    "an expansion assigns its parameter": """
@inline
def grow(v):
    v = u64(v + 1)
    return v
def f(h, a, b):
    return u64(grow(a) + a)
""",
    "an expansion in a loop": """
@inline
def step(v, by):
    return u64(v + by)
def f(h, a, b):
    n = 0
    while n < 50:
        n = step(n, 7)
    return n
""",
    "a loop counter passes into an expansion": """
@inline
def store(h, index, v):
    h.x[index] = v
def f(h, a, b):
    for i in range(4):
        store(h, i, a)
""",
}


@pytest.mark.parametrize("name", TEXTS)
def test_call(subject: Make, name: str) -> None:
    made = subject(TEXTS[name])
    run = made.compile("f")
    for a in EDGES:
        for b in EDGES:
            assert run(a, b) == made.python("f", a, b), (a, b)


REFUSED = {
    "return a.bit_length()  # here": "call functions by their global name, with positional",
    "return u64(value=a)  # here": "call functions by their global name, with positional",
    "return missing(a)  # here": "missing is not a function known in this module",
    "return TEXT(a)  # here": "TEXT is not a function known in this module",
    "return a(1)  # here": "a is not a function known in this module",
    "return abs(a)  # here": "abs is not a word of the subset's vocabulary",
    "return int(a)  # here": "int is not a word of the subset's vocabulary",
    "return u64(a, b)  # here": "u64 takes 1 arguments",
    "return umulh(a)  # here": "umulh takes 2 arguments",
    "return min(a, b, a)  # here": "min takes 2 arguments",
    "return max(*h)  # here": "max takes 2 arguments",
    "return min(s64(a), b)  # here": "a signed value is compared with an unsigned one",
    "return plain(h)  # here": "plain takes 2 arguments",
    "return plain(a, b)  # here": "plain is given the state first: h",
    "return plain(h, s64(a))  # here": r"arguments are u64; wrap a signed one in u64\(\)",
    "return plain(h, a + b)  # here": "a value that may leave 64 bits is passed to a function",
    "return expanded(a)  # here": "expanded takes 2 arguments",
    "return expanded(b, a)  # here": "expanded is given the state first",
    "return expanded(h, a + b)  # here": "a value that may leave 64 bits is passed to a function",
    "return procedure(h)  # here": "a function without a result is used as a value",
    "return silent(h)  # here": "a function without a result is used as a value",
}
HELPERS = """
def plain(h, v):
    return v
@inline
def expanded(h, v):
    return v
def procedure(h):
    h.a = 1
@inline
def silent(h):
    h.a = 1
"""


@pytest.mark.parametrize("body", REFUSED)
def test_refusal(subject: Make, body: str) -> None:
    refusal = subject(f"{HELPERS}\ndef f(h, a, b):\n    {body}\n").refusal()
    assert re.match(REFUSED[body], refusal), refusal


RECURSIVE = {
    "itself": "def f(h, a):  # here\n    return f(h, a)\n",
    "each other": """
def f(h, a):  # here
    return g(h, a)
def g(h, a):
    return f(h, a)
""",
    "an expansion of itself": """
@inline
def g(a):
    return g(a)  # here
def f(h, a):
    return g(a)
""",
    "expansions of each other": """
@inline
def g(a):
    return k(a)
@inline
def k(a):
    return g(a)  # here
def f(h, a):
    return g(a)
""",
    "through an expansion": """
@inline
def g(h, a):
    return f(h, a)
def f(h, a):  # here
    return g(h, a)
""",
}


@pytest.mark.parametrize("name", RECURSIVE)
def test_recursion_is_refused(subject: Make, name: str) -> None:
    refusal = subject(RECURSIVE[name]).refusal()
    assert refusal == "recursion is not part of the subset"


def test_the_line_of_an_expansion_is_its_own(subject: Make) -> None:
    made = subject("@inline\ndef g(a):\n    return a + 1  # here\ndef f(h, a):\n    return g(a)\n")
    assert made.refusal().startswith("a value that may leave 64 bits is returned")


def test_an_exception_of_an_expansion_is_the_callers(subject: Make) -> None:
    made = subject("""
@inline
def check(a):
    if a:
        raise Illegal()  # here
def f(h, a):
    check(a)
""")
    assert made.refusal().startswith("a function that is not @inline cannot raise")


def test_a_lambda_has_no_source(subject: Make) -> None:
    made = subject("f = lambda h: 1\n")
    with pytest.raises(SubsetError, match=r"the source of .* cannot be found; use def"):
        Module(State, BITS).require(made.names["f"])


class Faulting(NativeFunction):
    """A native function that may raise: it returns 1000 plus the cause."""

    def trap(self, lowering: Expressions, node: ast.AST, cause: Value, tval: Value) -> None:
        self.emitter.store_word("%h", State.offsets["a"], tval.ref)
        total = self.emitter.temp(f"add i64 {cause.ref}, 1000")
        self.emitter.terminate(f"ret i64 {total}")

    def illegal(self, lowering: Expressions, node: ast.AST) -> None:
        self.emitter.terminate("ret i64 2000")


def test_a_target_decides_what_raising_does(subject: Make) -> None:
    made = subject("""
@inline
def check(a):
    if a == 1:
        raise Trap(a + 1, 77)
    if a == 2:
        raise Trap(9)
    if a == 3:
        raise Illegal()
    if a == 4:
        raise Illegal
    return a
def f(h, a):
    return u64(check(a) + 1)
""")
    module = Module(State, BITS)
    source = source_of(made.names["f"])
    target = lower_body(module, source, lambda: Faulting(Emitter()), {"a": Value("%a.a")})
    text = target.emitter.body()
    for expected in ("add i64 9, 1000", "store i64 77", "store i64 0", "ret i64 2000"):
        assert expected in text


class Located(NativeFunction):
    """A target that keeps field b elsewhere."""

    def field(self, lowering: Expressions, name: str) -> Value | None:
        return Value("%elsewhere") if name == "b" else None


def test_a_field_kept_elsewhere_is_read_there_and_not_assigned(subject: Make) -> None:
    made = subject("def f(h):\n    return h.b\ndef g(h):\n    h.b = 1\n")
    module = Module(State, BITS)
    target = lower_body(module, source_of(made.names["f"]), lambda: Located(Emitter()), {})
    assert "ret i64 %elsewhere" in target.emitter.body()
    with pytest.raises(SubsetError, match="b can only be read by this kind of function"):
        lower_body(module, source_of(made.names["g"]), lambda: Located(Emitter()), {})

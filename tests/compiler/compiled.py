"""Subset functions written as text in a test, run both by Python and as native code."""

import ctypes
import itertools
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from hospes.base.layout import Struct, Word, Words
from hospes.compiler.code import function as native_function
from hospes.compiler.code import load
from hospes.compiler.module import Module
from hospes.compiler.native import compile_text
from hospes.compiler.subset import SubsetError
from hospes.compiler.vocabulary import BITS

ARGUMENTS = 4
PRELUDE = """\
from enum import IntEnum
from hospes.base.bits import *
from hospes.isa.subset import Illegal, Trap, cold, inline
BIG = 1 << 40
HUGE = 1 << 70
NEGATIVE = -5
TEXT = "text"
class Colour(IntEnum):
    RED = 1
    BLUE = 2
"""
HERE = "# here"

_numbers = itertools.count()


class State(Struct):
    """Where arguments and results pass, and fields for functions to use."""

    argument = Words(ARGUMENTS)
    result = Word()
    x = Words(8)
    a = Word()
    b = Word()


class Outcome(NamedTuple):
    """What a call returned, and the fields after it."""

    result: int | None
    fields: tuple[int, ...]


class Subject:
    """The functions of a text, as Python sees them and as native code."""

    def __init__(self, folder: Path, text: str) -> None:
        self.path = folder / f"subject{next(_numbers)}.py"
        self.path.write_text(PRELUDE + text)
        self.names: dict[str, Any] = {"__name__": self.path.stem}
        exec(compile(self.path.read_text(), str(self.path), "exec"), self.names)

    def python(self, name: str, *arguments: int, **fields: int) -> Outcome:
        """Call a function as it is."""
        state = _state(fields)
        result = self.names[name](state, *arguments)
        return _outcome(state, result)

    def compile(self, name: str, words: dict[Any, Any] = BITS) -> Callable[..., Outcome]:
        """The function as native code, with the same parameters."""
        module = Module(State, words)
        function = self.names[name]
        signature = module.require(function)
        code = load(compile_text(module.text() + _entry(signature, function)))
        enter = native_function(code, "enter", ctypes.c_void_p)

        def run(*arguments: int, **fields: int) -> Outcome:
            assert code is not None
            state = _state(fields)
            for number, argument in enumerate(arguments):
                state.argument[number] = argument
            enter(ctypes.addressof(ctypes.c_uint64.from_buffer(state.words)))
            if signature.result is None:
                return _outcome(state, None)
            wrap = signature.result.lo < 0 and state.result >> 63
            return _outcome(state, state.result - (wrap << 64))

        return run

    def refusal(self, name: str = "f", words: dict[Any, Any] = BITS) -> str:
        """The rule a function breaks, at the line marked `# here` (or at its def)."""
        with pytest.raises(SubsetError) as caught:
            Module(State, words).require(self.names[name])
        found = re.fullmatch(re.escape(str(self.path)) + r":(\d+): (.+)", str(caught.value))
        assert found, caught.value
        lines = self.path.read_text().splitlines()
        marked = [number for number, line in enumerate(lines, 1) if line.endswith(HERE)]
        assert [int(found[1])] == marked, f"{found[0]}, but marked: {marked}"
        return found[2]


def _state(fields: dict[str, int]) -> State:
    state = State()
    for number in range(8):
        state.x[number] = fields.pop(f"x{number}", 1000 + number)
    for name, value in fields.items():
        setattr(state, name, value)
    return state


def _outcome(state: State, result: int | None) -> Outcome:
    return Outcome(None if result is None else int(result), (*state.x, state.a, state.b))


def _entry(signature: Any, function: Callable[..., Any]) -> str:
    """`enter(state)`: the call with the arguments from the state, and its result into it."""
    count = function.__code__.co_argcount - 1
    lines = []
    for number in range(count):
        offset = State.offsets["argument"] + 8 * number
        lines.append(f"  %p{number} = getelementptr i8, ptr %h, i64 {offset}")
        lines.append(f"  %v{number} = load i64, ptr %p{number}")
    values = "".join(f", i64 %v{number}" for number in range(count))
    if signature.result is None:
        lines.append(f'  call void @"{signature.symbol}"(ptr %h{values})')
    else:
        lines.append(f'  %r = call i64 @"{signature.symbol}"(ptr %h{values})')
        lines.append(f"  %q = getelementptr i8, ptr %h, i64 {State.offsets['result']}")
        lines.append("  store i64 %r, ptr %q")
    return "define void @enter(ptr %h) {\n" + "\n".join(lines) + "\n  ret void\n}\n"

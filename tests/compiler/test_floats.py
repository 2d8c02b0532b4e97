"""Emitted floating point keeps the host's rounding mode and flags, and nothing is folded."""

import ast
import ctypes
from collections.abc import Callable
from functools import partial

from tests.base.host_float import ROUNDING, edges, evaluate, needs_x86

from hospes.base import ieee
from hospes.base.ieee import BINARY64, DZ, NV, NX, RTZ
from hospes.base.layout import Struct, Words
from hospes.compiler import floats
from hospes.compiler.code import function as native_function
from hospes.compiler.code import load
from hospes.compiler.emitter import Value
from hospes.compiler.floats import F32, F64
from hospes.compiler.lower import Lowering
from hospes.compiler.module import Module
from hospes.compiler.native import compile_text
from hospes.compiler.targets import Lowered

pytestmark = needs_x86
ONE, THREE, HALF = 0x3FF0_0000_0000_0000, 0x4008_0000_0000_0000, 0x3FE0_0000_0000_0000


class State(Struct):
    """Operands and a result."""

    f = Words(4)


def divide(h: State, a: int, b: int) -> int:
    """Lowered to the host's division."""
    raise AssertionError


def narrow(h: State, a: int) -> int:
    """Lowered to a rounding to f32 and back."""
    raise AssertionError


def truncate(h: State, a: int) -> int:
    """Lowered to a conversion to an integer."""
    raise AssertionError


def less(h: State, a: int, b: int) -> int:
    """Lowered to a signalling comparison."""
    raise AssertionError


def store_quotient(h: State) -> None:
    """A result that is used."""
    h.f[2] = divide(h, h.f[0], h.f[1])


def drop_quotient(h: State) -> None:
    """A result that is not used."""
    divide(h, h.f[0], h.f[1])


def constant_quotient(h: State) -> None:
    """A result that could be computed while compiling."""
    h.f[2] = divide(h, ONE, THREE)


def store_narrowed(h: State) -> None:
    """There and back."""
    h.f[2] = narrow(h, h.f[0])


def store_truncated(h: State) -> None:
    """An integer."""
    h.f[2] = truncate(h, h.f[0])


def store_less(h: State) -> None:
    """A truth value."""
    h.f[2] = less(h, h.f[0], h.f[1])


def _divide(lowering: Lowering, node: ast.Call, arguments: list[ast.expr]) -> Value:
    a, b = (floats.from_bits(lowering, F64, lowering.word(x)) for x in arguments)
    return floats.canonical(lowering, F64, floats.arithmetic(lowering, F64, "fdiv", a, b))


def _narrow(lowering: Lowering, node: ast.Call, arguments: list[ast.expr]) -> Value:
    single = floats.narrow(lowering, floats.from_bits(lowering, F64, lowering.word(arguments[0])))
    bits = floats.to_bits(lowering, F32, single)
    widened = floats.widen(lowering, floats.from_bits(lowering, F32, bits))
    return floats.to_bits(lowering, F64, widened)


def _truncate(lowering: Lowering, node: ast.Call, arguments: list[ast.expr]) -> Value:
    a = floats.from_bits(lowering, F64, lowering.word(arguments[0]))
    return floats.truncated(lowering, F64, a)


def _less(lowering: Lowering, node: ast.Call, arguments: list[ast.expr]) -> Value:
    a, b = (floats.from_bits(lowering, F64, lowering.word(x)) for x in arguments)
    return floats.compare(lowering, F64, "olt", a, b, signalling=True)


WORDS: dict[object, Lowered] = {
    divide: _divide, narrow: _narrow, truncate: _truncate, less: _less,
}  # fmt: skip


def compiled(function: Callable[[State], None]) -> tuple[State, Callable[[], None]]:
    """The function as native code, bound to a state; the code lives as long as the caller's."""
    module = Module(State, WORDS)
    symbol = module.require(function).symbol
    text = f'define void @enter(ptr %h) {{\n  call void @"{symbol}"(ptr %h)\n  ret void\n}}\n'
    code = load(compile_text(module.text() + text))
    state = State()
    state.code = code  # type: ignore[attr-defined]
    address = ctypes.addressof(ctypes.c_uint64.from_buffer(state.words))
    return state, partial(native_function(code, "enter", ctypes.c_void_p), address)


def test_the_dynamic_rounding_mode_is_obeyed() -> None:
    state, run = compiled(store_quotient)
    for rm in ROUNDING:
        for a in edges(BINARY64):
            state.f[0], state.f[1] = a, THREE
            _, flags = evaluate(rm, run)
            assert (state.f[2], flags) == ieee.div(BINARY64, a, THREE, rm), (hex(a), rm)


def test_a_result_that_is_not_used_still_raises_flags() -> None:
    state, run = compiled(drop_quotient)
    state.f[0], state.f[1] = ONE, 0
    assert evaluate(RTZ, run)[1] == DZ


def test_constants_are_not_folded() -> None:
    state, run = compiled(constant_quotient)
    for rm in ROUNDING:
        _, flags = evaluate(rm, run)
        assert (state.f[2], flags) == ieee.div(BINARY64, ONE, THREE, rm)


def test_narrowing_is_not_cancelled_by_widening() -> None:
    state, run = compiled(store_narrowed)
    state.f[0] = ONE + 1
    assert evaluate(RTZ, run)[1] == NX
    assert state.f[2] == ONE


def test_truncation() -> None:
    state, run = compiled(store_truncated)
    for bits, expected, flags in ((ONE | 1 << 51, 1, NX), (THREE, 3, 0), (HALF, 0, NX)):
        state.f[0] = bits
        assert evaluate(ieee.RUP, run)[1] == flags
        assert state.f[2] == expected


def test_a_signalling_comparison_is_invalid_for_a_quiet_nan() -> None:
    state, run = compiled(store_less)
    for a, b, expected, flags in (
        (ONE, THREE, 1, 0), (THREE, ONE, 0, 0), (ONE, BINARY64.nan, 0, NV),
    ):  # fmt: skip
        state.f[0], state.f[1] = a, b
        assert (evaluate(ieee.RNE, run)[1], state.f[2]) == (flags, expected)

"""The floating-point vocabulary on the host's FPU, for handlers of the threaded engine.

A handler runs an operation directly if `fp_ok` says that the host's rounding mode is the one the
instruction asks for; otherwise the reference engine does it. MXCSR's flags are fflags (host.py).
x86 agrees with RISC-V on tininess (after rounding) and on every flag but one: infinity times zero
plus a quiet NaN is invalid in RISC-V only. On other hosts all of it is left to the reference.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any, Final

from hospes.base.bits import U32_MAX
from hospes.base.ieee import NV, RTZ
from hospes.compiler import floats
from hospes.compiler.emitter import Value, constant
from hospes.compiler.floats import F32, F64, FloatType
from hospes.compiler.lower import Lowering
from hospes.compiler.targets import Lowered
from hospes.compiler.width import BIT, U64, unsigned
from hospes.engine.threaded.calls import field
from hospes.engine.threaded.handlers import Handler, Kind
from hospes.engine.threaded.host import X86
from hospes.isa.riscv import fp, fp_bits, fp_convert

NEVER: Final = Value("false", BIT, bit=True)


def _handler(lowering: Lowering, node: ast.AST) -> Handler:
    if not isinstance(lowering.target, Handler):
        lowering.fail(node, "floating point is called by an instruction's own function only")
    return lowering.target


def _require_rounding(lowering: Lowering, node: ast.Call, rm: Value) -> None:
    """Go on only if the host rounds as rm asks; with FS Off the instruction is illegal."""
    handler, emitter = _handler(lowering, node), lowering.emitter
    pointer = emitter.temp(
        f"getelementptr [8 x i64], ptr {emitter.address('%h', field('fp_ok'))}, i64 0, i64 {rm.ref}"
    )
    direct = emitter.test(f"icmp ne i64 {emitter.load_word(pointer, 0).ref}, 0")
    if handler.kind is not Kind.FAST:
        off = emitter.test(f"icmp eq i64 {emitter.load_word('%h', field('fs')).ref}, 0")
        illegal, on = emitter.name("off"), emitter.name("on")
        emitter.branch(off, illegal, on)
        emitter.place(illegal)
        handler.illegal(lowering, node)
        emitter.place(on)
    handler.unless(direct)


def _arithmetic(kind: FloatType, name: str) -> Lowered:
    """An operation of floats a, b, ... and rm."""

    def lower(lowering: Lowering, node: ast.Call, arguments: list[ast.expr]) -> Value:
        values = [lowering.word(argument) for argument in arguments]
        _require_rounding(lowering, node, values.pop())
        operands = [floats.from_bits(lowering, kind, value) for value in values]
        ref = floats.arithmetic(lowering, kind, name, *operands)
        if name != "fma":
            return floats.canonical(lowering, kind, ref)
        return floats.canonical(
            lowering, kind, ref, lambda: _raise_invalid_product(lowering, kind, *values[:2])
        )

    return lower


def _raise_invalid_product(lowering: Lowering, kind: FloatType, a: Value, b: Value) -> None:
    """Raise NV if a * b is infinity times zero."""
    emitter = lowering.emitter
    magnitudes = [emitter.temp(f"and i64 {v.ref}, {kind.format.sign - 1}") for v in (a, b)]
    infinite = [emitter.temp(f"icmp eq i64 {m}, {kind.format.infinity}") for m in magnitudes]
    zero = [emitter.temp(f"icmp eq i64 {m}, 0") for m in magnitudes]
    either = [
        emitter.temp(f"and i1 {x}, {y}") for x, y in zip(infinite, reversed(zero), strict=True)
    ]
    invalid = emitter.temp(f"or i1 {either[0]}, {either[1]}")
    flag = emitter.temp(f"select i1 {invalid}, i64 {NV}, i64 0")
    raised = emitter.load_word("%h", field("fflags"))
    emitter.store_word("%h", field("fflags"), emitter.temp(f"or i64 {raised.ref}, {flag}"))


def _narrow(lowering: Lowering, node: ast.Call, arguments: list[ast.expr]) -> Value:
    a, rm = (lowering.word(argument) for argument in arguments)
    _require_rounding(lowering, node, rm)
    ref = floats.narrow(lowering, floats.from_bits(lowering, F64, a))
    return floats.canonical(lowering, F32, ref)


def _widen(lowering: Lowering, node: ast.Call, arguments: list[ast.expr]) -> Value:
    a = floats.from_bits(lowering, F32, lowering.word(arguments[0]))
    return floats.canonical(lowering, F64, floats.widen(lowering, a))


def _from_integer(kind: FloatType) -> Lowered:
    def lower(lowering: Lowering, node: ast.Call, arguments: list[ast.expr]) -> Value:
        value = lowering.exact(arguments[0], "converted")
        if len(arguments) > 1:
            _require_rounding(lowering, node, lowering.word(arguments[1]))
        return floats.to_bits(lowering, kind, floats.from_integer(lowering, kind, value))

    return lower


def _compare(kind: FloatType, predicate: str) -> Lowered:
    def lower(lowering: Lowering, node: ast.Call, arguments: list[ast.expr]) -> Value:
        a, b = (floats.from_bits(lowering, kind, lowering.word(x)) for x in arguments)
        signalling = predicate != "oeq"
        return floats.compare(lowering, kind, predicate, a, b, signalling=signalling)

    return lower


def _to_integer(kind: FloatType, function: Callable[..., int], limit: int, signed: bool) -> Lowered:
    """Truncation of magnitudes below 2**limit by one host instruction; the rest as written."""

    def lower(lowering: Lowering, node: ast.Call, arguments: list[ast.expr]) -> Value | None:
        handler, emitter = _handler(lowering, node), lowering.emitter
        if handler.kind is not Kind.FAST:
            return lowering.expand(node, function)
        a, rm = (lowering.word(argument) for argument in arguments)
        enabled = emitter.temp(f"icmp ne i64 {emitter.load_word('%h', field('fs')).ref}, 0")
        towards_zero = emitter.temp(f"icmp eq i64 {rm.ref}, {RTZ}")
        magnitude = a.ref
        if signed:
            magnitude = emitter.temp(f"and i64 {magnitude}, {kind.format.sign - 1}")
        end = (kind.format.bias + limit) << kind.format.fraction_bits
        small = emitter.temp(f"icmp ult i64 {magnitude}, {end}")
        direct = emitter.temp(f"and i1 {enabled}, {towards_zero}")
        handler.unless(emitter.test(f"and i1 {direct}, {small}"))
        result = floats.truncated(lowering, kind, floats.from_bits(lowering, kind, a))
        return Value(result.ref, U64)

    return lower


def _unbox(lowering: Lowering, node: ast.Call, arguments: list[ast.expr]) -> Value | None:
    """A predictable branch instead of a choice: the operand is boxed, or the slow variant runs."""
    handler, emitter = _handler(lowering, node), lowering.emitter
    if handler.kind is not Kind.FAST:
        return lowering.expand(node, fp_bits.unbox32)
    bits = lowering.word(arguments[0])
    handler.unless(emitter.test(f"icmp uge i64 {bits.ref}, {fp_bits.BOX}"))
    return emitter.value(f"and i64 {bits.ref}, {U32_MAX}", unsigned(32))


def _left_to_reference(lowering: Lowering, node: ast.Call, arguments: list[ast.expr]) -> Value:
    _handler(lowering, node).unless(NEVER)
    return constant(0)


def _of_type(kind: FloatType) -> dict[str, Lowered]:
    """The words that exist for both types, by name."""
    operations = {"add": "fadd", "sub": "fsub", "mul": "fmul", "div": "fdiv", "sqrt": "sqrt"}
    words = {name: _arithmetic(kind, host) for name, host in operations.items()}
    words["fma"] = _arithmetic(kind, "fma")
    words |= {name: _compare(kind, f"o{name}") for name in ("eq", "lt", "le")}
    words = {f"{kind.name}_{name}": lowered for name, lowered in words.items()}
    return words | {f"{integer}_to_{kind.name}": _from_integer(kind) for integer in ("i64", "u64")}


def _conversions(kind: FloatType) -> dict[Any, Lowered]:
    """The conversions to integers."""
    limits = {"i32": (31, True), "u32": (32, False), "i64": (63, True), "u64": (63, False)}
    functions = {to: getattr(fp_convert, f"{kind.name}_to_{to}") for to in limits}
    return {functions[to]: _to_integer(kind, functions[to], *how) for to, how in limits.items()}


_WORDS: Final[dict[Any, Lowered]] = {
    **{
        getattr(fp, name): lowered
        for kind in (F32, F64)
        for name, lowered in _of_type(kind).items()
    },
    fp.f64_to_f32: _narrow,
    fp.f32_to_f64: _widen,
    fp.exact_to_f64: _from_integer(F64),
}
_FASTER: Final[dict[Any, Lowered]] = {
    fp_bits.unbox32: _unbox,
    **_conversions(F32),
    **_conversions(F64),
}
"""What is written in the subset, and would be compiled from there without being named here."""

FLOATS: Final[dict[Any, Lowered]] = (
    {**_WORDS, **_FASTER} if X86 else dict.fromkeys(_WORDS, _left_to_reference)
)
"""Every word of isa/riscv/fp, and how it becomes LLVM IR on this host."""

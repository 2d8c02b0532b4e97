"""Emits host floating point that obeys the host's rounding mode and keeps its sticky flags.

All of it is LLVM's constrained intrinsics with dynamic rounding and strict exceptions, which no
pass folds, moves across one another or drops (LLVM Language Reference, "Constrained Floating-Point
Intrinsics"). Values are bit patterns in i64; an f32 has zeros above.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from hospes.base.ieee import BINARY32, BINARY64, Format
from hospes.compiler.emitter import Value
from hospes.compiler.lower import Lowering
from hospes.compiler.width import Interval, signed, unsigned

ROUNDING: Final = 'metadata !"round.dynamic"'
EXCEPTIONS: Final = 'metadata !"fpexcept.strict"'
METADATA: Final = "metadata"


@dataclass(frozen=True)
class FloatType:
    """A floating-point type: its names in intrinsics and in IR, its width and its format."""

    name: str
    llvm: str
    bits: int
    format: Format


F32: Final = FloatType("f32", "float", 32, BINARY32)
F64: Final = FloatType("f64", "double", 64, BINARY64)


def from_bits(lowering: Lowering, kind: FloatType, value: Value) -> str:
    """The float with these bits."""
    emitter, ref = lowering.emitter, value.ref
    if kind.bits != 64:
        ref = emitter.temp(f"trunc i64 {ref} to i{kind.bits}")
    return emitter.temp(f"bitcast i{kind.bits} {ref} to {kind.llvm}")


def to_bits(lowering: Lowering, kind: FloatType, ref: str) -> Value:
    """The bits of a float."""
    emitter = lowering.emitter
    bits = emitter.temp(f"bitcast {kind.llvm} {ref} to i{kind.bits}")
    if kind.bits == 64:
        return Value(bits)
    return emitter.value(f"zext i{kind.bits} {bits} to i64", unsigned(kind.bits))


def arithmetic(lowering: Lowering, kind: FloatType, name: str, *operands: str) -> str:
    """fadd, fsub, fmul, fdiv, sqrt or fma of floats of one type."""
    values = [(kind.llvm, ref) for ref in operands]
    return _call(lowering, f"{name}.{kind.name}", kind.llvm, values, [ROUNDING])


def narrow(lowering: Lowering, ref: str) -> str:
    """A double rounded to a float."""
    return _call(lowering, "fptrunc.f32.f64", F32.llvm, [(F64.llvm, ref)], [ROUNDING])


def widen(lowering: Lowering, ref: str) -> str:
    """A float as a double."""
    return _call(lowering, "fpext.f64.f32", F64.llvm, [(F32.llvm, ref)], [])


def from_integer(lowering: Lowering, kind: FloatType, value: Value) -> str:
    """A u64 or s64, by its interval, rounded to a float."""
    name = "sitofp" if value.interval.fits_s64 else "uitofp"
    suffix = f"{name}.{kind.name}.i64"
    return _call(lowering, suffix, kind.llvm, [("i64", value.ref)], [ROUNDING])


def truncated(lowering: Lowering, kind: FloatType, ref: str) -> Value:
    """A float whose magnitude is below 2**63, rounded towards zero to an s64."""
    call = _call(lowering, f"fptosi.i64.{kind.name}", "i64", [(kind.llvm, ref)], [])
    return Value(call, signed(64))


def compare(
    lowering: Lowering, kind: FloatType, predicate: str, a: str, b: str, *, signalling: bool
) -> Value:
    """An i1: whether a and b satisfy LLVM's predicate; signalling makes every NaN invalid."""
    name = f"{'fcmps' if signalling else 'fcmp'}.{kind.name}"
    values = [(kind.llvm, a), (kind.llvm, b)]
    ref = _call(lowering, name, "i1", values, [f'metadata !"{predicate}"'])
    return Value(ref, Interval(0, 1), bit=True)


def canonical(
    lowering: Lowering, kind: FloatType, ref: str, rare: Callable[[], None] | None = None
) -> Value:
    """The bits of a result, those of a NaN replaced by the canonical NaN's.

    `rare` emits more that a NaN needs; it is off the usual path.
    """
    emitter = lowering.emitter
    nan, done, result = emitter.name("nan"), emitter.name("number"), emitter.name("float")
    slot = emitter.slot(result)
    bits = to_bits(lowering, kind, ref)
    emitter.emit(f"store i64 {bits.ref}, ptr {slot}")
    unordered = compare(lowering, kind, "uno", ref, ref, signalling=False)
    emitter.branch(unordered, nan, done, likely=False)
    emitter.place(nan)
    if rare is not None:
        rare()
    emitter.emit(f"store i64 {kind.format.nan}, ptr {slot}")
    emitter.place(done)
    return emitter.value(f"load i64, ptr {slot}", unsigned(kind.bits))


def _call(
    lowering: Lowering,
    suffix: str,
    result: str,
    values: list[tuple[str, str]],
    metadata: list[str],
) -> str:
    name = f"llvm.experimental.constrained.{suffix}"
    more = [*metadata, EXCEPTIONS]
    kinds = ", ".join([kind for kind, _ in values] + [METADATA] * len(more))
    lowering.module.declare(name, f"declare {result} @{name}({kinds})")
    arguments = ", ".join([f"{kind} {ref}" for kind, ref in values] + more)
    return lowering.emitter.temp(f"call {result} @{name}({arguments}) strictfp")

"""The native lowering of base/bits, min and max: each word as LLVM IR."""

from __future__ import annotations

import ast
from typing import Any

from hospes.base import bits
from hospes.compiler.emitter import Emitter, Value, constant
from hospes.compiler.lower import Lowering
from hospes.compiler.targets import Lowered
from hospes.compiler.width import S64, U64, Interval, signed, unsigned


def _narrow(width_bits: int, is_signed: bool) -> Lowered:
    """The low bits of a value, zero- or sign-extended."""
    target = signed(width_bits) if is_signed else unsigned(width_bits)

    def lower(lowering: Lowering, node: ast.Call, arguments: list[ast.expr]) -> Value:
        value = lowering.word(arguments[0])
        if value.interval.within(target):
            return value
        if value.constant is not None:
            low = value.constant & ((1 << width_bits) - 1)
            return constant(low - (1 << width_bits) if low > target.hi else low)
        return _truncate(lowering.emitter, value, width_bits, is_signed, target)

    return lower


def _truncate(
    emitter: Emitter, value: Value, width_bits: int, is_signed: bool, target: Interval
) -> Value:
    if width_bits == 64:
        return Value(value.ref, target)
    if not is_signed:
        return emitter.value(f"and i64 {value.ref}, {target.hi}", target)
    narrow = emitter.temp(f"trunc i64 {value.ref} to i{width_bits}")
    return emitter.value(f"sext i{width_bits} {narrow} to i64", target)


def _operand(lowering: Lowering, node: ast.expr, allowed: Interval) -> Value:
    """An argument that must lie in the range its Python function is defined for."""
    value = lowering.exact(node, "an operand")
    if not value.interval.within(allowed):
        lowering.fail(node, f"this operand must lie in {allowed.lo}..{allowed.hi}; wrap or mask it")
    return value


def _binary(instruction: str, interval: Interval) -> Lowered:
    """A two-operand instruction whose operands lie in the same 64-bit class as its result."""

    def lower(lowering: Lowering, node: ast.Call, arguments: list[ast.expr]) -> Value:
        a, b = (_operand(lowering, argument, interval) for argument in arguments)
        return lowering.emitter.value(f"{instruction} i64 {a.ref}, {b.ref}", interval)

    return lower


def _high_product(extend: str, interval: Interval) -> Lowered:
    """The upper half of a 128-bit product."""

    def lower(lowering: Lowering, node: ast.Call, arguments: list[ast.expr]) -> Value:
        emitter = lowering.emitter
        wide = []
        for argument in arguments:
            value = _operand(lowering, argument, interval)
            wide.append(emitter.temp(f"{extend} i64 {value.ref} to i128"))
        product = emitter.temp(f"mul i128 {wide[0]}, {wide[1]}")
        high = emitter.temp(f"lshr i128 {product}, 64")
        return emitter.value(f"trunc i128 {high} to i64", interval)

    return lower


def _intrinsic(name: str, interval: Interval, more: str = "") -> Lowered:
    """A one-operand LLVM intrinsic on i64."""
    kinds = "i64, i1" if more else "i64"

    def lower(lowering: Lowering, node: ast.Call, arguments: list[ast.expr]) -> Value:
        value = _operand(lowering, arguments[0], U64)
        lowering.module.declare(name, f"declare i64 @{name}({kinds})")
        return lowering.emitter.value(f"call i64 @{name}(i64 {value.ref}{more})", interval)

    return lower


def _rotate(width_bits: int) -> Lowered:
    """Rotation to the left as a funnel shift."""
    kind, name = f"i{width_bits}", f"llvm.fshl.i{width_bits}"

    def lower(lowering: Lowering, node: ast.Call, arguments: list[ast.expr]) -> Value:
        emitter = lowering.emitter
        value = _operand(lowering, arguments[0], unsigned(width_bits))
        count = _operand(lowering, arguments[1], Interval(0, width_bits - 1))
        lowering.module.declare(name, f"declare {kind} @{name}({kind}, {kind}, {kind})")
        if width_bits == 64:
            return emitter.value(
                f"call i64 @{name}(i64 {value.ref}, i64 {value.ref}, i64 {count.ref})"
            )
        low, turn = (emitter.temp(f"trunc i64 {v.ref} to {kind}") for v in (value, count))
        turned = emitter.temp(f"call {kind} @{name}({kind} {low}, {kind} {low}, {kind} {turn})")
        return emitter.value(f"zext {kind} {turned} to i64", unsigned(width_bits))

    return lower


def _choice(order: str) -> Lowered:
    """The builtin min or max of two values of one 64-bit class."""
    bound = min if order == "lt" else max

    def lower(lowering: Lowering, node: ast.Call, arguments: list[ast.expr]) -> Value:
        a, b = (lowering.exact(argument, "compared") for argument in arguments)
        unsigned_class = a.interval.fits_u64 and b.interval.fits_u64
        if not unsigned_class and not (a.interval.fits_s64 and b.interval.fits_s64):
            lowering.fail(node, "a signed value is compared with an unsigned one")
        sign = "u" if unsigned_class else "s"
        first = lowering.emitter.temp(f"icmp {sign}{order} i64 {a.ref}, {b.ref}")
        interval = Interval(
            bound(a.interval.lo, b.interval.lo), bound(a.interval.hi, b.interval.hi)
        )
        return lowering.emitter.value(f"select i1 {first}, i64 {a.ref}, i64 {b.ref}", interval)

    return lower


BITS: dict[Any, Lowered] = {
    min: _choice("lt"),
    max: _choice("gt"),
    bits.u8: _narrow(8, False),
    bits.u16: _narrow(16, False),
    bits.u32: _narrow(32, False),
    bits.u64: _narrow(64, False),
    bits.s8: _narrow(8, True),
    bits.s16: _narrow(16, True),
    bits.s32: _narrow(32, True),
    bits.s64: _narrow(64, True),
    bits.sdiv: _binary("sdiv", S64),
    bits.srem: _binary("srem", S64),
    bits.udiv: _binary("udiv", U64),
    bits.urem: _binary("urem", U64),
    bits.umulh: _high_product("zext", U64),
    bits.smulh: _high_product("sext", S64),
    bits.clz64: _intrinsic("llvm.ctlz.i64", Interval(0, 64), ", i1 false"),
    bits.ctz64: _intrinsic("llvm.cttz.i64", Interval(0, 64), ", i1 false"),
    bits.popcount64: _intrinsic("llvm.ctpop.i64", Interval(0, 64)),
    bits.bswap64: _intrinsic("llvm.bswap.i64", U64),
    bits.rotl64: _rotate(64),
    bits.rotl32: _rotate(32),
}
"""The vocabulary of base/bits, min and max, and how each word becomes LLVM IR."""

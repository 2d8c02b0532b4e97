"""The engine's own vocabulary for the compiler: raw memory, handlers, TLB, time, CSR dispatch."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

from hospes.compiler.emitter import Value, constant
from hospes.compiler.lower import Lowering
from hospes.compiler.targets import Lowered
from hospes.compiler.width import U64, Interval, unsigned
from hospes.engine.threaded import code, physical, raw, tlb
from hospes.engine.threaded.calls import field
from hospes.isa import subset
from hospes.isa.riscv import csr
from hospes.isa.riscv.csr_table import Csr

LAST_FP_CSR = 3


def _peek(bits: int) -> Lowered:
    def lower(lowering: Lowering, node: ast.Call, arguments: list[ast.expr]) -> Value:
        emitter = lowering.emitter
        pointer = emitter.temp(f"inttoptr i64 {lowering.word(arguments[0]).ref} to ptr")
        loaded = emitter.temp(f"load i{bits}, ptr {pointer}, align 1")
        if bits == 64:
            return Value(loaded, U64)
        return emitter.value(f"zext i{bits} {loaded} to i64", unsigned(bits))

    return lower


def _poke(bits: int) -> Lowered:
    def lower(lowering: Lowering, node: ast.Call, arguments: list[ast.expr]) -> None:
        emitter = lowering.emitter
        pointer = emitter.temp(f"inttoptr i64 {lowering.word(arguments[0]).ref} to ptr")
        ref = lowering.word(arguments[1]).ref
        if bits != 64:
            ref = emitter.temp(f"trunc i64 {ref} to i{bits}")
        emitter.emit(f"store i{bits} {ref}, ptr {pointer}, align 1")

    return lower


def _memory(name: str, kinds: str) -> Lowered:
    """An LLVM memory intrinsic over host addresses."""

    def lower(lowering: Lowering, node: ast.Call, arguments: list[ast.expr]) -> None:
        emitter = lowering.emitter
        lowering.module.declare(name, f"declare void @{name}({kinds}, i64, i1)")
        target = emitter.temp(f"inttoptr i64 {lowering.word(arguments[0]).ref} to ptr")
        middle = "i8 0"
        if len(arguments) == 3:
            source = lowering.word(arguments[1]).ref
            middle = f"ptr {emitter.temp(f'inttoptr i64 {source} to ptr')}"
        size = lowering.word(arguments[-1]).ref
        emitter.emit(f"call void @{name}(ptr {target}, {middle}, i64 {size}, i1 false)")

    return lower


def _lines_differ(lowering: Lowering, node: ast.Call, arguments: list[ast.expr]) -> Value:
    emitter = lowering.emitter
    lines = []
    for argument in arguments:
        pointer = emitter.temp(f"inttoptr i64 {lowering.word(argument).ref} to ptr")
        lines.append(emitter.temp(f"load <8 x i64>, ptr {pointer}, align 1"))
    differ = emitter.temp(f"icmp ne <8 x i64> {lines[0]}, {lines[1]}")
    bits = emitter.temp(f"bitcast <8 x i1> {differ} to i8")
    return emitter.test(f"icmp ne i8 {bits}, 0")


def _handler(lowering: Lowering, node: ast.Call, arguments: list[ast.expr]) -> Value:
    name = arguments[0]
    if not isinstance(name, ast.Constant) or not isinstance(name.value, str):
        lowering.fail(node, "the name of a handler is a literal string")
    return lowering.emitter.value(f"ptrtoint ptr @{name.value} to i64")


def _decode_word(lowering: Lowering, node: ast.Call, arguments: list[ast.expr]) -> None:
    values = ", ".join(f"i64 {lowering.word(argument).ref}" for argument in arguments)
    lowering.emitter.emit(f"call void @decode_word(ptr %h, {values})")


def _fuse(lowering: Lowering, node: ast.Call, arguments: list[ast.expr]) -> None:
    values = [f"i64 {lowering.word(argument).ref}" for argument in arguments[:2]]
    wide = lowering.emitter.as_test(lowering.expression(arguments[2]))
    lowering.emitter.emit(f"call void @fuse({', '.join(values)}, i1 {wide.ref})")


def _redirect(function: Callable[..., Any]) -> Lowered:
    """A vocabulary word that is a native function of the engine."""

    def lower(lowering: Lowering, node: ast.Call, arguments: list[ast.expr]) -> Value | None:
        signature = lowering.module.require(function)
        values = "".join(f", i64 {lowering.word(argument).ref}" for argument in arguments)
        call = f'@"{signature.symbol}"(ptr %h{values})'
        if signature.result is None:
            lowering.emitter.emit(f"call void {call}")
            return None
        return lowering.emitter.value(f"call i64 {call}", signature.result)

    return lower


def _time_now(lowering: Lowering, node: ast.Call, arguments: list[ast.expr]) -> Value:
    return lowering.emitter.value("call i64 @time_now(ptr %h)")


def _leave(lowering: Lowering, node: ast.Call, arguments: list[ast.expr]) -> None:
    reason = lowering.word(arguments[0])
    lowering.emitter.store_word("%h", field("exit_reason"), reason.ref)


def _csr_switch(access: Callable[[Lowering, Csr, str], None], name: str) -> Lowered:
    """A switch over all CSRs, as a function of its own made on first use."""

    def lower(lowering: Lowering, node: ast.Call, arguments: list[ast.expr]) -> Value:
        number = lowering.word(arguments[0]).ref
        value = lowering.word(arguments[1]).ref if len(arguments) > 1 else "0"
        if name not in lowering.module.definitions:
            lowering.module.define(name, "")
            lowering.module.define(name, _define_switch(lowering, access, name))
        call = f"call i64 @{name}(ptr %h, i64 {number}, i64 {value})"
        return lowering.emitter.value(call, Interval(0, 1))

    return lower


def _define_switch(
    lowering: Lowering, access: Callable[[Lowering, Csr, str], None], name: str
) -> str:
    inner = lowering.detached()
    emitter = inner.emitter
    cases = " ".join(f"i64 {number}, label %csr{number}" for number in csr.CSRS)
    emitter.terminate(f"switch i64 %number, label %none [ {cases} ]")
    for number, found in csr.CSRS.items():
        emitter.place(f"csr{number}")
        if number <= LAST_FP_CSR:
            emitter.emit("call void @host_fp_collect(ptr %h)")
        access(inner, found, "%value")
        if number <= LAST_FP_CSR:
            emitter.emit("call void @host_fp_apply(ptr %h)")
        emitter.terminate("ret i64 0")
    emitter.place("none")
    emitter.terminate("ret i64 1")
    return (
        f"define internal i64 @{name}(ptr %h, i64 %number, i64 %value) nounwind {{\n"
        f"{emitter.body()}\n}}\n"
    )


def _read_csr(lowering: Lowering, found: Csr, value: str) -> None:
    emitter = lowering.emitter
    if found.read is not None:
        result = _call(lowering, found.read, found.index, None)
        assert result is not None, found.name
    elif found.field:
        result = emitter.load_word("%h", field(found.field))
    else:
        result = constant(found.constant)
    emitter.store_word("%h", field("csr_value"), result.ref)


def _write_csr(lowering: Lowering, found: Csr, value: str) -> None:
    emitter = lowering.emitter
    if found.write is not None:
        _call(lowering, found.write, found.index, value)
    elif found.field and found.write_mask:
        old = emitter.load_word("%h", field(found.field))
        kept = emitter.temp(f"and i64 {old.ref}, {~found.write_mask}")
        new = emitter.temp(f"and i64 {value}, {found.write_mask}")
        emitter.store_word("%h", field(found.field), emitter.temp(f"or i64 {kept}, {new}"))


def _call(
    lowering: Lowering, function: Callable[..., Any], index: int | None, value: str | None
) -> Value | None:
    signature = lowering.module.require(function)
    arguments = "" if index is None else f", i64 {index}"
    arguments += "" if value is None else f", i64 {value}"
    call = f'@"{signature.symbol}"(ptr %h{arguments})'
    if signature.result is None:
        lowering.emitter.emit(f"call void {call}")
        return None
    return lowering.emitter.value(f"call i64 {call}", signature.result)


WORDS: dict[Any, Lowered] = {
    raw.peek8: _peek(8),
    raw.peek16: _peek(16),
    raw.peek32: _peek(32),
    raw.peek64: _peek(64),
    raw.poke8: _poke(8),
    raw.poke16: _poke(16),
    raw.poke32: _poke(32),
    raw.poke64: _poke(64),
    raw.fill_zero: _memory("llvm.memset.p0.i64", "ptr, i8"),
    raw.copy: _memory("llvm.memcpy.p0.p0.i64", "ptr, ptr"),
    raw.lines_differ: _lines_differ,
    raw.handler: _handler,
    raw.decode_word: _decode_word,
    raw.fuse: _fuse,
    subset.flush_tlb: _redirect(tlb.flush_all),
    subset.flush_tlb_page: _redirect(tlb.flush_one_page),
    subset.flush_tlb_asid: _redirect(tlb.flush_address_space),
    subset.switch_asid: _redirect(tlb.select_address_space),
    subset.flush_code: _redirect(code.renew_code),
    subset.ram_present: _redirect(physical.physical_present),
    subset.ram_load64: _redirect(physical.physical_load),
    subset.ram_compare_exchange64: _redirect(physical.physical_compare_exchange),
    subset.time_now: _time_now,
    subset.leave: _leave,
    csr.csr_dispatch_read: _csr_switch(_read_csr, "csr_read_switch"),
    csr.csr_dispatch_write: _csr_switch(_write_csr, "csr_write_switch"),
}
"""Every word of the engine's vocabulary and how it becomes LLVM IR."""

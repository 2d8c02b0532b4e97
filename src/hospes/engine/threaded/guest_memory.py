"""Loads, stores and atomics of a handler: inline by the TLB, or out of line in the slow variant."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from hospes.compiler.emitter import Value, constant
from hospes.compiler.lower import Lowering
from hospes.compiler.targets import Lowered
from hospes.compiler.width import U64, unsigned
from hospes.engine.threaded import access
from hospes.engine.threaded.calls import PAGE_MASK, field
from hospes.engine.threaded.state import (
    DATA_ADDEND,
    DATA_ENTRY_SHIFT,
    DATA_WRITE,
    TLB_ENTRIES,
)
from hospes.isa import subset
from hospes.isa.riscv.encoding import WRITE

if TYPE_CHECKING:
    from hospes.engine.threaded.handlers import Handler

AMO_INSTRUCTIONS: Final = {"add": "add", "and": "and", "or": "or", "xor": "xor"}
AMO_CHOICES: Final = {"min": "slt", "max": "sgt", "minu": "ult", "maxu": "ugt"}
LOADS: Final = {subset.load8: 1, subset.load16: 2, subset.load32: 4, subset.load64: 8}
STORES: Final = {subset.store8: 1, subset.store16: 2, subset.store32: 4, subset.store64: 8}
AMOS: Final = {subset.amo32: 4, subset.amo64: 8}
EXCHANGES: Final = {subset.compare_exchange32: 4, subset.compare_exchange64: 8}


class GuestMemory:
    """The memory vocabulary as one handler lowers it; `words` maps functions to lowerings."""

    def __init__(self, handler: Handler) -> None:
        self.handler = handler
        self.emitter = handler.emitter
        self.words: dict[Any, Lowered] = {
            **{function: self._load(size) for function, size in LOADS.items()},
            **{function: self._store(size) for function, size in STORES.items()},
            **{function: self._amo(size) for function, size in AMOS.items()},
            **{function: self._compare_exchange(size) for function, size in EXCHANGES.items()},
        }

    def _fast_address(self, lowering: Lowering, gva: Value, size: int, tag_offset: int) -> str:
        """A pointer to guest memory if the TLB has the page; else the slow variant is called."""
        emitter = self.emitter
        last = emitter.temp(f"add i64 {gva.ref}, {size - 1}")
        page = emitter.temp(f"and i64 {last}, {PAGE_MASK}")
        wanted = emitter.temp(f"or i64 {page}, %gen")
        shifted = emitter.temp(f"lshr i64 {gva.ref}, {12 - DATA_ENTRY_SHIFT}")
        index = emitter.temp(f"and i64 {shifted}, {(TLB_ENTRIES - 1) << DATA_ENTRY_SHIFT}")
        entry = emitter.address("%tlb", index)
        tag = emitter.load_word(entry, tag_offset)
        self.handler.unless(emitter.test(f"icmp eq i64 {tag.ref}, {wanted}"))
        addend = emitter.load_word(entry, DATA_ADDEND)
        host = emitter.temp(f"add i64 {gva.ref}, {addend.ref}")
        return emitter.temp(f"inttoptr i64 {host} to ptr")

    def _check_access(self) -> None:
        """Behind an access out of line: go on only if it was done."""
        emitter = self.emitter
        state = emitter.load_word("%h", field("access"))
        done = emitter.test(f"icmp eq i64 {state.ref}, 0")
        good, bad = emitter.name("good"), emitter.name("bad")
        emitter.branch(done, good, bad, likely=True)
        emitter.place(bad)
        self.handler.leave_by("@access_failed")
        emitter.place(good)

    def _slow(self, lowering: Lowering, function: Callable[..., Any], *values: Value) -> Value:
        """Call one of the access functions and check how it ended."""
        signature = lowering.module.require(function)
        arguments = "".join(f", i64 {value.ref}" for value in values)
        result = self.emitter.value(f'call i64 @"{signature.symbol}"(ptr %h{arguments})')
        self._check_access()
        return result

    def _aligned_pointer(self, lowering: Lowering, gva: Value, size: int) -> str:
        """A pointer for an atomic operation."""
        if self.handler.fast:
            return self._fast_address(lowering, gva, size, DATA_WRITE)
        host = self._slow(lowering, access.slow_address, gva, constant(WRITE))
        return self.emitter.temp(f"inttoptr i64 {host.ref} to ptr")

    def _load(self, size: int) -> Lowered:
        kind, interval = f"i{8 * size}", unsigned(8 * size)

        def lower(lowering: Lowering, node: ast.Call, arguments: list[ast.expr]) -> Value:
            gva = _address(lowering, arguments[0])
            if not self.handler.fast:
                value = self._slow(lowering, access.slow_load, gva, constant(size))
                return Value(value.ref, interval)
            pointer = self._fast_address(lowering, gva, size, 0)
            loaded = self.emitter.temp(f"load {kind}, ptr {pointer}, align 1")
            if size == 8:
                return Value(loaded, U64)
            return self.emitter.value(f"zext {kind} {loaded} to i64", interval)

        return lower

    def _store(self, size: int) -> Lowered:
        def lower(lowering: Lowering, node: ast.Call, arguments: list[ast.expr]) -> None:
            gva, value = _address(lowering, arguments[0]), lowering.word(arguments[1])
            if not self.handler.fast:
                self._slow(lowering, access.slow_store, gva, constant(size), value)
                return
            pointer = self._fast_address(lowering, gva, size, DATA_WRITE)
            narrow = self._narrow(value, size)
            self.emitter.emit(f"store i{8 * size} {narrow}, ptr {pointer}, align 1")

        return lower

    def _narrow(self, value: Value, size: int) -> str:
        if size == 8:
            return value.ref
        return self.emitter.temp(f"trunc i64 {value.ref} to i{8 * size}")

    def _widen(self, ref: str, size: int) -> Value:
        if size == 8:
            return Value(ref, U64)
        return self.emitter.value(f"zext i{8 * size} {ref} to i64", unsigned(8 * size))

    def _amo(self, size: int) -> Lowered:
        """Harts of a machine take turns on one thread, so plain instructions are atomic."""
        kind = f"i{8 * size}"

        def lower(lowering: Lowering, node: ast.Call, arguments: list[ast.expr]) -> Value:
            operation = arguments[0]
            if not isinstance(operation, ast.Constant) or not isinstance(operation.value, str):
                lowering.fail(node, "the operation of an AMO is a literal string")
            gva, value = _address(lowering, arguments[1]), lowering.word(arguments[2])
            emitter = self.emitter
            pointer = self._aligned_pointer(lowering, gva, size)
            operand = self._narrow(value, size)
            old = emitter.temp(f"load {kind}, ptr {pointer}, align 1")
            emitter.emit(f"store {kind} {self._combine(operation.value, kind, old, operand)}, "
                         f"ptr {pointer}, align 1")  # fmt: skip
            return self._widen(old, size)

        return lower

    def _combine(self, operation: str, kind: str, old: str, operand: str) -> str:
        emitter = self.emitter
        if operation == "swap":
            return operand
        if operation in AMO_CHOICES:
            keep = emitter.temp(f"icmp {AMO_CHOICES[operation]} {kind} {old}, {operand}")
            return emitter.temp(f"select i1 {keep}, {kind} {old}, {kind} {operand}")
        return emitter.temp(f"{AMO_INSTRUCTIONS[operation]} {kind} {old}, {operand}")

    def _compare_exchange(self, size: int) -> Lowered:
        kind = f"i{8 * size}"

        def lower(lowering: Lowering, node: ast.Call, arguments: list[ast.expr]) -> Value:
            gva = _address(lowering, arguments[0])
            expected, value = (lowering.word(argument) for argument in arguments[1:])
            emitter = self.emitter
            pointer = self._aligned_pointer(lowering, gva, size)
            old = emitter.temp(f"load {kind}, ptr {pointer}, align 1")
            same = emitter.test(f"icmp eq {kind} {old}, {self._narrow(expected, size)}")
            new = self._narrow(value, size)
            kept = emitter.temp(f"select i1 {same.ref}, {kind} {new}, {kind} {old}")
            emitter.emit(f"store {kind} {kept}, ptr {pointer}, align 1")
            return same

        return lower


def _address(lowering: Lowering, node: ast.expr) -> Value:
    gva = lowering.exact(node, "used as an address")
    if not gva.interval.fits_u64:
        lowering.fail(node, "an address is a u64; wrap it in u64()")
    return gva

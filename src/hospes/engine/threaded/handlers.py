"""Native handlers: each instruction's function, compiled so that it ends by calling the next op's.

A handler has no frame of its own in the common case: what is rare leaves by a tail call to a slower
variant of the same instruction, which does everything out of line (docs/ARCHITECTURE.md).
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from enum import Enum
from typing import Any

from hospes.compiler.emitter import Emitter, Value, constant
from hospes.compiler.lower import Lowered, Lowering, Module, lower_body
from hospes.compiler.subset import Source, source_of
from hospes.compiler.width import U64, unsigned
from hospes.engine.threaded import access
from hospes.engine.threaded.ops import Operation, Slot
from hospes.engine.threaded.state import (
    DATA_ADDEND,
    DATA_ENTRY_SHIFT,
    DATA_TABLE_SHIFT,
    DATA_WRITE,
    FETCH_ADDEND,
    FETCH_ENTRY_SHIFT,
    OP_BYTES,
    TLB_ENTRIES,
    EngineState,
)
from hospes.isa import subset
from hospes.isa.riscv.encoding import READ, WRITE

SIGNATURE = "ptr %op, ptr %h, ptr %tlb, i64 %budget, i64 %pcbase, i64 %gen"
PAGE_MASK = -4096
AMO_INSTRUCTIONS = {"add": "add", "and": "and", "or": "or", "xor": "xor"}
AMO_CHOICES = {"min": "slt", "max": "sgt", "minu": "ult", "maxu": "ugt"}
LOADS = {subset.load8: 1, subset.load16: 2, subset.load32: 4, subset.load64: 8}
STORES = {subset.store8: 1, subset.store16: 2, subset.store32: 4, subset.store64: 8}
AMOS = {subset.amo32: 4, subset.amo64: 8}
EXCHANGES = {subset.compare_exchange32: 4, subset.compare_exchange64: 8}


class Kind(Enum):
    """How a handler treats what is rare."""

    FAST = "fast"
    """Inline TLB look-ups; a miss goes to the SLOW variant."""
    SLOW = "slow"
    """Memory through functions; what these cannot do goes to the reference engine."""
    SERIAL = "serial"
    """A system instruction: the whole state is in the hart around it."""


def field(name: str) -> int:
    """A state field's byte offset."""
    return EngineState.offsets[name]


def tail(callee: str, **changed: str) -> list[str]:
    """The instructions of a tail call between handlers, with some arguments changed."""
    names = ("op", "h", "tlb", "budget", "pcbase", "gen")
    kinds = ("ptr", "ptr", "ptr", "i64", "i64", "i64")
    arguments = ", ".join(
        f"{kind} {changed.get(name, '%' + name)}" for kind, name in zip(kinds, names, strict=True)
    )
    return [f"musttail call preserve_nonecc void {callee}({arguments})", "ret void"]


def define_handler(name: str, body: str, *, hot: bool = True) -> str:
    """The text of one handler."""
    attributes = "nounwind" if hot else "nounwind noinline cold"
    return f'define preserve_nonecc void @"{name}"({SIGNATURE}) {attributes} {{\n{body}\n}}\n'


class Handler:
    """The target of one handler: an operation, an instruction length, near or far, and a kind."""

    def __init__(self, operation: Operation, length: int, kind: Kind, *, near: bool) -> None:
        self.emitter = Emitter()
        self.operation = operation
        self.length = length
        self.kind = kind
        self.near = near
        self.jumps_relative = False
        self.needs_slow = False
        self._memory: dict[Any, Lowered] = {
            subset.jump: self._jump,
            **{function: self._load(size) for function, size in LOADS.items()},
            **{function: self._store(size) for function, size in STORES.items()},
            **{function: self._amo(size) for function, size in AMOS.items()},
            **{function: self._compare_exchange(size) for function, size in EXCHANGES.items()},
        }

    def prologue(self) -> None:
        """A system instruction starts by writing the state down."""
        if self.kind is not Kind.SERIAL:
            return
        pc = self._pc()
        emitter = self.emitter
        emitter.store_word("%h", field("pc"), pc.ref)
        after = emitter.value(f"add i64 {pc.ref}, {self.length}")
        emitter.store_word("%h", field("next_pc"), after.ref)
        end = emitter.load_word("%h", field("instret_end"))
        retired = emitter.value(f"sub i64 {end.ref}, %budget")
        emitter.store_word("%h", field("instret"), retired.ref)

    def operand(self, slot: Slot) -> Value:
        """Load one operand from the op."""
        emitter = self.emitter
        pointer = emitter.address("%op", slot.offset)
        narrow = emitter.temp(f"load i{8 * slot.size_bytes}, ptr {pointer}")
        extend = "sext" if slot.size_bytes == 4 else "zext"
        return emitter.value(f"{extend} i{8 * slot.size_bytes} {narrow} to i64", slot.interval)

    def vocabulary(self, function: Callable[..., Any]) -> Lowered | None:
        return self._memory.get(function)

    def field(self, lowering: Lowering, name: str) -> Value | None:
        if self.kind is Kind.SERIAL or name not in {"pc", "next_pc"}:
            return None
        pc = self._pc()
        if name == "pc":
            return pc
        return self.emitter.value(f"add i64 {pc.ref}, {self.length}")

    def finish(self, lowering: Lowering, node: ast.AST, value: Value | None) -> None:
        if value is not None:
            lowering.fail(node, "an instruction's function returns nothing")
        if self.kind is Kind.SERIAL:
            self._finish_serial()
            return
        budget = self._spend()
        op = self.emitter.address("%op", self.length // 2 * OP_BYTES)
        self._dispatch(op, budget=budget)

    def trap(self, lowering: Lowering, node: ast.AST, cause: Value, tval: Value) -> None:
        self.emitter.store_word("%h", field("trap_cause"), cause.ref)
        self.emitter.store_word("%h", field("trap_tval"), tval.ref)
        self._leave_by("@trap")

    def illegal(self, lowering: Lowering, node: ast.AST) -> None:
        self._leave_by("@illegal")

    def unless(self, ok: Value) -> None:
        """Go on only if ok; otherwise redo the instruction in the next slower way."""
        emitter = self.emitter
        good, bad = emitter.name("good"), emitter.name("bad")
        emitter.branch(ok, good, bad, likely=True)
        emitter.place(bad)
        if self.kind is Kind.FAST:
            self.needs_slow = True
            self._leave_by(f'@"{self.symbol(Kind.SLOW)}"')
        else:
            self._leave_by("@leave_reference")
        emitter.place(good)

    def symbol(self, kind: Kind) -> str:
        """The name of this handler's variant of a kind."""
        return symbol(self.operation, self.length, kind, near=self.near)

    def _pc(self) -> Value:
        emitter = self.emitter
        address = emitter.temp("ptrtoint ptr %op to i64")
        place = emitter.temp(f"lshr i64 {address}, 3")
        return emitter.value(f"add i64 {place}, %pcbase")

    def _spend(self) -> str:
        return self.emitter.temp("sub i64 %budget, 1")

    def _leave_by(self, callee: str, **changed: str) -> None:
        call, end = tail(callee, **changed)
        self.emitter.emit(call)
        self.emitter.terminate(end)

    def _dispatch(self, op: str, **changed: str) -> None:
        handler = self.emitter.temp(f"load ptr, ptr {op}")
        self._leave_by(handler, op=op, **changed)

    def _finish_serial(self) -> None:
        """Go on behind a system instruction: straight on if nothing that matters changed."""
        emitter = self.emitter
        budget = self._spend()
        expected = emitter.value(f"add i64 {self._pc().ref}, {self.length}")
        jumped = emitter.value(
            f"xor i64 {emitter.load_word('%h', field('next_pc')).ref}, {expected.ref}"
        )
        switched = emitter.value(
            f"xor i64 {emitter.load_word('%h', field('generation')).ref}, %gen"
        )
        event = emitter.value(
            f"or i64 {emitter.load_word('%h', field('poll')).ref}, "
            f"{emitter.load_word('%h', field('exit_reason')).ref}"
        )
        changed = emitter.temp(f"or i64 {jumped.ref}, {switched.ref}")
        changed = emitter.temp(f"or i64 {changed}, {event.ref}")
        straight = emitter.test(f"icmp eq i64 {changed}, 0")
        on, aside = emitter.name("on"), emitter.name("aside")
        emitter.branch(straight, on, aside)
        emitter.place(aside)
        self._leave_by("@resume", budget=budget)
        emitter.place(on)
        tables = emitter.load_word("%h", field("data_tables"))
        context = emitter.load_word("%h", field("context"))
        offset = emitter.temp(f"shl i64 {context.ref}, {DATA_TABLE_SHIFT}")
        table = emitter.temp(f"add i64 {tables.ref}, {offset}")
        tlb = emitter.temp(f"inttoptr i64 {table} to ptr")
        op = emitter.address("%op", self.length // 2 * OP_BYTES)
        self._dispatch(op, budget=budget, tlb=tlb)

    def _jump(self, lowering: Lowering, node: ast.Call, arguments: list[ast.expr]) -> None:
        distance = _relative(node, arguments[0])
        if self.kind is Kind.SERIAL:
            lowering.fail(node, "a system instruction sets h.next_pc instead of jumping")
        self.jumps_relative |= distance is not None
        if distance is not None and self.near:
            self._jump_near(lowering.word(distance))
        else:
            self._jump_far(lowering.word(arguments[0]))

    def _jump_near(self, distance: Value) -> None:
        """To an op of the same page."""
        emitter = self.emitter
        offset = emitter.temp(f"shl i64 {distance.ref}, 3")
        op = emitter.address("%op", offset)
        budget = self._spend()
        more = emitter.test(f"icmp sgt i64 {budget}, 0")
        on, pause = emitter.name("on"), emitter.name("pause")
        emitter.branch(more, on, pause, likely=True)
        emitter.place(pause)
        self._leave_by("@pause", op=op, budget=budget)
        emitter.place(on)
        self._dispatch(op, budget=budget)

    def _jump_far(self, target: Value) -> None:
        """To any address, through the fetch TLB."""
        budget = self._spend()
        emitter = self.emitter
        emit_far_jump(emitter, target.ref, budget)

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
        self.unless(emitter.test(f"icmp eq i64 {tag.ref}, {wanted}"))
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
        self._leave_by("@access_failed")
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
        if self.kind is Kind.FAST:
            return self._fast_address(lowering, gva, size, DATA_WRITE)
        host = self._slow(lowering, access.slow_address, gva, constant(WRITE))
        return self.emitter.temp(f"inttoptr i64 {host.ref} to ptr")

    def _load(self, size: int) -> Lowered:
        kind, interval = f"i{8 * size}", unsigned(8 * size)

        def lower(lowering: Lowering, node: ast.Call, arguments: list[ast.expr]) -> Value:
            gva = _address(lowering, arguments[0])
            if self.kind is not Kind.FAST:
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
            if self.kind is not Kind.FAST:
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


def emit_far_jump(emitter: Emitter, target: str, budget: str) -> None:
    """Jump to a guest address: by the fetch TLB, or through @resume if it or the budget fails."""
    table = emitter.temp(f"load ptr, ptr {emitter.address('%h', field('fetch_table'))}")
    shifted = emitter.temp(f"lshr i64 {target}, {12 - FETCH_ENTRY_SHIFT}")
    index = emitter.temp(f"and i64 {shifted}, {(TLB_ENTRIES - 1) << FETCH_ENTRY_SHIFT}")
    entry = emitter.address(table, index)
    page = emitter.temp(f"and i64 {target}, {PAGE_MASK}")
    wanted = emitter.temp(f"or i64 {page}, %gen")
    tag = emitter.load_word(entry, 0)
    hit = emitter.temp(f"icmp eq i64 {tag.ref}, {wanted}")
    more = emitter.temp(f"icmp sgt i64 {budget}, 0")
    both = emitter.test(f"and i1 {hit}, {more}")
    on, aside = emitter.name("on"), emitter.name("aside")
    emitter.branch(both, on, aside, likely=True)
    emitter.place(aside)
    emitter.store_word("%h", field("next_pc"), target)
    call, end = tail("@resume", budget=budget)
    emitter.emit(call)
    emitter.terminate(end)
    emitter.place(on)
    addend = emitter.load_word(entry, FETCH_ADDEND)
    scaled = emitter.temp(f"shl i64 {target}, 3")
    address = emitter.temp(f"add i64 {addend.ref}, {scaled}")
    place = emitter.temp(f"lshr i64 {address}, 3")
    base = emitter.temp(f"sub i64 {target}, {place}")
    op = emitter.temp(f"inttoptr i64 {address} to ptr")
    handler = emitter.temp(f"load ptr, ptr {op}")
    call, end = tail(handler, op=op, budget=budget, pcbase=base)
    emitter.emit(call)
    emitter.terminate(end)


def symbol(operation: Operation, length: int, kind: Kind, *, near: bool) -> str:
    """The name of a handler."""
    place = ".near" if near else ""
    slow = ".slow" if kind is Kind.SLOW else ""
    return f"{operation.function.__module__.rpartition('.')[2]}.{operation.name}.{length}{place}{slow}"


def compile_operation(module: Module, operation: Operation) -> dict[tuple[int, bool], str]:
    """Define every handler of an operation; returns the symbols by length and nearness."""
    source = source_of(operation.function)
    symbols = {}
    for length in operation.lengths:
        first = Kind.SERIAL if operation.serial else Kind.FAST
        far = _compile(module, source, operation, length, first, near=False)
        symbols[length, False] = far.symbol(first)
        if far.jumps_relative:
            near = _compile(module, source, operation, length, first, near=True)
            symbols[length, True] = near.symbol(first)
    return symbols


def _compile(
    module: Module, source: Source, operation: Operation, length: int, kind: Kind, *, near: bool
) -> Handler:
    arguments: dict[str, Value] = {}

    def start() -> Handler:
        handler = Handler(operation, length, kind, near=near)
        handler.prologue()
        arguments.update({slot.name: handler.operand(slot) for slot in operation.slots})
        return handler

    handler = lower_body(module, source, start, arguments)
    name = handler.symbol(kind)
    module.define(name, define_handler(name, handler.emitter.body(), hot=kind is Kind.FAST))
    if handler.needs_slow:
        _compile(module, source, operation, length, Kind.SLOW, near=near)
    return handler


def _relative(node: ast.Call, target: ast.expr) -> ast.expr | None:
    """The distance x of a jump to `u64(h.pc + x)`, or None for any other target."""
    match target:
        case ast.Call(
            func=ast.Name(id="u64"),
            args=[ast.BinOp(left=ast.Attribute(attr="pc"), op=ast.Add(), right=distance)],
        ):
            return distance
    return None


def _address(lowering: Lowering, node: ast.expr) -> Value:
    gva = lowering.exact(node, "used as an address")
    if not gva.interval.fits_u64:
        lowering.fail(node, "an address is a u64; wrap it in u64()")
    return gva


__all__ = ["READ", "Handler", "Kind", "compile_operation", "define_handler", "field", "tail"]

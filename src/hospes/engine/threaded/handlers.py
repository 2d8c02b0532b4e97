"""Native handlers: each instruction's function, compiled so that it ends by calling the next op's.

A handler has no frame of its own in the common case: what is rare leaves by a tail call to a slower
variant of the same instruction, which does everything out of line (docs/ENGINE.md).
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from enum import Enum
from typing import Any, Final

from hospes.compiler.emitter import Emitter, Value, constant
from hospes.compiler.expressions import Expressions
from hospes.compiler.lower import Lowering
from hospes.compiler.targets import Lowered, Target
from hospes.engine.threaded.calls import emit_far_jump, field, tail
from hospes.engine.threaded.guest_memory import GuestMemory
from hospes.engine.threaded.ops import Operation, Slot
from hospes.engine.threaded.state import DATA_TABLE_SHIFT, OP_BYTES
from hospes.isa import subset
from hospes.isa.riscv.rv_priv import mret, sret

RETURNS: Final = {mret, sret}
"""What changes the mode of fetching, even when it goes on at the next instruction."""


class Kind(Enum):
    """How a handler treats what is rare."""

    FAST = "fast"
    """Inline TLB look-ups; a miss goes to the SLOW variant."""
    SLOW = "slow"
    """Memory through functions; what these cannot do goes to the reference engine."""
    SERIAL = "serial"
    """A system instruction: the whole state is in the hart around it."""


class Handler(Target):
    """The target of one handler: an operation, an instruction length, near or far, and a kind."""

    def __init__(
        self,
        operation: Operation,
        length: int,
        kind: Kind,
        *,
        near: bool,
        emitter: Emitter | None = None,
    ) -> None:
        self.emitter = emitter or Emitter()
        self.operation = operation
        self.length = length
        self.kind = kind
        self.near = near
        self.jumps_relative = False
        self.needs_slow = False
        self.op = "%op"
        self.budget = "%budget"
        self.following = ""
        self._memory = GuestMemory(self).words

    @property
    def fast(self) -> bool:
        """Whether this is the inline variant."""
        return self.kind is Kind.FAST

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
        retired = emitter.value(f"sub i64 {end.ref}, {self.budget}")
        emitter.store_word("%h", field("instret"), retired.ref)

    def operand(self, slot: Slot) -> Value:
        """Load one operand from the op, unless only one value is possible."""
        if slot.interval.lo == slot.interval.hi:
            return constant(slot.interval.lo)
        emitter = self.emitter
        pointer = emitter.address(self.op, slot.offset)
        narrow = emitter.temp(f"load i{8 * slot.size_bytes}, ptr {pointer}")
        extend = "sext" if slot.size_bytes == 4 else "zext"
        return emitter.value(f"{extend} i{8 * slot.size_bytes} {narrow} to i64", slot.interval)

    def vocabulary(self, function: Callable[..., Any]) -> Lowered | None:
        return self._jump if function is subset.jump else self._memory.get(function)

    def field(self, lowering: Expressions, name: str) -> Value | None:
        if self.kind is Kind.SERIAL or name not in {"pc", "next_pc"}:
            return None
        pc = self._pc()
        if name == "pc":
            return pc
        return self.emitter.value(f"add i64 {pc.ref}, {self.length}")

    def finish(self, lowering: Expressions, node: ast.AST, value: Value | None) -> None:
        if value is not None:
            lowering.fail(node, "an instruction's function returns nothing")
        if self.kind is Kind.SERIAL:
            self._finish_serial()
            return
        if self.following:
            self.emitter.goto(self.following)
            return
        budget = self._spend()
        op = self.emitter.address(self.op, self.length // 2 * OP_BYTES)
        self._dispatch(op, budget=budget)

    def trap(self, lowering: Expressions, node: ast.AST, cause: Value, tval: Value) -> None:
        self.emitter.store_word("%h", field("trap_cause"), cause.ref)
        self.emitter.store_word("%h", field("trap_tval"), tval.ref)
        self.leave_by("@trap")

    def illegal(self, lowering: Expressions, node: ast.AST) -> None:
        self.leave_by("@illegal")

    def unless(self, ok: Value) -> None:
        """Go on only if ok; otherwise redo the instruction in the next slower way."""
        emitter = self.emitter
        good, bad = emitter.name("good"), emitter.name("bad")
        emitter.branch(ok, good, bad, likely=True)
        emitter.place(bad)
        if self.kind is Kind.FAST:
            self.needs_slow = True
            self.leave_by(f'@"{self.symbol(Kind.SLOW)}"')
        else:
            self.leave_by("@leave_reference")
        emitter.place(good)

    def symbol(self, kind: Kind) -> str:
        """The name of this handler's variant of a kind."""
        module = self.operation.function.__module__.rpartition(".")[2]
        place = ".near" if self.near else ""
        slow = ".slow" if kind is Kind.SLOW else ""
        return f"{module}.{self.operation.name}.{self.length}{place}{slow}"

    def _pc(self) -> Value:
        emitter = self.emitter
        address = emitter.temp(f"ptrtoint ptr {self.op} to i64")
        place = emitter.temp(f"lshr i64 {address}, 3")
        return emitter.value(f"add i64 {place}, %pcbase")

    def _spend(self) -> str:
        return self.emitter.temp(f"sub i64 {self.budget}, 1")

    def leave_by(self, callee: str, **changed: str) -> None:
        """End this path with a tail call."""
        call, end = tail(callee, **{"op": self.op, "budget": self.budget} | changed)
        self.emitter.emit(call)
        self.emitter.terminate(end)

    def _dispatch(self, op: str, **changed: str) -> None:
        handler = self.emitter.temp(f"load ptr, ptr {op}")
        self.leave_by(handler, op=op, **changed)

    def _finish_serial(self) -> None:
        """Go on behind a system instruction: straight on if nothing that matters changed."""
        emitter = self.emitter
        budget = self._spend()
        if self.operation.function in RETURNS:
            self.leave_by("@resume", budget=budget)
            return
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
        self.leave_by("@resume", budget=budget)
        emitter.place(on)
        tables = emitter.load_word("%h", field("data_tables"))
        context = emitter.load_word("%h", field("context"))
        offset = emitter.temp(f"shl i64 {context.ref}, {DATA_TABLE_SHIFT}")
        table = emitter.temp(f"add i64 {tables.ref}, {offset}")
        tlb = emitter.temp(f"inttoptr i64 {table} to ptr")
        op = emitter.address(self.op, self.length // 2 * OP_BYTES)
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
        op = emitter.address(self.op, offset)
        budget = self._spend()
        more = emitter.test(f"icmp sgt i64 {budget}, 0")
        on, pause = emitter.name("on"), emitter.name("pause")
        emitter.branch(more, on, pause, likely=True)
        emitter.place(pause)
        self.leave_by("@pause", op=op, budget=budget)
        emitter.place(on)
        self._dispatch(op, budget=budget)

    def _jump_far(self, target: Value) -> None:
        """To any address, through the fetch TLB."""
        budget = self._spend()
        emitter = self.emitter
        emit_far_jump(emitter, target.ref, budget)


def _relative(node: ast.Call, target: ast.expr) -> ast.expr | None:
    """The distance x of a jump to `u64(h.pc + x)`, or None for any other target."""
    match target:
        case ast.Call(
            func=ast.Name(id="u64"),
            args=[ast.BinOp(left=ast.Attribute(attr="pc"), op=ast.Add(), right=distance)],
        ):
            return distance
    return None

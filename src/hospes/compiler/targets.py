"""Kinds of generated function: how each one faults, jumps and ends."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from hospes.compiler.emitter import Emitter, Value, constant
from hospes.compiler.expressions import Expressions
from hospes.compiler.width import Interval

if TYPE_CHECKING:
    from hospes.compiler.lower import Lowering

Lowered = Callable[["Lowering", ast.Call, list[ast.expr]], Value | None]
"""Lowers one call of a vocabulary function; the arguments exclude the state."""


class Target(Protocol):
    """What differs between kinds of generated function: how they fault, jump and end."""

    emitter: Emitter

    def finish(self, lowering: Expressions, node: ast.AST, value: Value | None) -> None:
        """The function's end: falling off it, or a return statement."""

    def trap(self, lowering: Expressions, node: ast.AST, cause: Value, tval: Value) -> None:
        """raise Trap(cause, tval)."""

    def illegal(self, lowering: Expressions, node: ast.AST) -> None:
        """raise Illegal()."""

    def field(self, lowering: Expressions, name: str) -> Value | None:
        """A field of the state that this target keeps elsewhere, or None."""

    def vocabulary(self, function: Callable[..., Any]) -> Lowered | None:
        """The lowering of a vocabulary function in this target, or None."""


AnyTarget = TypeVar("AnyTarget", bound=Target)


class Returned:
    """What a function's paths return: all of them a value, within an interval, or none."""

    def __init__(self) -> None:
        self.paths = 0
        self.interval: Interval | None = None

    def note(self, lowering: Expressions, node: ast.AST, value: Value | None) -> None:
        """One more path that ends, with or without a value."""
        if self.paths and (self.interval is None) != (value is None):
            lowering.fail(node, "some paths return a value and others do not")
        self.paths += 1
        if value is not None:
            before = self.interval or value.interval
            self.interval = before.join(value.interval)


class NativeFunction(Target):
    """The target for a function of its own: it returns, and can neither fault nor jump."""

    def __init__(self, emitter: Emitter) -> None:
        self.emitter = emitter
        self.returned = Returned()

    def finish(self, lowering: Expressions, node: ast.AST, value: Value | None) -> None:
        self.returned.note(lowering, node, value)
        self.emitter.terminate("ret void" if value is None else f"ret i64 {value.ref}")

    def trap(self, lowering: Expressions, node: ast.AST, cause: Value, tval: Value) -> None:
        lowering.fail(node, "a function that is not @inline cannot raise; return a status instead")

    def illegal(self, lowering: Expressions, node: ast.AST) -> None:
        self.trap(lowering, node, constant(0), constant(0))

    def field(self, lowering: Expressions, name: str) -> Value | None:
        return None

    def vocabulary(self, function: Callable[..., Any]) -> Lowered | None:
        return None


class Expansion(Target):
    """The target for an @inline body: returning goes on behind the call."""

    def __init__(self, outer: Target, label: str, scope: str) -> None:
        self.outer = outer
        self.emitter = outer.emitter
        self.label = label
        self.scope = scope
        self.key = f"{scope}return"
        self.returned = Returned()

    def finish(self, lowering: Expressions, node: ast.AST, value: Value | None) -> None:
        self.returned.note(lowering, node, value)
        if value is not None:
            self.emitter.emit(f"store i64 {value.ref}, ptr {self.emitter.slot(self.key)}")
        self.emitter.goto(self.label)

    def trap(self, lowering: Expressions, node: ast.AST, cause: Value, tval: Value) -> None:
        self.outer.trap(lowering, node, cause, tval)

    def illegal(self, lowering: Expressions, node: ast.AST) -> None:
        self.outer.illegal(lowering, node)

    def field(self, lowering: Expressions, name: str) -> Value | None:
        return self.outer.field(lowering, name)

    def vocabulary(self, function: Callable[..., Any]) -> Lowered | None:
        return self.outer.vocabulary(function)

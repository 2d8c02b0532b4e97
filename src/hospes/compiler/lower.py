"""Lowers the body of a subset function, calls and expansions included, to LLVM IR."""

from __future__ import annotations

import ast
import builtins
import functools
import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from hospes.base.layout import Struct
from hospes.compiler.emitter import Emitter, Value
from hospes.compiler.places import Shared, assigned_names
from hospes.compiler.statements import Statements
from hospes.compiler.subset import STATE, Source, source_of
from hospes.compiler.targets import AnyTarget, Expansion, NativeFunction, Target
from hospes.compiler.width import Interval

if TYPE_CHECKING:
    from hospes.compiler.module import Module

MAX_PASSES = 8


def lower_body(
    module: Module,
    source: Source,
    start: Callable[[], AnyTarget],
    arguments: dict[str, Value],
) -> AnyTarget:
    """Lower a function until the intervals of its variables are stable; returns the last target."""
    known: dict[str, Interval] = {}
    for number in range(MAX_PASSES):
        target = start()
        lowering = Lowering(module, source, target, arguments, known, widen=number >= 2)
        lowering.run()
        if not lowering.shared.changed:
            return target
    source.fail(source.tree, "the range of a variable cannot be settled; mask it where it is set")


class Lowering(Statements):
    """One function body being lowered into a target."""

    def __init__(
        self,
        module: Module,
        source: Source,
        target: Target,
        arguments: dict[str, Value],
        known: dict[str, Interval],
        *,
        widen: bool = False,
    ) -> None:
        self.module = module
        self.source = source
        self.target = target
        self.emitter = target.emitter
        self.shared = Shared(known, widen)
        self.scope = ""
        self.arguments = arguments
        self.assigned = assigned_names(source.tree)
        self.defined: set[str] = set()
        self.counters: set[str] = set()
        self.state = source.state
        self.expanding: tuple[Source, ...] = (source,)

    def run(self) -> None:
        """Lower the whole body; every path ends in the target's finish, trap or jump."""
        for name in sorted(self.arguments.keys() & self.assigned):
            self.assign_variable(self.source.tree, name, self.arguments[name])
        self.statements(self.source.tree.body)
        if not self.emitter.terminated:
            self.target.finish(self, self.source.tree, None)

    def detached(self) -> Lowering:
        """A lowering into an empty function of its own, for code that is not from a source."""
        return Lowering(self.module, self.source, NativeFunction(Emitter()), {}, {})

    @property
    def layout(self) -> type[Struct]:
        return self.module.layout

    def call(self, node: ast.Call) -> Value | None:
        if not isinstance(node.func, ast.Name) or node.keywords:
            self.fail(node, "call functions by their global name, with positional arguments")
        function = self.source.globals.get(node.func.id) or vars(builtins).get(node.func.id)
        if not callable(function):
            self.fail(node, f"{node.func.id} is not a function known in this module")
        lowered = self.target.vocabulary(function) or self.module.vocabulary.get(function)
        if lowered is not None:
            self._check_count(node, *parameter_counts(function))
            return lowered(self, node, node.args[self._passes_state(node) :])
        if not hasattr(function, "__code__"):
            self.fail(node, f"{node.func.id} is not a word of the subset's vocabulary")
        source = source_of(function)
        self._check_count(node, len(source.parameters), len(source.parameters))
        if source.state and not self._passes_state(node):
            self.fail(node, f"{node.func.id} is given the state first: {STATE}")
        if getattr(function, "__hospes_inline__", False):
            return self.expand(node, function)
        return self._call_native(node, function)

    def _passes_state(self, node: ast.Call) -> bool:
        return bool(node.args) and getattr(node.args[0], "id", "") == STATE

    def _check_count(self, node: ast.Call, least: int, most: int) -> None:
        if not least <= len(node.args) <= most:
            wanted = str(most) if least == most else f"{least} to {most}"
            self.fail(node, f"{ast.unparse(node.func)} takes {wanted} arguments")

    def _call_native(self, node: ast.Call, function: Callable[..., Any]) -> Value | None:
        signature = self.module.require(function)
        values = node.args[bool(source_of(function).state) :]
        arguments = "".join(f", i64 {self._unsigned(value).ref}" for value in values)
        call = f'@"{signature.symbol}"(ptr %h{arguments})'
        if signature.result is None:
            self.emitter.emit(f"call void {call}")
            return None
        return self.emitter.value(f"call i64 {call}", signature.result)

    def _unsigned(self, node: ast.expr) -> Value:
        value = self.exact(node, "passed to a function")
        if not value.interval.fits_u64:
            self.fail(node, "arguments are u64; wrap a signed one in u64()")
        return value

    def expand(self, node: ast.Call, function: Callable[..., Any]) -> Value | None:
        """Lower an @inline function in place."""
        source = source_of(function)
        if source in self.expanding:
            self.fail(node, "recursion is not part of the subset")
        self.shared.expansions += 1
        values: dict[str, Value] = {}
        for name, argument in zip(source.parameters, node.args, strict=True):
            if name != source.state:
                values[name] = self.exact(argument, "passed to a function")
        outer = Expansion(self.target, self.emitter.name("ret"), f"{self.shared.expansions}.")
        inner = Lowering(self.module, source, outer, values, self.shared.known)
        inner.shared, inner.scope = self.shared, outer.scope
        inner.expanding = (*self.expanding, source)
        inner.run()
        self.emitter.place(outer.label)
        result = outer.returned.interval
        if result is None:
            return None
        return self.emitter.value(f"load i64, ptr {self.emitter.slot(outer.key)}", result)


@functools.cache
def parameter_counts(function: Callable[..., Any]) -> tuple[int, int]:
    """The fewest and the most arguments a vocabulary function takes; min and max take two."""
    if function in (min, max):
        return 2, 2
    parameters = inspect.signature(function).parameters.values()
    required = [one for one in parameters if one.default is one.empty]
    return len(required), len(parameters)

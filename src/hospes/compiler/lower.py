"""Lowers subset functions, statement by statement, to the LLVM IR of one module."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from hospes.base.layout import Struct
from hospes.compiler.emitter import METADATA, Emitter, Value, constant
from hospes.compiler.expressions import Expressions
from hospes.compiler.subset import STATE, Source, source_of
from hospes.compiler.width import BIT, U64, Interval
from hospes.isa.subset import Illegal, Trap

MAX_PASSES = 8

Lowered = Callable[["Lowering", ast.Call, list[ast.expr]], Value | None]
"""Lowers one call of a vocabulary function; the arguments exclude the state."""


class Target(Protocol):
    """What differs between kinds of generated function: how they fault, jump and end."""

    emitter: Emitter

    def finish(self, lowering: Lowering, node: ast.AST, value: Value | None) -> None:
        """The function's end: falling off it, or a return statement."""

    def trap(self, lowering: Lowering, node: ast.AST, cause: Value, tval: Value) -> None:
        """raise Trap(cause, tval)."""

    def illegal(self, lowering: Lowering, node: ast.AST) -> None:
        """raise Illegal()."""

    def field(self, lowering: Lowering, name: str) -> Value | None:
        """A field of the state that this target keeps elsewhere, or None."""

    def vocabulary(self, function: Callable[..., Any]) -> Lowered | None:
        """The lowering of a vocabulary function in this target, or None."""


AnyTarget = TypeVar("AnyTarget", bound=Target)


@dataclass(frozen=True)
class Signature:
    """A compiled native function: its symbol and the interval of its result."""

    symbol: str
    result: Interval | None


class Module:
    """All LLVM functions that go into one object, compiled on demand and once each."""

    def __init__(self, layout: type[Struct], vocabulary: dict[Any, Lowered]) -> None:
        self.layout = layout
        self.vocabulary = vocabulary
        self.definitions: dict[str, str] = {}
        self.declarations: dict[str, str] = {}
        self._signatures: dict[Any, Signature] = {}
        self._pending: set[str] = set()

    def declare(self, symbol: str, text: str) -> None:
        self.declarations[symbol] = text

    def define(self, symbol: str, text: str) -> None:
        self.definitions[symbol] = text

    def require(self, function: Callable[..., Any]) -> Signature:
        """The native function for a subset function, compiled now if it was not yet."""
        if function not in self._signatures:
            source = source_of(function)
            if source.name in self._pending:
                source.fail(source.tree, "recursion is not part of the subset")
            self._pending.add(source.name)
            self._signatures[function] = self._compile(function, source)
        return self._signatures[function]

    def _compile(self, function: Callable[..., Any], source: Source) -> Signature:
        symbol = source.name.removeprefix("hospes.")
        arguments = {name: Value(f"%a.{name}") for name in source.values}
        target = lower_body(self, source, lambda: NativeFunction(Emitter()), arguments)
        kind = "i64" if target.result is not None else "void"
        parameters = "".join(f", i64 %a.{name}" for name in source.values)
        rare = " noinline cold" if getattr(function, "__hospes_cold__", False) else ""
        self.define(
            symbol,
            f'define internal {kind} @"{symbol}"(ptr %h{parameters}) nounwind{rare} {{\n'
            f"{target.emitter.body()}\n}}\n",
        )
        return Signature(symbol, target.result)

    def text(self) -> str:
        """The whole module as LLVM IR."""
        parts = [*self.declarations.values(), *self.definitions.values(), METADATA]
        return "\n".join(parts)


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


class Shared:
    """What a function and the functions expanded inside it have in common."""

    def __init__(self, known: dict[str, Interval], widen: bool) -> None:
        self.known = known
        self.widen = widen
        self.changed = False
        self.expansions = 0


class Lowering(Expressions):
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
        self.assigned = _assigned_names(source.tree)
        self.state = source.state

    def run(self) -> None:
        """Lower the whole body; every path ends in the target's finish, trap or jump."""
        for name in self.arguments.keys() & self.assigned:
            self._assign_variable(self.source.tree, name, self.arguments[name])
        self.statements(self.source.tree.body)
        if not self.emitter.terminated:
            self.target.finish(self, self.source.tree, None)

    def detached(self) -> Lowering:
        """A lowering into an empty function of its own, for code that is not from a source."""
        return Lowering(self.module, self.source, NativeFunction(Emitter()), {}, {})

    def statements(self, body: list[ast.stmt]) -> None:
        for statement in body:
            if self.emitter.terminated:
                self.fail(statement, "nothing may follow a jump, raise or return on its path")
            self._statement(statement)

    def _statement(self, node: ast.stmt) -> None:
        method = getattr(self, f"_lower_{type(node).__name__}", None)
        if method is None:
            self.fail(node, f"{type(node).__name__} is not part of the subset")
        method(node)

    def _lower_Pass(self, node: ast.Pass) -> None:  # noqa: N802 - named after the syntax
        pass

    def _lower_Expr(self, node: ast.Expr) -> None:  # noqa: N802
        if isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            return
        if not isinstance(node.value, ast.Call):
            self.fail(node, "an expression without effect is not part of the subset")
        self.call(node.value)

    def _lower_Return(self, node: ast.Return) -> None:  # noqa: N802
        value = None if node.value is None else self.exact(node.value, "returned")
        self.target.finish(self, node, value)

    def _lower_Assign(self, node: ast.Assign) -> None:  # noqa: N802
        if len(node.targets) != 1:
            self.fail(node, "assign to one target at a time")
        target = node.targets[0]
        if not isinstance(target, ast.Tuple):
            self._assign(target, self.word(node.value))
            return
        if not isinstance(node.value, ast.Tuple) or len(node.value.elts) != len(target.elts):
            self.fail(node, "assign as many values as there are targets")
        values = [self.word(element) for element in node.value.elts]
        for element, value in zip(target.elts, values, strict=True):
            self._assign(element, value)

    def _lower_AnnAssign(self, node: ast.AnnAssign) -> None:  # noqa: N802
        if node.value is None:
            self.fail(node, "a declaration needs a value")
        self._assign(node.target, self.word(node.value))

    def _lower_AugAssign(self, node: ast.AugAssign) -> None:  # noqa: N802
        read = ast.copy_location(ast.BinOp(_as_load(node.target), node.op, node.value), node)
        self._assign(node.target, self.word(read))

    def _lower_If(self, node: ast.If) -> None:  # noqa: N802
        emitter = self.emitter
        test = emitter.as_test(self.expression(node.test))
        if test.constant is not None:
            self.statements(node.body if test.constant else node.orelse)
            return
        yes, no, done = (emitter.name(hint) for hint in ("then", "else", "end"))
        emitter.branch(test, yes, no)
        open_ends = 0
        for label, body in ((yes, node.body), (no, node.orelse)):
            emitter.place(label)
            self.statements(body)
            open_ends += not emitter.terminated
            emitter.goto(done)
        if open_ends:
            emitter.place(done)

    def _lower_While(self, node: ast.While) -> None:  # noqa: N802
        if node.orelse:
            self.fail(node, "while … else is not part of the subset")
        emitter = self.emitter
        again, body, done = (emitter.name(hint) for hint in ("while", "body", "end"))
        emitter.place(again)
        emitter.branch(emitter.as_test(self.expression(node.test)), body, done)
        emitter.place(body)
        self.statements(node.body)
        emitter.goto(again)
        emitter.place(done)

    def _lower_For(self, node: ast.For) -> None:  # noqa: N802
        call, name = node.iter, node.target
        is_range = isinstance(call, ast.Call) and getattr(call.func, "id", "") == "range"
        if not is_range or not isinstance(name, ast.Name) or node.orelse:
            self.fail(node, "only `for name in range(constants)` is part of the subset")
        assert isinstance(call, ast.Call)
        bounds = [self.word(argument).constant for argument in call.args]
        if None in bounds:
            self.fail(node, "the bounds of a range must be constants")
        outer = self.arguments.get(name.id)
        for number in range(*[bound for bound in bounds if bound is not None]):
            self.arguments = {**self.arguments, name.id: constant(number)}
            self.statements(node.body)
        if outer is not None:
            self.arguments[name.id] = outer

    def _lower_Raise(self, node: ast.Raise) -> None:  # noqa: N802
        call = node.exc
        name = call.func if isinstance(call, ast.Call) else call
        kind = self.source.globals.get(name.id) if isinstance(name, ast.Name) else None
        if kind is Illegal:
            self.target.illegal(self, node)
        elif kind is Trap and isinstance(call, ast.Call):
            values = [self.word(argument) for argument in call.args]
            self.target.trap(self, node, values[0], values[1] if len(values) > 1 else constant(0))
        else:
            self.fail(node, "only Trap(cause, tval) and Illegal() can be raised")

    def _assign(self, target: ast.expr, value: Value) -> None:
        if isinstance(target, ast.Name):
            self._assign_variable(target, target.id, value)
        elif isinstance(target, ast.Attribute):
            pointer = self._field_pointer(target, None)
            self.emitter.emit(f"store i64 {value.ref}, ptr {pointer}")
        elif isinstance(target, ast.Subscript) and isinstance(target.value, ast.Attribute):
            index = self.exact(target.slice, "used as an index")
            pointer = self._field_pointer(target.value, index)
            self.emitter.emit(f"store i64 {value.ref}, ptr {pointer}")
        else:
            self.fail(target, "assign to a local variable or a field of the state")

    def _assign_variable(self, node: ast.AST, name: str, value: Value) -> None:
        if not value.interval.exact:
            self.fail(node, f"{name} is assigned a value that may leave 64 bits; wrap it first")
        key, shared = f"{self.scope}{name}", self.shared
        before = shared.known.get(key, value.interval)
        joined = before.join(value.interval)
        if shared.widen and joined != before:
            joined = joined.widened()
        if not joined.exact:
            self.fail(node, f"{name} is both negative and beyond s64; keep it u64 or s64")
        shared.changed |= key in shared.known and joined != before
        shared.known[key] = joined
        self.emitter.emit(f"store i64 {value.ref}, ptr {self.emitter.slot(key)}")

    def read_variable(self, node: ast.Name) -> Value | None:
        key = f"{self.scope}{node.id}"
        if node.id in self.assigned:
            interval = self.shared.known.get(key)
            if interval is None:
                self.fail(node, f"{node.id} is read before it is assigned")
            return self.emitter.value(f"load i64, ptr {self.emitter.slot(key)}", interval)
        return self.arguments.get(node.id)

    def read_field(self, node: ast.Attribute, index: Value | None) -> Value | None:
        if not isinstance(node.value, ast.Name) or node.value.id != self.state:
            return None
        special = self.target.field(self, node.attr)
        if special is not None:
            return special
        return self.emitter.value(f"load i64, ptr {self._field_pointer(node, index)}")

    def _field_pointer(self, node: ast.Attribute, index: Value | None) -> str:
        layout = self.module.layout
        if not isinstance(node.value, ast.Name) or node.value.id != self.state:
            self.fail(node, "only fields of the state can be assigned")
        if node.attr not in layout.offsets:
            self.fail(node, f"{layout.__name__} has no field {node.attr}")
        offset = layout.offsets[node.attr]
        if index is None:
            return self.emitter.address("%h", offset)
        length = layout.lengths[node.attr]
        if index.constant is not None and not 0 <= index.constant < length:
            self.fail(node, f"{node.attr} has {length} words; {index.constant} is outside")
        return self.emitter.temp(
            f"getelementptr [{length} x i64], ptr {self.emitter.address('%h', offset)}, "
            f"i64 0, i64 {index.ref}"
        )

    def call(self, node: ast.Call) -> Value | None:
        if not isinstance(node.func, ast.Name) or node.keywords:
            self.fail(node, "call functions by their global name, with positional arguments")
        function = self.source.globals.get(node.func.id) or vars(builtins).get(node.func.id)
        if not callable(function):
            self.fail(node, f"{node.func.id} is not a function known in this module")
        lowered = self.target.vocabulary(function) or self.module.vocabulary.get(function)
        if lowered is not None:
            passes_state = bool(node.args) and getattr(node.args[0], "id", "") == STATE
            return lowered(self, node, node.args[1:] if passes_state else node.args)
        if not hasattr(function, "__code__"):
            self.fail(node, f"{node.func.id} is not a word of the subset's vocabulary")
        if getattr(function, "__hospes_inline__", False):
            return self.expand(node, function)
        return self._call_native(node, function)

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
        self.shared.expansions += 1
        values: dict[str, Value] = {}
        for name, argument in zip(source.parameters, node.args, strict=True):
            if name != source.state:
                values[name] = self.exact(argument, "passed to a function")
        outer = Expansion(self.target, self.emitter.name("ret"), f"{self.shared.expansions}.")
        inner = Lowering(self.module, source, outer, values, self.shared.known)
        inner.shared, inner.scope = self.shared, outer.scope
        inner.run()
        self.emitter.place(outer.label)
        if outer.result is None:
            return None
        return self.emitter.value(
            f"load i64, ptr {self.emitter.slot(outer.key)}", outer.result
        )


class NativeFunction:
    """The target for a function of its own: it returns, and can neither fault nor jump."""

    def __init__(self, emitter: Emitter) -> None:
        self.emitter = emitter
        self.result: Interval | None = None

    def finish(self, lowering: Lowering, node: ast.AST, value: Value | None) -> None:
        if value is None:
            if self.result is not None:
                lowering.fail(node, "some paths return a value and this one does not")
            self.emitter.terminate("ret void")
            return
        self.result = value.interval if self.result is None else self.result.join(value.interval)
        self.emitter.terminate(f"ret i64 {value.ref}")

    def trap(self, lowering: Lowering, node: ast.AST, cause: Value, tval: Value) -> None:
        lowering.fail(node, "a function that is not @inline cannot raise; return a status instead")

    def illegal(self, lowering: Lowering, node: ast.AST) -> None:
        self.trap(lowering, node, constant(0), constant(0))

    def field(self, lowering: Lowering, name: str) -> Value | None:
        return None

    def vocabulary(self, function: Callable[..., Any]) -> Lowered | None:
        return None


class Expansion:
    """The target for an @inline body: returning goes on behind the call."""

    def __init__(self, outer: Target, label: str, scope: str) -> None:
        self.outer = outer
        self.emitter = outer.emitter
        self.label = label
        self.scope = scope
        self.key = f"{scope}return"
        self.result: Interval | None = None

    def finish(self, lowering: Lowering, node: ast.AST, value: Value | None) -> None:
        if value is not None:
            self.result = (
                value.interval if self.result is None else self.result.join(value.interval)
            )
            self.emitter.emit(f"store i64 {value.ref}, ptr {self.emitter.slot(self.key)}")
        self.emitter.goto(self.label)

    def trap(self, lowering: Lowering, node: ast.AST, cause: Value, tval: Value) -> None:
        self.outer.trap(lowering, node, cause, tval)

    def illegal(self, lowering: Lowering, node: ast.AST) -> None:
        self.outer.illegal(lowering, node)

    def field(self, lowering: Lowering, name: str) -> Value | None:
        return self.outer.field(lowering, name)

    def vocabulary(self, function: Callable[..., Any]) -> Lowered | None:
        return self.outer.vocabulary(function)


def _assigned_names(tree: ast.FunctionDef) -> set[str]:
    """The names a function assigns, loop variables of unrolled loops aside."""
    targets: list[ast.expr] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign):
            targets += node.targets
        elif isinstance(node, ast.AugAssign | ast.AnnAssign):
            targets.append(node.target)
    for target in list(targets):
        if isinstance(target, ast.Tuple):
            targets += target.elts
    return {target.id for target in targets if isinstance(target, ast.Name)}


def _as_load(target: ast.expr) -> ast.expr:
    """The same place as something to be read."""
    copied = ast.parse(ast.unparse(target), mode="eval").body
    for node in ast.walk(copied):
        ast.copy_location(node, target)
    return copied


__all__ = ["BIT", "U64", "Lowered", "Lowering", "Module", "NativeFunction", "Signature", "Target"]

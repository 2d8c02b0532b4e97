"""Where values live: local variables with their intervals, and the fields of the state."""

from __future__ import annotations

import ast
from abc import abstractmethod
from collections.abc import Callable

from hospes.base.layout import Struct
from hospes.compiler.emitter import Value
from hospes.compiler.expressions import Expressions
from hospes.compiler.targets import Target
from hospes.compiler.width import Interval


class Shared:
    """What a function and the functions expanded inside it have in common."""

    def __init__(self, known: dict[str, Interval], widen: bool) -> None:
        self.known = known
        self.widen = widen
        self.changed = False
        self.expansions = 0


class Places(Expressions):
    """Reads and assigns variables and fields.

    `arguments` are never assigned; `assigned` are the function's variables, of which `defined` have
    a value on every path that leads to the statement at hand. `counters` are those of past loops.
    """

    target: Target
    shared: Shared
    scope: str
    arguments: dict[str, Value]
    assigned: set[str]
    defined: set[str]
    counters: set[str]
    state: str

    @property
    @abstractmethod
    def layout(self) -> type[Struct]:
        """The fields of the state."""

    def assign(self, target: ast.expr, value: Value) -> None:
        """Assign to a variable or a field."""
        if isinstance(target, ast.Name):
            self.assign_variable(target, target.id, value)
        else:
            self.emitter.emit(f"store i64 {value.ref}, ptr {self._target_pointer(target)}")

    def update(self, target: ast.expr, change: Callable[[Value], Value]) -> None:
        """Replace what a variable or a field holds; where it lies is worked out once."""
        if isinstance(target, ast.Name):
            self.assign_variable(target, target.id, change(self.word(target)))
        else:
            pointer = self._target_pointer(target)
            new = change(self.emitter.value(f"load i64, ptr {pointer}"))
            self.emitter.emit(f"store i64 {new.ref}, ptr {pointer}")

    def _target_pointer(self, target: ast.expr) -> str:
        """Where an assigned field lies."""
        index = None
        if isinstance(target, ast.Subscript):
            index = self.exact(target.slice, "used as an index")
            target = target.value
        if not isinstance(target, ast.Attribute):
            self.fail(target, "assign to a local variable or a field of the state")
        pointer = self._field_pointer(target, index)
        if self.target.field(self, target.attr) is not None:
            self.fail(target, f"{target.attr} can only be read by this kind of function")
        return pointer

    def assign_variable(self, node: ast.AST, name: str, value: Value) -> None:
        """Assign to a local variable, whose interval grows to hold the value."""
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
        self.defined.add(name)
        self.emitter.emit(f"store i64 {value.ref}, ptr {self.emitter.slot(key)}")

    def read_variable(self, node: ast.Name) -> Value | None:
        key = f"{self.scope}{node.id}"
        if node.id in self.assigned:
            if node.id not in self.defined:
                self.fail(node, f"{node.id} is read before it is assigned on every path here")
            interval = self.shared.known[key]
            return self.emitter.value(f"load i64, ptr {self.emitter.slot(key)}", interval)
        if node.id in self.counters and node.id not in self.arguments:
            self.fail(node, f"{node.id} counts a loop and means nothing outside it")
        return self.arguments.get(node.id)

    def read_field(self, node: ast.Attribute, index: Value | None) -> Value | None:
        if not isinstance(node.value, ast.Name) or node.value.id != self.state:
            return None
        special = self.target.field(self, node.attr)
        if special is not None:
            return special
        return self.emitter.value(f"load i64, ptr {self._field_pointer(node, index)}")

    def _field_pointer(self, node: ast.Attribute, index: Value | None) -> str:
        layout = self.layout
        if not isinstance(node.value, ast.Name) or node.value.id != self.state:
            self.fail(node, "only fields of the state can be assigned")
        if node.attr not in layout.offsets:
            self.fail(node, f"{layout.__name__} has no field {node.attr}")
        offset, length = layout.offsets[node.attr], layout.lengths[node.attr]
        if (index is None) == (length > 1):
            self.fail(node, f"{node.attr} is {'an array' if length > 1 else 'one word'}")
        if index is None:
            return self.emitter.address("%h", offset)
        if not index.interval.within(Interval(0, length - 1)):
            self.fail(node, f"an index of {node.attr} must lie in 0..{length - 1}; mask it")
        return self.emitter.temp(
            f"getelementptr [{length} x i64], ptr {self.emitter.address('%h', offset)}, "
            f"i64 0, i64 {index.ref}"
        )


def assigned_names(tree: ast.FunctionDef) -> set[str]:
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

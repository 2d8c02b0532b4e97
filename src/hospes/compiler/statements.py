"""Lowers statements of the subset: assignments, branches, loops and exceptions."""

from __future__ import annotations

import ast

from hospes.compiler.emitter import constant
from hospes.compiler.places import Places
from hospes.isa.subset import Illegal, Trap


class Statements(Places):
    """Lowers statements, each kind of syntax in a method named after it."""

    def statements(self, body: list[ast.stmt]) -> None:
        """Lower a block."""
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
            self.assign(target, self.word(node.value))
            return
        if not isinstance(node.value, ast.Tuple) or len(node.value.elts) != len(target.elts):
            self.fail(node, "assign as many values as there are targets")
        values = [self.word(element) for element in node.value.elts]
        for element, value in zip(target.elts, values, strict=True):
            self.assign(element, value)

    def _lower_AnnAssign(self, node: ast.AnnAssign) -> None:  # noqa: N802
        if node.value is None:
            self.fail(node, "a declaration needs a value")
        self.assign(node.target, self.word(node.value))

    def _lower_AugAssign(self, node: ast.AugAssign) -> None:  # noqa: N802
        read = ast.copy_location(ast.BinOp(_as_load(node.target), node.op, node.value), node)
        self.assign(node.target, self.word(read))

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


def _as_load(target: ast.expr) -> ast.expr:
    """The same place as something to be read."""
    copied = ast.parse(ast.unparse(target), mode="eval").body
    for node in ast.walk(copied):
        ast.copy_location(node, target)
    return copied

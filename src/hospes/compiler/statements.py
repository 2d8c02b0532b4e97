"""Lowers statements of the subset: assignments, branches, loops and exceptions."""

from __future__ import annotations

import ast

from hospes.compiler.emitter import constant
from hospes.compiler.places import Places
from hospes.isa.subset import Illegal, Trap


class Statements(Places):
    """Lowers statements, each kind of syntax in a method named after it.

    `decided`: the last statement was an `if` settled while compiling, which may make what follows
    it unreachable without that being a mistake.
    """

    decided = False

    def statements(self, body: list[ast.stmt]) -> None:
        """Lower a block, as far as it can be reached."""
        for statement in body:
            if self.emitter.terminated and self.decided:
                return
            if self.emitter.terminated:
                self.fail(statement, "nothing may follow a jump, raise or return on its path")
            self.decided = False
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
        self.update(
            node.target, lambda old: self.operate(node, node.op, old, self.word(node.value))
        )

    def _lower_If(self, node: ast.If) -> None:  # noqa: N802
        emitter = self.emitter
        test = emitter.as_test(self.expression(node.test))
        if test.constant is not None:
            self.statements(node.body if test.constant else node.orelse)
            self.decided = True
            return
        yes, no, done = (emitter.name(hint) for hint in ("then", "else", "end"))
        emitter.branch(test, yes, no)
        before, ends = self.defined, []
        for label, body in ((yes, node.body), (no, node.orelse)):
            emitter.place(label)
            self.defined = set(before)
            self.statements(body)
            if not emitter.terminated:
                ends.append(self.defined)
            emitter.goto(done)
        if ends:
            self.defined = set.intersection(*ends)
            emitter.place(done)

    def _lower_While(self, node: ast.While) -> None:  # noqa: N802
        if node.orelse:
            self.fail(node, "while … else is not part of the subset")
        emitter = self.emitter
        again, body, done = (emitter.name(hint) for hint in ("while", "body", "end"))
        emitter.place(again)
        emitter.branch(emitter.as_test(self.expression(node.test)), body, done)
        emitter.place(body)
        before = set(self.defined)
        self.statements(node.body)
        self.defined = before
        emitter.goto(again)
        emitter.place(done)

    def _lower_For(self, node: ast.For) -> None:  # noqa: N802
        call, name = node.iter, node.target
        is_range = isinstance(call, ast.Call) and getattr(call.func, "id", "") == "range"
        if not is_range or not isinstance(name, ast.Name) or node.orelse:
            self.fail(node, "only `for name in range(constants)` is part of the subset")
        assert isinstance(call, ast.Call)
        if name.id in self.arguments.keys() | self.assigned:
            self.fail(node, f"{name.id} is also a variable; a loop's counter has its own name")
        bounds = [self.word(argument).constant for argument in call.args]
        steps = [bound for bound in bounds if bound is not None]
        if len(steps) != len(bounds) or not 1 <= len(steps) <= 3 or steps[2:] == [0]:
            self.fail(node, "the bounds of a range must be constants")
        outside = self.arguments
        for number in range(*steps):
            self.arguments = {**outside, name.id: constant(number)}
            self.statements(node.body)
        self.arguments = outside
        self.counters.add(name.id)

    def _lower_Raise(self, node: ast.Raise) -> None:  # noqa: N802
        call = node.exc
        name = call.func if isinstance(call, ast.Call) else call
        kind = self.source.globals.get(name.id) if isinstance(name, ast.Name) else None
        if kind is Illegal:
            self.target.illegal(self, node)
        elif kind is Trap and isinstance(call, ast.Call):
            values = [self.word(argument) for argument in call.args]
            if not 1 <= len(values) <= 2 or call.keywords:
                self.fail(node, "raise Trap(cause) or Trap(cause, tval)")
            self.target.trap(self, node, values[0], values[1] if len(values) > 1 else constant(0))
        else:
            self.fail(node, "only Trap(cause, tval) and Illegal() can be raised")

"""Lowers expressions of the subset to LLVM IR, tracking each one's interval."""

from __future__ import annotations

import ast
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import replace
from typing import NoReturn

from hospes.compiler.emitter import Emitter, Value, constant
from hospes.compiler.subset import Source
from hospes.compiler.width import BIT, Interval, bitwise

COMPARISONS = {ast.Eq: "eq", ast.NotEq: "ne", ast.Lt: "lt", ast.LtE: "le", ast.Gt: "gt",
               ast.GtE: "ge"}  # fmt: skip
WRAP = "wrap it in u64(), s64() or a narrower width first"


class Expressions(ABC):
    """Lowers expressions; a subclass resolves calls, names and the fields of the state."""

    emitter: Emitter
    source: Source

    def fail(self, node: ast.AST, rule: str) -> NoReturn:
        """Refuse the function at this node, naming the rule."""
        self.source.fail(node, rule)

    @abstractmethod
    def call(self, node: ast.Call) -> Value | None:
        """A call's result, or None if it has none."""

    @abstractmethod
    def read_variable(self, node: ast.Name) -> Value | None:
        """The value of a local variable, or None if there is none of that name."""

    @abstractmethod
    def read_field(self, node: ast.Attribute, index: Value | None) -> Value | None:
        """The value of a field of the state, or None if the attribute is not one."""

    def word(self, node: ast.expr) -> Value:
        """An expression as an i64."""
        value = self.expression(node)
        if value.truth_only:
            self.fail(node, "`and`/`or` of numbers is a test, not a value; compare each first")
        return self.emitter.as_word(value)

    def exact(self, node: ast.expr, use: str) -> Value:
        """An expression whose 64 bits are its exact value, as a use demands."""
        value = self.word(node)
        if not value.interval.exact:
            self.fail(node, f"a value that may leave 64 bits is {use}; {WRAP}")
        return value

    def expression(self, node: ast.expr) -> Value:
        """Any expression; an i1 for a truth value."""
        if isinstance(node, ast.Constant) and isinstance(node.value, int):
            return constant(int(node.value))
        if isinstance(node, ast.Name):
            return self._name(node)
        if isinstance(node, ast.Attribute):
            return self._attribute(node)
        if isinstance(node, ast.Subscript):
            return self._element(node)
        if isinstance(node, ast.BinOp):
            return self._binary(node)
        if isinstance(node, ast.UnaryOp):
            return self._unary(node)
        if isinstance(node, ast.Compare):
            return self._compare(node)
        if isinstance(node, ast.BoolOp):
            return self._truth(node)
        if isinstance(node, ast.IfExp):
            return self._choice(node)
        if isinstance(node, ast.Call):
            result = self.call(node)
            if result is None:
                self.fail(node, "a function without a result is used as a value")
            return result
        self.fail(node, f"{type(node).__name__} is not part of the subset")

    def _name(self, node: ast.Name) -> Value:
        value = self.read_variable(node)
        if value is None:
            found = self.source.globals.get(node.id)
            if not isinstance(found, int):
                self.fail(node, f"{node.id} is neither a local variable nor an integer constant")
            value = constant(int(found))
        return value

    def _attribute(self, node: ast.Attribute) -> Value:
        value = self.read_field(node, None)
        if value is None:
            name = node.value.id if isinstance(node.value, ast.Name) else ""
            found = getattr(self.source.globals.get(name), node.attr, None)
            if not isinstance(found, int):
                self.fail(node, f"{ast.unparse(node)} is not a field of the state or a constant")
            value = constant(int(found))
        return value

    def _element(self, node: ast.Subscript) -> Value:
        if not isinstance(node.value, ast.Attribute):
            self.fail(node, "only an array field of the state can be indexed")
        value = self.read_field(node.value, self.exact(node.slice, "used as an index"))
        if value is None:
            self.fail(node, f"{ast.unparse(node.value)} is not an array field of the state")
        return value

    def _binary(self, node: ast.BinOp) -> Value:
        return self.operate(node, node.op, self.word(node.left), self.word(node.right))

    def operate(self, node: ast.AST, operator: ast.operator, a: Value, b: Value) -> Value:
        """Apply a binary operator; errors point at the node."""
        operations: dict[type, Callable[[ast.AST, Value, Value], Value]] = {
            ast.Add: self._sum, ast.Sub: self._difference, ast.Mult: self._product,
            ast.LShift: self._left, ast.RShift: self._right,
        }  # fmt: skip
        operation = operations.get(type(operator))
        if operation is not None:
            result = operation(node, a, b)
        else:
            result = self._bitwise(node, operator, a, b)
        return constant(result.interval.lo) if result.constant is not None else result

    def _sum(self, node: ast.AST, a: Value, b: Value) -> Value:
        interval = Interval(a.interval.lo + b.interval.lo, a.interval.hi + b.interval.hi)
        return self.emitter.value(f"add i64 {a.ref}, {b.ref}", interval)

    def _difference(self, node: ast.AST, a: Value, b: Value) -> Value:
        interval = Interval(a.interval.lo - b.interval.hi, a.interval.hi - b.interval.lo)
        return self.emitter.value(f"sub i64 {a.ref}, {b.ref}", interval)

    def _product(self, node: ast.AST, a: Value, b: Value) -> Value:
        interval = a.interval.corners(b.interval, "*")
        return self.emitter.value(f"mul i64 {a.ref}, {b.ref}", interval)

    def _left(self, node: ast.AST, a: Value, b: Value) -> Value:
        self._check_shift(node, b)
        interval = a.interval.corners(b.interval, "<<")
        return self.emitter.value(f"shl i64 {a.ref}, {b.ref}", interval)

    def _right(self, node: ast.AST, a: Value, b: Value) -> Value:
        self._check_shift(node, b)
        if not a.interval.exact:
            self.fail(node, f"a value that may leave 64 bits is shifted right; {WRAP}")
        operation = "lshr" if a.interval.lo >= 0 else "ashr"
        interval = a.interval.corners(b.interval, ">>")
        return self.emitter.value(f"{operation} i64 {a.ref}, {b.ref}", interval)

    def _check_shift(self, node: ast.AST, amount: Value) -> None:
        if not amount.interval.within(Interval(0, 63)):
            self.fail(node, "a shift amount must lie in 0..63; mask it with & 63")

    def _bitwise(self, node: ast.AST, operator: ast.operator, a: Value, b: Value) -> Value:
        operators = {ast.BitAnd: ("&", "and"), ast.BitOr: ("|", "or"), ast.BitXor: ("^", "xor")}
        if type(operator) not in operators:
            self.fail(node, "use sdiv, udiv, srem or urem; / // % ** are not part of the subset")
        sign, name = operators[type(operator)]
        return self.emitter.value(
            f"{name} i64 {a.ref}, {b.ref}", bitwise(sign, a.interval, b.interval)
        )

    def _unary(self, node: ast.UnaryOp) -> Value:
        if isinstance(node.op, ast.Not):
            test = self.emitter.as_test(self.expression(node.operand))
            return self.emitter.test(f"xor i1 {test.ref}, true")
        if isinstance(node.op, ast.UAdd):
            self.fail(node, "unary + is not part of the subset")
        value = self.word(node.operand)
        low, high = value.interval.lo, value.interval.hi
        if value.constant is not None:
            return constant(-low if isinstance(node.op, ast.USub) else ~low)
        if isinstance(node.op, ast.USub):
            return self.emitter.value(f"sub i64 0, {value.ref}", Interval(-high, -low))
        return self.emitter.value(f"xor i64 {value.ref}, -1", Interval(~high, ~low))

    def _compare(self, node: ast.Compare) -> Value:
        if len(node.ops) != 1 or type(node.ops[0]) not in COMPARISONS:
            self.fail(node, "only a single == != < <= > >= is part of the subset")
        name = COMPARISONS[type(node.ops[0])]
        a = self.exact(node.left, "compared")
        b = self.exact(node.comparators[0], "compared")
        unsigned = a.interval.fits_u64 and b.interval.fits_u64
        if not unsigned and not (a.interval.fits_s64 and b.interval.fits_s64):
            self.fail(node, "a signed value is compared with an unsigned one; make both s64 or u64")
        known = _decided(name, a.interval, b.interval)
        if known is not None:
            return Value("true" if known else "false", Interval(known, known), bit=True)
        sign = "" if name in {"eq", "ne"} else "u" if unsigned else "s"
        return self.emitter.test(f"icmp {sign}{name} i64 {a.ref}, {b.ref}")

    def _truth(self, node: ast.BoolOp) -> Value:
        """`and`/`or`: the later operands are evaluated only when they decide.

        Python's result is the operand that decided, which a truth value is only for 0 and 1.
        """
        emitter = self.emitter
        result, done = emitter.slot(emitter.name("truth")), emitter.name("done")
        stops = isinstance(node.op, ast.Or)
        truth_only = False
        for operand in node.values:
            decided = self.expression(operand)
            truth_only |= decided.truth_only or not decided.interval.within(BIT)
            test = emitter.as_test(decided)
            emitter.emit(f"store i64 {emitter.as_word(test).ref}, ptr {result}")
            more = emitter.name("more")
            emitter.branch(test, *((done, more) if stops else (more, done)))
            emitter.place(more)
        emitter.place(done)
        value = emitter.value(f"load i64, ptr {result}", Interval(0, 1))
        return replace(emitter.test(f"icmp ne i64 {value.ref}, 0"), truth_only=truth_only)

    def _choice(self, node: ast.IfExp) -> Value:
        emitter = self.emitter
        test = emitter.as_test(self.expression(node.test))
        if test.constant is not None:
            return self.expression(node.body if test.constant else node.orelse)
        yes, no, done = (emitter.name(hint) for hint in ("yes", "no", "done"))
        result = emitter.slot(emitter.name("choice"))
        emitter.branch(test, yes, no)
        intervals = []
        for label, branch in ((yes, node.body), (no, node.orelse)):
            emitter.place(label)
            value = self.word(branch)
            intervals.append(value.interval)
            emitter.emit(f"store i64 {value.ref}, ptr {result}")
            emitter.goto(done)
        emitter.place(done)
        return emitter.value(f"load i64, ptr {result}", intervals[0].join(intervals[1]))


def _decided(name: str, a: Interval, b: Interval) -> int | None:
    """The comparison's outcome when the intervals alone settle it."""
    if name in {"gt", "ge"}:
        return _decided({"gt": "lt", "ge": "le"}[name], b, a)
    if name == "lt":
        return 1 if a.hi < b.lo else 0 if a.lo >= b.hi else None
    if name == "le":
        return 1 if a.hi <= b.lo else 0 if a.lo > b.hi else None
    same = a.lo == a.hi == b.lo == b.hi
    apart = a.hi < b.lo or b.hi < a.lo
    if same or apart:
        return int(same == (name == "eq"))
    return None

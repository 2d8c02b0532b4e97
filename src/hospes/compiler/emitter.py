"""Collects the LLVM IR of one function, and of one module of such functions."""

from __future__ import annotations

from dataclasses import dataclass

from hospes.base.bits import S64_MIN, U64_MAX
from hospes.compiler.width import BIT, U64, Interval


@dataclass(frozen=True, slots=True)
class Value:
    """An i64 in generated code (an i1 if `bit`), with the interval it lies in.

    truth_only: an i1 that tells whether a number is zero, but not which number it is.
    """

    ref: str
    interval: Interval = U64
    bit: bool = False
    truth_only: bool = False

    @property
    def constant(self) -> int | None:
        """The value, when it is known while compiling."""
        same = self.interval.lo == self.interval.hi
        return self.interval.lo if same else None


def constant(number: int) -> Value:
    """A Value known while compiling."""
    bits = number if S64_MIN <= number <= U64_MAX else number & U64_MAX
    return Value(str(bits), Interval(number, number))


class Emitter:
    """The instructions of one LLVM function under construction."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.slots: dict[str, str] = {}
        self.terminated = False
        self._names = 0

    def name(self, hint: str = "t") -> str:
        """A fresh name, without its % sign."""
        self._names += 1
        return f"{hint}{self._names}"

    def temp(self, expression: str) -> str:
        """Emit an instruction with a result; returns the result's reference."""
        ref = f"%{self.name()}"
        self.lines.append(f"  {ref} = {expression}")
        return ref

    def value(self, expression: str, interval: Interval = U64) -> Value:
        """Emit an instruction whose result is an i64."""
        return Value(self.temp(expression), interval)

    def test(self, expression: str) -> Value:
        """Emit an instruction whose result is an i1."""
        return Value(self.temp(expression), BIT, bit=True)

    def emit(self, instruction: str) -> None:
        """Emit an instruction without a result."""
        self.lines.append(f"  {instruction}")

    def terminate(self, instruction: str) -> None:
        """Emit the last instruction of a block."""
        self.emit(instruction)
        self.terminated = True

    def goto(self, label: str) -> None:
        """Go on at a label, unless the block has ended already."""
        if not self.terminated:
            self.terminate(f"br label %{label}")

    def branch(self, condition: Value, yes: str, no: str, likely: bool | None = None) -> None:
        """Go to one of two labels; likely says which one to expect."""
        weights = "" if likely is None else ", !prof !0" if likely else ", !prof !1"
        self.terminate(f"br i1 {condition.ref}, label %{yes}, label %{no}{weights}")

    def place(self, label: str) -> None:
        """Start the block of that label."""
        if not self.terminated:
            self.goto(label)
        self.lines.append(f"{label}:")
        self.terminated = False

    def slot(self, key: str) -> str:
        """The stack slot of a local variable (promoted to a register by LLVM)."""
        if key not in self.slots:
            self.slots[key] = f"%{self.name('v')}"
        return self.slots[key]

    def as_word(self, value: Value) -> Value:
        """The value as an i64."""
        if not value.bit:
            return value
        return self.value(f"zext i1 {value.ref} to i64", value.interval)

    def as_test(self, value: Value) -> Value:
        """The value as an i1: whether it is not zero."""
        if value.bit:
            return value
        if value.constant is not None:
            known = int(value.constant != 0)
            return Value("true" if known else "false", Interval(known, known), bit=True)
        return self.test(f"icmp ne i64 {value.ref}, 0")

    def address(self, base: str, offset: str | int) -> str:
        """A pointer so many bytes past another."""
        return self.temp(f"getelementptr i8, ptr {base}, i64 {offset}")

    def load_word(self, base: str, offset: str | int) -> Value:
        """Load the u64 so many bytes past a pointer."""
        return self.value(f"load i64, ptr {self.address(base, offset)}")

    def store_word(self, base: str, offset: str | int, ref: str) -> None:
        """Store a u64 so many bytes past a pointer."""
        self.emit(f"store i64 {ref}, ptr {self.address(base, offset)}")

    def body(self) -> str:
        """The text between the braces."""
        slots = [f"  {ref} = alloca i64" for ref in self.slots.values()]
        return "\n".join(["begin:", *slots, *self.lines])


METADATA = """
!0 = !{!"branch_weights", i32 2000, i32 1}
!1 = !{!"branch_weights", i32 1, i32 2000}
"""

"""An instruction: one Python function joined with its bit pattern and its assembly syntax."""

import inspect
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

from hospes.isa.pattern import Condition, Field, Pattern, parse_conditions, parse_pattern
from hospes.isa.riscv.hart import SINK

Semantics = Callable[..., None]
Function = TypeVar("Function", bound=Semantics)

FLOAT_DESTINATION = re.compile(r"\{rd'?:f\}")
DECLARED = "__hospes_insns__"


class Operand(NamedTuple):
    """A parameter of the semantics after `h`, and the field or constant it takes its value from."""

    name: str
    source: Field | int


@dataclass(frozen=True)
class Insn:
    """An encoding and what it does.

    A word is this instruction if `word & mask == match` and every condition in `where` holds.
    `operands` are the arguments of `function` in order. With `integer_destination`, operand `rd`
    is an integer register, and register 0 is passed as SINK (a constant 0 already is SINK here).
    `serial`: generated code keeps the whole state in the hart around it. `overrides` names
    instructions whose encodings this one takes a part of.
    """

    name: str
    function: Semantics
    pattern: str
    syntax: str
    length: int
    mask: int
    match: int
    fields: tuple[Field, ...]
    operands: tuple[Operand, ...]
    integer_destination: bool
    where: tuple[Condition, ...] = ()
    serial: bool = False
    overrides: tuple[str, ...] = ()

    def field(self, name: str) -> Field:
        """The field of that name; KeyError if there is none."""
        for field in self.fields:
            if field.name == name:
                return field
        raise KeyError(name)

    def fits(self, word: int) -> bool:
        """Whether the word is this instruction."""
        if word & self.mask != self.match:
            return False
        for name, operator, value in self.where:
            if (self.field(name).raw(word) == value) != (operator == "=="):
                return False
        return True

    def arguments(self, word: int) -> tuple[int, ...]:
        """What `function` is called with after the hart, for this word."""
        values = []
        for name, source in self.operands:
            value = source if isinstance(source, int) else source.extract(word)
            if value == 0 and name == "rd" and self.integer_destination:
                value = SINK
            values.append(value)
        return tuple(values)

    def encode(self, values: dict[str, int]) -> int:
        """The word with these field values, other fields 0; ValueError if it is not encodable."""
        word = self.match
        for name, value in values.items():
            word |= self.field(name).insert(value)
        if not self.fits(word):
            raise ValueError(f"{self.name} cannot have these operands")
        return word


def insn(
    pattern: str,
    syntax: str,
    *,
    where: str = "",
    serial: bool = False,
    overrides: Sequence[str] = (),
) -> Callable[[Function], Function]:
    """Declare the decorated function to be the meaning of a pattern; its parameters after `h` are
    fields of the pattern. The function itself stays as it is."""

    def declare(function: Function) -> Function:
        parsed = parse_pattern(pattern)
        fields = {field.name: field for field in parsed.fields}
        names = list(inspect.signature(function).parameters)[1:]
        if missing := [name for name in names if name not in fields]:
            raise ValueError(f"{function.__name__}: no field {missing} in '{pattern}'")
        operands = tuple(Operand(name, fields[name]) for name in names)
        integer = "rd" in names and not FLOAT_DESTINATION.search(syntax)
        made = _build(function, parsed, syntax, operands, integer, where, serial, tuple(overrides))
        setattr(function, DECLARED, (*getattr(function, DECLARED, ()), made))
        return function

    return declare


def compressed(
    pattern: str, syntax: str, function: Semantics, *, where: str = "", **operands: str | int
) -> Insn:
    """A 16-bit encoding of an existing instruction: every parameter of its function after `h` is
    given the name of a field of this pattern, or a constant. Assign the result to a module-level
    name; that is where instruction sets find it."""
    parsed = parse_pattern(pattern)
    base: Insn = getattr(function, DECLARED)[0]
    names = [name for name, _ in base.operands]
    if set(names) != set(operands) or parsed.bits != 16:
        raise ValueError(f"'{syntax}' must be a 16-bit pattern giving {names}")
    fields = {field.name: field for field in parsed.fields}

    def source(name: str) -> Field | int:
        value = operands[name]
        if isinstance(value, str):
            return fields[value]
        return SINK if value == 0 and name == "rd" and base.integer_destination else value

    bound = tuple(Operand(name, source(name)) for name in names)
    return _build(function, parsed, syntax, bound, base.integer_destination, where, base.serial, ())


def declared(module: Any) -> list[Insn]:
    """The instructions a module declares, in order: by `@insn`, and `compressed` ones by name."""
    found: list[Insn] = []
    for value in vars(module).values():
        if isinstance(value, Insn):
            found.append(value)
        elif getattr(value, "__module__", None) == module.__name__:
            found.extend(getattr(value, DECLARED, ()))
    return found


def _build(
    function: Semantics,
    pattern: Pattern,
    syntax: str,
    operands: tuple[Operand, ...],
    integer_destination: bool,
    where: str,
    serial: bool,
    overrides: tuple[str, ...],
) -> Insn:
    return Insn(
        name=syntax.split(maxsplit=1)[0].partition("{")[0],
        function=function,
        pattern=pattern.text,
        syntax=syntax,
        length=pattern.bits // 8,
        mask=pattern.mask,
        match=pattern.match,
        fields=pattern.fields,
        operands=operands,
        integer_destination=integer_destination,
        where=parse_conditions(where, pattern.fields),
        serial=serial,
        overrides=overrides,
    )

"""Assembly notation: how instructions, their aliases and their operands are written and read."""

import functools
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

PLACEHOLDER = re.compile(r"\{([a-z][a-z0-9]*'?)(?::([a-z0-9]+))?\}")

Number = Callable[[str], int]
"""The value of a numeric expression."""


class Kind(Protocol):
    """How the values of one kind of operand are written."""

    default: int | None
    """The value of an operand left out at the end of a line; None if it must be there."""

    def text(self, value: int, pc: int) -> str:
        """The operand as written in an instruction at pc."""

    def value(self, text: str, pc: int, number: Number) -> int:
        """What was written; ValueError if it is not of this kind."""


@dataclass(frozen=True)
class Alias:
    """Another notation for an instruction some of whose fields have fixed values.

    A preset is a constant or the name of a field with the same value. An alias without presets is
    accepted but never printed.
    """

    syntax: str
    target: str
    presets: Mapping[str, int | str] = field(default_factory=dict)


class Dialect(Protocol):
    """What an architecture adds to the common notation."""

    aliases: Sequence[Alias]

    def kind(self, name: str, form: str) -> Kind:
        """The kind of operand a placeholder `{name:form}` stands for."""

    def suffixes(self, mnemonic: str) -> tuple[str, dict[str, int]]:
        """A mnemonic without its optional suffix, and the fields which that suffix sets."""

    def suffix(self, name: str, values: Mapping[str, int]) -> str:
        """The suffix that a placeholder in a mnemonic stands for."""

    def expand(self, mnemonic: str, operands: Sequence[str], number: Number) -> list[str] | None:
        """The instructions a macro stands for, at least one; None if there is no such macro."""

    def function(self, name: str, value: int, pc: int) -> int:
        """The value of %name(value) in an instruction at pc; LookupError if there is none."""


class Placeholder(NamedTuple):
    """`{name:form}` in a syntax."""

    name: str
    form: str


@dataclass(frozen=True)
class Template:
    """A parsed syntax: the mnemonic, its suffix placeholder, and one pattern per operand."""

    syntax: str
    mnemonic: str
    suffix: str
    operands: tuple[str, ...]

    def write(self, values: Mapping[str, int], pc: int, dialect: Dialect) -> str:
        """The text of an instruction at pc with these field values."""
        suffix = dialect.suffix(self.suffix, values) if self.suffix else ""
        operands = list(self.operands)
        if operands and self._omitted(values, dialect):
            operands.pop()

        def text(found: re.Match[str]) -> str:
            return dialect.kind(found[1], found[2] or "").text(values[found[1]], pc)

        written = ", ".join(PLACEHOLDER.sub(text, operand) for operand in operands)
        return f"{self.mnemonic}{suffix} {written}".rstrip()

    def _omitted(self, values: Mapping[str, int], dialect: Dialect) -> bool:
        """Whether the last operand has the value it has when left out."""
        last = PLACEHOLDER.fullmatch(self.operands[-1])
        return last is not None and (
            dialect.kind(last[1], last[2] or "").default == values[last[1]]
        )

    def read(
        self, operands: Sequence[str], pc: int, dialect: Dialect, number: Number
    ) -> dict[str, int] | None:
        """The field values operands stand for; None if they do not have this syntax's shape. An
        empty part, as in `(sp)`, counts as 0."""
        values: dict[str, int] = {}
        if len(operands) == len(self.operands) - 1:
            (last,) = _placeholders(self.operands[-1]) or (Placeholder("", ""),)
            default = dialect.kind(*last).default if last.name else None
            if default is None:
                return None
            values[last.name] = default
        elif len(operands) != len(self.operands):
            return None
        for pattern, text in zip(self.operands, operands, strict=False):
            found = _shape(pattern).fullmatch(text)
            if found is None:
                return None
            for (name, form), part in zip(_placeholders(pattern), found.groups(), strict=True):
                values[name] = dialect.kind(name, form).value(part.strip() or "0", pc, number)
        return values


@functools.cache
def parse_syntax(syntax: str) -> Template:
    """Split a syntax such as `lw {rd}, {imm}({rs1})`."""
    head, _, tail = syntax.partition(" ")
    suffix = PLACEHOLDER.search(head)
    operands = tuple(part.strip() for part in tail.split(",")) if tail else ()
    return Template(syntax, PLACEHOLDER.sub("", head), suffix[1] if suffix else "", operands)


@functools.cache
def _placeholders(pattern: str) -> tuple[Placeholder, ...]:
    return tuple(Placeholder(name, form) for name, form in PLACEHOLDER.findall(pattern))


@functools.cache
def _shape(pattern: str) -> re.Pattern[str]:
    literals = [re.escape(text) for text in PLACEHOLDER.split(pattern)[::3]]
    return re.compile("(.*)".join(literals))

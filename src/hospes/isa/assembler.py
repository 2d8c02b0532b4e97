"""A two-pass assembler: text to bytes, for any instruction set with a dialect.

Instructions are encoded as written (no automatic compression). A number given as a jump's target
is an address, as a label is. Directives: .byte .half .word .dword (and .2byte .4byte .8byte),
.ascii .asciz .string, .align .p2align (powers of two), .balign, .space .zero, .org (an address),
.equ .set; .globl and .option are accepted without effect. Labels may be numbers, referred to as
`1b` and `1f`.
"""

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from hospes.base.errors import HospesError
from hospes.isa.expression import evaluate
from hospes.isa.insn import Insn
from hospes.isa.source import Statement, statements
from hospes.isa.syntax import Alias, Dialect, Template, parse_syntax

DATA_BYTES: Final = {
    ".byte": 1, ".half": 2, ".2byte": 2, ".word": 4, ".4byte": 4, ".dword": 8, ".8byte": 8,
    ".quad": 8,
}  # fmt: skip
STRINGS: Final = {".ascii": b"", ".asciz": b"\0", ".string": b"\0"}
WITHOUT_EFFECT: Final = {".globl", ".global", ".option", ".text", ".attribute"}


class AssemblyError(HospesError):
    """A statement that cannot be assembled: line, text and reason."""


@dataclass(frozen=True)
class Form:
    """One way to write an instruction: its own syntax, or an alias of it."""

    template: Template
    insn: Insn
    presets: Mapping[str, int | str] = field(default_factory=dict)


@dataclass(frozen=True)
class Program:
    """Assembled bytes, the address of the first one, and the symbols defined."""

    address: int
    code: bytes
    symbols: Mapping[str, int]


class Assembler:
    """Assembles sources for the instructions given, by mnemonic."""

    def __init__(self, insns: Mapping[str, tuple[Insn, ...]], dialect: Dialect) -> None:
        self.dialect = dialect
        self.forms: dict[str, list[Form]] = {}
        for name, named in insns.items():
            self.forms[name] = [Form(parse_syntax(insn.syntax), insn) for insn in named]
        for alias in dialect.aliases:
            self._add_alias(alias, insns)

    def _add_alias(self, alias: Alias, insns: Mapping[str, tuple[Insn, ...]]) -> None:
        template = parse_syntax(alias.syntax)
        for insn in insns.get(alias.target, ()):
            form = Form(template, insn, alias.presets)
            self.forms.setdefault(template.mnemonic, []).append(form)

    def assemble(
        self, source: str, address: int = 0, symbols: Mapping[str, int] | None = None
    ) -> Program:
        """Assemble for an address, with symbols known beforehand; AssemblyError names the line."""
        parsed = list(statements(source))
        first = Pass(self, address, dict(symbols or {}), final=False)
        first.run(parsed)
        second = Pass(self, address, first.symbols, final=True)
        second.run(parsed)
        return Program(address, bytes(second.code), second.symbols)


class Pass:
    """One walk over the statements; the first finds addresses, the final one emits."""

    def __init__(
        self, assembler: Assembler, address: int, symbols: dict[str, int], *, final: bool
    ) -> None:
        self.forms, self.dialect = assembler.forms, assembler.dialect
        self.start, self.symbols, self.final = address, symbols, final
        self.seen: set[str] = set()
        self.counts: dict[str, int] = {}
        self.code = bytearray()

    @property
    def pc(self) -> int:
        return self.start + len(self.code)

    def run(self, parsed: list[Statement]) -> None:
        """Go through all statements; AssemblyError for the first faulty one."""
        for statement in parsed:
            try:
                self._statement(statement)
            except LookupError as error:
                reason = f"{error.args[0]} is not defined"
                raise AssemblyError(_located(statement, reason)) from None
            except ValueError as error:
                raise AssemblyError(_located(statement, str(error))) from None

    def _statement(self, statement: Statement) -> None:
        if statement.label:
            self._label(statement.label)
        elif "" in statement.operands:
            raise ValueError("an operand is missing")
        elif statement.mnemonic.startswith("."):
            self._directive(statement.mnemonic, statement.operands)
        else:
            self._instruction(statement.mnemonic, statement.operands)

    def _label(self, name: str) -> None:
        if name.isdecimal():
            self.counts[name] = self.counts.get(name, 0) + 1
            name = f"{name}@{self.counts[name]}"
        if name in self.seen:
            raise ValueError(f"label {name} is defined twice")
        self.seen.add(name)
        self.symbols[name] = self.pc

    def number(self, text: str) -> int:
        """The value of an expression whose symbols must be known already in both passes."""
        pc = self.pc
        return evaluate(text, self._symbol, lambda name, value: self._function(name, value, pc))

    def later(self, text: str) -> int:
        """The value of an expression that affects no size: 0 as long as a symbol is unknown."""
        try:
            return self.number(text)
        except LookupError:
            if self.final:
                raise
            return 0

    def _function(self, name: str, value: int, pc: int) -> int:
        try:
            return self.dialect.function(name, value, pc)
        except LookupError:
            raise ValueError(f"there is no function %{name}") from None

    def _symbol(self, name: str) -> int:
        if name == ".":
            return self.pc
        if name[0].isdigit():
            count = self.counts.get(name[:-1], 0) + (name[-1] == "f")
            return self.symbols[f"{name[:-1]}@{count}"]
        return self.symbols[name]

    def _directive(self, name: str, operands: tuple[str, ...]) -> None:
        if name in DATA_BYTES:
            size = DATA_BYTES[name]
            for text in operands:
                value = self.later(text)
                if self.final and not -(1 << 8 * size - 1) <= value < 1 << 8 * size:
                    raise ValueError(f"{value:#x} does not fit {size} bytes")
                self.code += (value & (1 << 8 * size) - 1).to_bytes(size, "little")
        elif name in STRINGS:
            for text in operands:
                self.code += _string(text) + STRINGS[name]
        elif name in {".equ", ".set"}:
            self.symbols[operands[0]] = self.number(operands[1])
        elif name in {".align", ".p2align", ".balign"}:
            bytes_ = self.number(operands[0])
            self._fill(-self.pc % (bytes_ if name == ".balign" else 1 << bytes_))
        elif name in {".space", ".zero"}:
            self._fill(self.number(operands[0]))
        elif name == ".org":
            self._fill(self.number(operands[0]) - self.pc)
        elif name not in WITHOUT_EFFECT:
            raise ValueError(f"there is no directive {name}")

    def _fill(self, size: int) -> None:
        if size < 0:
            raise ValueError(f"it would go back {-size} bytes")
        self.code += bytes(size)

    def _instruction(self, mnemonic: str, operands: tuple[str, ...]) -> None:
        expanded = self.dialect.expand(mnemonic, operands, self.number)
        if expanded is None:
            self._encode(mnemonic, operands)
            return
        for line in expanded:
            for statement in statements(line):
                self._encode(statement.mnemonic, statement.operands)

    def _encode(self, mnemonic: str, operands: tuple[str, ...]) -> None:
        base, suffixes = self.dialect.suffixes(mnemonic)
        forms = [f for f in self.forms.get(base, ()) if f.template.suffix or not suffixes]
        if not forms:
            raise ValueError(f"there is no instruction {mnemonic}")
        refusal = f"it should look like '{forms[0].template.syntax}'"
        for form in forms:
            try:
                values = form.template.read(operands, self.pc, self.dialect, self.later)
            except ValueError as error:
                refusal = str(error)
                continue
            if values is not None:
                self._emit(form, values | suffixes)
                return
        raise ValueError(refusal)

    def _emit(self, form: Form, values: dict[str, int]) -> None:
        for name, preset in form.presets.items():
            values[name] = preset if isinstance(preset, int) else values[preset]
        word = form.insn.encode(values) if self.final else 0
        self.code += word.to_bytes(form.insn.length, "little")


def _string(text: str) -> bytes:
    if len(text) < 2 or text[0] != '"' or text[-1] != '"':
        raise ValueError(f"{text} is not a string in double quotes")
    try:
        return str(ast.literal_eval(text)).encode()
    except SyntaxError:
        raise ValueError(f"{text} has an escape sequence that is none") from None


def _located(statement: Statement, reason: str) -> str:
    return f"line {statement.line}, '{statement.text}': {reason}"

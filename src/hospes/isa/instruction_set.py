"""A frozen collection of instructions: overlap check, decoder, and the way to and from text."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from hospes.base.errors import HospesError
from hospes.isa.insn import Insn, declared

if TYPE_CHECKING:
    from hospes.isa.assembler import Assembler, Program
    from hospes.isa.disassembler import Disassembler
    from hospes.isa.syntax import Dialect

_OPCODE: Final = {4: 0x7F, 2: 0xE003}
"""The bits that hold the major opcode, by the instruction's length in bytes."""


class Decoded(NamedTuple):
    """An instruction and the arguments of its function after the hart."""

    insn: Insn
    operands: tuple[int, ...]


class Branch(NamedTuple):
    """A node of the decision tree: the next node is chosen by the masked bits of the word."""

    mask: int
    nodes: "Mapping[int, Branch | tuple[Insn, ...]]"


Node = Branch | tuple[Insn, ...]


class InstructionSet:
    """Instructions that may stand in one program.

    `insns` is ordered so that the first that fits a word is the right one (it matters only where
    an instruction overrides a part of another). `by_name` keeps declaration order per mnemonic.
    Text, and so the `dialect`, is loaded when it is first asked for: most machines only decode.
    """

    def __init__(self, name: str, modules: Iterable[Any], dialect: Callable[[], "Dialect"]) -> None:
        found = {id(made): made for module in modules for made in declared(module)}
        self.name, self._dialect = name, dialect
        self.insns = tuple(sorted(found.values(), key=lambda made: -len(made.overrides)))
        check_overlaps(self.insns)
        names: dict[str, tuple[Insn, ...]] = {}
        for made in found.values():
            names[made.name] = (*names.get(made.name, ()), made)
        self.by_name: Mapping[str, tuple[Insn, ...]] = MappingProxyType(names)
        self._wide = _tree([made for made in self.insns if made.length == 4], 0)
        self._narrow = _tree([made for made in self.insns if made.length == 2], 0)
        self._cache: dict[int, Decoded | None] = {}

    def find(self, word: int) -> Insn | None:
        """The instruction a word (16 bits of it, if those are a compressed one) encodes."""
        node: Node | None = self._wide if word & 3 == 3 else self._narrow
        word &= 0xFFFF_FFFF if word & 3 == 3 else 0xFFFF
        while isinstance(node, Branch):
            node = node.nodes.get(word & node.mask)
        for made in node or ():
            if made.fits(word):
                return made
        return None

    def decode(self, word: int) -> Decoded | None:
        """The instruction in a word with its operands; None if it is illegal."""
        word &= 0xFFFF_FFFF if word & 3 == 3 else 0xFFFF
        try:
            return self._cache[word]
        except KeyError:
            made = self.find(word)
            result = None if made is None else Decoded(made, made.arguments(word))
            self._cache[word] = result
            return result

    def assemble(self, text: str, pc: int = 0, symbols: Mapping[str, int] | None = None) -> bytes:
        """The bytes of an assembly source placed at pc; AssemblyError names a faulty line."""
        return self.program(text, pc, symbols).code

    def program(
        self, text: str, pc: int = 0, symbols: Mapping[str, int] | None = None
    ) -> "Program":
        """Like assemble, with the symbols that the source defines."""
        return self._assembler.assemble(text, pc, symbols)

    def disassemble(self, word: int, pc: int = 0) -> str:
        """The instruction in a word as text; a data directive if it is illegal."""
        wide = word & 3 == 3
        word &= 0xFFFF_FFFF if wide else 0xFFFF
        made = self.find(word)
        if made is None:
            return f".word {word:#010x}" if wide else f".half {word:#06x}"
        return self._disassembler.text(made, word, pc)

    @cached_property
    def _assembler(self) -> "Assembler":
        from hospes.isa.assembler import Assembler

        return Assembler(self.by_name, self._dialect())

    @cached_property
    def _disassembler(self) -> "Disassembler":
        from hospes.isa.disassembler import Disassembler

        return Disassembler(self._dialect())


def check_overlaps(insns: Sequence[Insn]) -> None:
    """Refuse two instructions that fit one word, unless one says that it overrides the other."""
    seen: dict[int, list[Insn]] = {}
    fixed = all(made.mask & _OPCODE[made.length] == _OPCODE[made.length] for made in insns)
    for made in insns:
        # Those of another opcode cannot overlap, and this is a part of every start.
        alike = seen.setdefault(made.match & _OPCODE[made.length] if fixed else 0, [])
        for other in alike:
            if overlap(made, other) and not (
                made.name in other.overrides or other.name in made.overrides
            ):
                raise HospesError(
                    f"instructions {other.name} ({other.pattern}) and {made.name} "
                    f"({made.pattern}) overlap; separate them or name one in 'overrides'"
                )
        alike.append(made)


def overlap(a: Insn, b: Insn) -> bool:
    """Whether some word may fit both instructions."""
    if a.length != b.length or (a.match ^ b.match) & a.mask & b.mask:
        return False
    mask, match = a.mask | b.mask, a.match | b.match
    conditions = [(made.field(c.field), c) for made in (a, b) for c in made.where]
    for field, condition in conditions:
        if condition.operator == "==":
            bits = field.insert_raw(condition.value)
            if (match ^ bits) & mask & field.mask:
                return False
            mask, match = mask | field.mask, match | bits
    return not any(
        condition.operator == "!="
        and field.mask & ~mask == 0
        and match & field.mask == field.insert_raw(condition.value)
        for field, condition in conditions
    )


def _tree(insns: list[Insn], tested: int) -> Node:
    """Split by the fixed bits all have in common, until nothing more is common."""
    common = ~tested
    for made in insns:
        common &= made.mask
    if common == 0 or len(insns) < 2:
        return tuple(insns)
    groups: dict[int, list[Insn]] = {}
    for made in insns:
        groups.setdefault(made.match & common, []).append(made)
    return Branch(common, {key: _tree(group, tested | common) for key, group in groups.items()})

"""The text of instruction words, in aliases where one fits; the assembler reads it back."""

from hospes.isa.insn import Insn
from hospes.isa.syntax import Alias, Dialect, Template, parse_syntax


class Disassembler:
    """Writes instructions in a dialect."""

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self.aliases: dict[str, list[tuple[Template, Alias]]] = {}
        for alias in dialect.aliases:
            if alias.presets:
                entry = (parse_syntax(alias.syntax), alias)
                self.aliases.setdefault(alias.target, []).append(entry)

    def text(self, insn: Insn, word: int, pc: int) -> str:
        """The word, which encodes insn, as an instruction at pc."""
        values = {field.name: field.extract(word) for field in insn.fields}
        for template, alias in self.aliases.get(insn.name, ()):
            if all(
                values[name] == (preset if isinstance(preset, int) else values[preset])
                for name, preset in alias.presets.items()
            ):
                return template.write(values, pc, self.dialect)
        return parse_syntax(insn.syntax).write(values, pc, self.dialect)

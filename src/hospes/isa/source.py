"""Assembly source text taken apart into statements."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

LABEL = re.compile(r"\s*([A-Za-z_.$][\w.$]*|\d+)\s*:(?!:)")
ASSIGNMENT = re.compile(r"\s*([A-Za-z_.$][\w.$]*)\s*=(?!=)(.*)")
QUOTED_OR_END = re.compile(r"""("(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])')|(#|//)|(;)""")


@dataclass(frozen=True)
class Statement:
    """A label, or a directive or instruction with its operands, and where it stands."""

    line: int
    text: str
    label: str = ""
    mnemonic: str = ""
    operands: tuple[str, ...] = ()


def statements(source: str) -> Iterator[Statement]:
    """The statements of a source; `#` and `//` start comments, `;` separates statements."""
    for number, line in enumerate(source.splitlines(), start=1):
        for part in _split(line):
            text = part
            while (found := LABEL.match(text)) is not None:
                yield Statement(number, part.strip(), label=found[1])
                text = text[found.end() :]
            text = text.strip()
            if (assigned := ASSIGNMENT.fullmatch(text)) is not None:
                pair = (assigned[1], assigned[2].strip())
                yield Statement(number, text, mnemonic=".equ", operands=pair)
            elif text:
                mnemonic, *rest = text.split(maxsplit=1)
                operands = split_operands(rest[0]) if rest else ()
                yield Statement(number, text, mnemonic=mnemonic, operands=operands)


def split_operands(text: str) -> tuple[str, ...]:
    """The parts between commas that are in no parentheses and no quotes; a part may be empty."""
    parts: list[str] = []
    depth, start, quote, previous = 0, 0, "", ""
    for position, character in enumerate(text):
        if quote:
            if character == quote and previous != "\\":
                quote = ""
            previous = "" if previous == "\\" else character
            continue
        if character in "\"'":
            quote = character
        elif character in "()":
            depth += 1 if character == "(" else -1
        elif character == "," and depth == 0:
            parts.append(text[start:position].strip())
            start = position + 1
    return (*parts, text[start:].strip())


def _split(line: str) -> list[str]:
    """A line without its comment, cut at semicolons."""
    parts: list[str] = []
    start = 0
    for found in QUOTED_OR_END.finditer(line):
        if found[2]:
            return [*parts, line[start : found.start()]]
        if found[3]:
            parts.append(line[start : found.start()])
            start = found.end()
    return [*parts, line[start:]]

"""Integer expressions as assemblers have them: C operators, symbols, %functions of an address."""

import re
from collections.abc import Callable, Mapping
from typing import Final

TOKEN = re.compile(
    r"\s*(?:(0[xX][0-9a-fA-F_]+|0[bB][01_]+|0[oO][0-7_]+|\d[\d_]*)(?![\w.])"
    r"|'(\\.|[^'\\])'|(%?[A-Za-z_.$][\w.$]*|\d+[fb])|(<<|>>|[-+*/%&|^~()]))"
)
BINARY: Final[Mapping[str, tuple[int, Callable[[int, int], int]]]] = {
    "|": (1, lambda a, b: a | b),
    "^": (2, lambda a, b: a ^ b),
    "&": (3, lambda a, b: a & b),
    "<<": (4, lambda a, b: a << b),
    ">>": (4, lambda a, b: a >> b),
    "+": (5, lambda a, b: a + b),
    "-": (5, lambda a, b: a - b),
    "*": (6, lambda a, b: a * b),
    "/": (6, lambda a, b: a // b),
    "%": (6, lambda a, b: a % b),
}
UNARY: Final[Mapping[str, Callable[[int], int]]] = {
    "-": lambda a: -a,
    "+": lambda a: a,
    "~": lambda a: ~a,
}
ESCAPES: Final = {"n": 10, "t": 9, "r": 13, "0": 0, "\\": 92, "'": 39, '"': 34}

Lookup = Callable[[str], int]
"""The value of a symbol; LookupError if there is none."""

Call = Callable[[str, int], int]
"""The value of %name(argument); LookupError if there is no such function."""


class _Reader:
    """One expression being read, by precedence climbing."""

    def __init__(self, text: str, lookup: Lookup, call: Call) -> None:
        self.text, self.lookup, self.call = text, lookup, call
        self.position = 0

    def peek(self) -> str:
        """The next operator or parenthesis, '' if something else comes."""
        found = TOKEN.match(self.text, self.position)
        return found[4] or "" if found else ""

    def expect(self, sign: str) -> None:
        found = TOKEN.match(self.text, self.position)
        if found is None or found[4] != sign:
            raise ValueError(f"'{self.text}' lacks '{sign}'")
        self.position = found.end()

    def sum(self, lowest: int) -> int:
        value = self.term()
        while (sign := self.peek()) in BINARY and BINARY[sign][0] >= lowest:
            self.expect(sign)
            precedence, combine = BINARY[sign]
            value = combine(value, self.sum(precedence + 1))
        return value

    def term(self) -> int:
        found = TOKEN.match(self.text, self.position)
        if found is None:
            raise ValueError(f"'{self.text}' is not an expression")
        self.position = found.end()
        number, character, name, sign = found.groups()
        if number:
            return int(number, 0)
        if character:
            return ESCAPES[character[1]] if character[0] == "\\" else ord(character)
        if name:
            if not name.startswith("%"):
                return self.lookup(name)
            self.expect("(")
            value = self.sum(0)
            self.expect(")")
            return self.call(name[1:], value)
        if sign == "(":
            value = self.sum(0)
            self.expect(")")
            return value
        if sign not in UNARY:
            raise ValueError(f"'{self.text}' is not an expression")
        return UNARY[sign](self.term())


def evaluate(text: str, lookup: Lookup, call: Call) -> int:
    """The value of an expression; ValueError if it is not one, LookupError for unknown names."""
    reader = _Reader(text, lookup, call)
    try:
        value = reader.sum(0)
    except ZeroDivisionError:
        raise ValueError(f"'{text}' divides by zero") from None
    if text[reader.position :].strip():
        raise ValueError(f"'{text}' is not an expression")
    return value

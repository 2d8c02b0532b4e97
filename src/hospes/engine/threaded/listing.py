"""The native handlers of one instruction in print: as LLVM IR, and as the host's assembly."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from hospes.compiler.module import Module
from hospes.compiler.native import assembly
from hospes.compiler.vocabulary import BITS
from hospes.engine.threaded.calls import SIGNATURE
from hospes.engine.threaded.floats import FLOATS
from hospes.engine.threaded.host import host_text
from hospes.engine.threaded.ops import operations_of
from hospes.engine.threaded.state import EngineState
from hospes.engine.threaded.variants import compile_operation
from hospes.engine.threaded.words import WORDS
from hospes.isa.insn import Insn

SYMBOL: Final = re.compile(r'@"?([\w.]+)"?')
HELD: Final = re.compile(r'^(?:define|declare|@)[^@\n]*@?"?([\w.]+)"?', re.MULTILINE)
DIRECTIVE: Final = re.compile(r"\s*(?:\.[a-z]|#)")


@dataclass(frozen=True)
class Listing:
    """One handler: its symbol, the IR we made, and the code that LLVM made of it."""

    symbol: str
    ir: str
    assembly: str


def listings(insns: Sequence[Insn], instructions: Iterable[Insn]) -> list[Listing]:
    """The handlers that these of a set's instructions can have in an op."""
    module = Module(EngineState, {**BITS, **WORDS, **FLOATS})
    functions = {one.function for one in insns}
    lengths = {one.length for one in insns}
    symbols = [
        symbol
        for operation in operations_of(tuple(instructions))
        if operation.function in functions
        for (length, _), symbol in compile_operation(module, operation).items()
        if length in lengths
    ]
    module.define("host", host_text())
    code = assembly(_closed(module.text()))
    return [Listing(one, module.definitions[one].strip(), _cut(code, one)) for one in symbols]


def _closed(text: str) -> str:
    """The module with declarations of the handlers that only the whole engine defines."""
    missing = sorted(set(SYMBOL.findall(text)) - set(HELD.findall(text)))
    declared = (f'declare preserve_nonecc void @"{one}"({SIGNATURE})' for one in missing)
    return "\n".join([text, *declared])


def _cut(code: str, symbol: str) -> str:
    """One function out of an assembly file, without directives and comments."""
    lines = iter(code.splitlines())
    body: list[str] = []
    for line in lines:
        if line.split("#")[0].strip().strip('"') in (f"{symbol}:", f'{symbol}":'):
            break
    for line in lines:
        if line.startswith(".Lfunc_end"):
            break
        if not DIRECTIVE.match(line) or line.startswith(".L"):
            body.append(line.split("#")[0].rstrip())
    return "\n".join(line for line in body if line.strip()).expandtabs(4)

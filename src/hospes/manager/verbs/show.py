"""What an instruction is made of: its encodings, its meaning in Python, and what became of it."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import hospes
from hospes.base.errors import HospesError
from hospes.manager.manager import Manager
from hospes.manager.verb import verb

if TYPE_CHECKING:
    from hospes.engine.threaded.listing import Listing
    from hospes.isa.insn import Insn

PACKAGE: Final = Path(hospes.__path__[0])


@dataclass(frozen=True)
class Encoding:
    """One bit pattern (most significant bit first), its assembly syntax, and when it holds."""

    syntax: str
    pattern: str
    where: str


@dataclass(frozen=True)
class Meaning:
    """A semantic function: where it is defined and its source."""

    place: str
    source: str


@dataclass(frozen=True)
class Shown:
    """Everything about one mnemonic."""

    name: str
    encodings: tuple[Encoding, ...]
    meanings: tuple[Meaning, ...]
    handlers: "tuple[Listing, ...]"


@verb("GET /instructions/{name}")
def show(m: Manager, name: Annotated[str, "a mnemonic, such as div or c.lw"]) -> Shown:
    """Print an instruction: encoding, source, LLVM IR, assembly."""
    from hospes.engine.threaded.listing import listings
    from hospes.isa.riscv.profile import RV64

    insns = _find(name)
    functions = dict.fromkeys(one.function for one in insns)
    return Shown(
        name,
        tuple(_encoding(one) for one in insns),
        tuple(_meaning(function) for function in functions),
        tuple(listings(insns, RV64.insns)),
    )


def _find(name: str) -> "tuple[Insn, ...]":
    from hospes.isa.riscv.profile import RV64

    found = RV64.by_name.get(name.lower())
    if found is None:
        import difflib

        near = difflib.get_close_matches(name.lower(), RV64.by_name, n=3)
        hint = f"; did you mean {' or '.join(near)}?" if near else ""
        raise HospesError(f"there is no instruction {name!r}{hint}")
    return found


def _encoding(one: "Insn") -> Encoding:
    conditions = " and ".join(f"{c.field} {c.operator} {c.value}" for c in one.where)
    return Encoding(one.syntax, one.pattern, conditions)


def _meaning(function: Callable[..., None]) -> Meaning:
    lines, first = inspect.getsourcelines(function)
    path = Path(inspect.getsourcefile(function) or "").relative_to(PACKAGE.parent)
    return Meaning(f"{path}:{first}", "".join(lines).rstrip())

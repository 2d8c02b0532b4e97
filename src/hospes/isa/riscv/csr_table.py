"""How a CSR is described: functions that read and write it, or storage, or a constant."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, TypeVar

from hospes.base.errors import HospesError
from hospes.isa.riscv.hart import Hart

Read = Callable[..., int]
Write = Callable[..., None]
Function = TypeVar("Function", bound=Read)

DECLARED: Final = "__hospes_csrs__"


@dataclass(frozen=True)
class Csr:
    """A control and status register.

    A read is `read(h)`, else the word `field` of the hart, else `constant`. A write is
    `write(h, value)`, else it replaces the bits of `write_mask` in `field`, else it is ignored.
    With `index`, both functions take it as an argument after the hart.
    """

    number: int
    name: str
    read: Read | None = None
    write: Write | None = None
    field: str = ""
    write_mask: int = 0
    constant: int = 0
    index: int | None = None

    def load(self, h: Hart) -> int:
        """The register's value."""
        if self.read is not None:
            return self.read(h) if self.index is None else self.read(h, self.index)
        return int(getattr(h, self.field)) if self.field else self.constant

    def store(self, h: Hart, value: int) -> None:
        """Write the register as far as it can be written."""
        if self.write is not None:
            if self.index is None:
                self.write(h, value)
            else:
                self.write(h, self.index, value)
        elif self.field:
            kept = getattr(h, self.field) & ~self.write_mask
            setattr(h, self.field, kept | (value & self.write_mask))


def csr(number: int, name: str, *, write: Write | None = None) -> Callable[[Function], Function]:
    """Declare the decorated function of the hart to read a CSR."""

    def declare(read: Function) -> Function:
        made = Csr(number, name, read=read, write=write)
        setattr(read, DECLARED, (*getattr(read, DECLARED, ()), made))
        return read

    return declare


def collect(*modules: Any) -> Mapping[int, Csr]:
    """The CSRs that modules declare, by decorator or in a tuple, by number; each number once."""
    table: dict[int, Csr] = {}
    for module in modules:
        for value in vars(module).values():
            if getattr(value, "__module__", module.__name__) != module.__name__:
                continue
            listed = value if isinstance(value, tuple) else getattr(value, DECLARED, ())
            for made in listed:
                if not isinstance(made, Csr):
                    continue
                if made.number in table:
                    raise HospesError(
                        f"CSR {made.number:#x} is both {table[made.number].name} and {made.name}; "
                        "declare it once"
                    )
                table[made.number] = made
    return MappingProxyType(dict(sorted(table.items())))

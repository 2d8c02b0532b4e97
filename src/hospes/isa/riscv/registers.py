"""Names of RISC-V registers and how every kind of operand is written in assembly."""

from collections.abc import Mapping
from typing import Final

from hospes.isa.riscv.csr import CSRS
from hospes.isa.syntax import Kind, Number

INTEGER_NAMES: Final = (
    "zero", "ra", "sp", "gp", "tp", "t0", "t1", "t2", "s0", "s1", "a0", "a1", "a2", "a3", "a4",
    "a5", "a6", "a7", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11", "t3", "t4",
    "t5", "t6",
)  # fmt: skip
FLOAT_NAMES: Final = (
    "ft0", "ft1", "ft2", "ft3", "ft4", "ft5", "ft6", "ft7", "fs0", "fs1", "fa0", "fa1", "fa2",
    "fa3", "fa4", "fa5", "fa6", "fa7", "fs2", "fs3", "fs4", "fs5", "fs6", "fs7", "fs8", "fs9",
    "fs10", "fs11", "ft8", "ft9", "ft10", "ft11",
)  # fmt: skip
ROUNDING_NAMES: Final = {"rne": 0, "rtz": 1, "rdn": 2, "rup": 3, "rmm": 4, "dyn": 7}


class Name:
    """An operand written as one of a set of names, or, where allowed, as a number."""

    def __init__(
        self,
        what: str,
        values: Mapping[str, int],
        names: Mapping[int, str],
        *,
        default: int | None = None,
        numeric: bool = False,
    ) -> None:
        self.what, self.values, self.names = what, values, names
        self.default, self.numeric = default, numeric

    def text(self, value: int, pc: int) -> str:
        return self.names.get(value, str(value) if value < 10 else hex(value))

    def value(self, text: str, pc: int, number: Number) -> int:
        """The name's number; ValueError if it is neither a name nor an allowed number."""
        if text in self.values:
            return self.values[text]
        if self.numeric:
            return number(text)
        raise ValueError(f"'{text}' is not {self.what}")


class Plain:
    """A number: decimal up to 9, else hexadecimal."""

    default: int | None = None

    def text(self, value: int, pc: int) -> str:
        return str(value) if abs(value) < 10 else hex(value)

    def value(self, text: str, pc: int, number: Number) -> int:
        return number(text)


class Upper(Plain):
    """The upper 20 bits of a signed 32-bit value, written as a number of their own."""

    def text(self, value: int, pc: int) -> str:
        return super().text(value >> 12 & 0xFFFFF, pc)

    def value(self, text: str, pc: int, number: Number) -> int:
        """The value with these upper 20 bits, which may be given signed or unsigned."""
        upper = number(text)
        if not -0x80000 <= upper <= 0xFFFFF:
            raise ValueError(f"{upper:#x} does not fit 20 bits")
        return ((upper & 0xFFFFF ^ 0x80000) - 0x80000) << 12


class Target(Plain):
    """A distance from the instruction, written as the address it leads to."""

    def text(self, value: int, pc: int) -> str:
        return hex(pc + value & 0xFFFF_FFFF_FFFF_FFFF)

    def value(self, text: str, pc: int, number: Number) -> int:
        distance = number(text) - pc & 0xFFFF_FFFF_FFFF_FFFF
        return (distance ^ 1 << 63) - (1 << 63)


class Ordering(Plain):
    """The accesses a fence orders: letters of `iorw`, or 0."""

    def text(self, value: int, pc: int) -> str:
        return "".join(letter for bit, letter in enumerate("wroi") if value >> bit & 1)[::-1] or "0"

    def value(self, text: str, pc: int, number: Number) -> int:
        """The set of letters as four bits; a letter may stand once only."""
        if text == "0":
            return 0
        bits = ["wroi".find(letter) for letter in text]
        if -1 in bits or len(set(bits)) < len(bits):
            raise ValueError(f"'{text}' is not a set of the letters iorw")
        return sum(1 << bit for bit in bits)


def _register_kind(what: str, names: tuple[str, ...], **more: int) -> Kind:
    prefix = "f" if names is FLOAT_NAMES else "x"
    values = {name: number for number, name in enumerate(names)}
    values |= {f"{prefix}{number}": number for number in range(32)} | more
    return Name(what, values, dict(enumerate(names)))


def _rounding_kind(default: int) -> Kind:
    names = {number: name for name, number in ROUNDING_NAMES.items()}
    return Name("a rounding mode", ROUNDING_NAMES, names, default=default, numeric=True)


INTEGER: Final = _register_kind("an integer register", INTEGER_NAMES, fp=8)
FLOAT: Final = _register_kind("a floating-point register", FLOAT_NAMES)
ROUNDING: Final = _rounding_kind(ROUNDING_NAMES["dyn"])
EXACT_ROUNDING: Final = _rounding_kind(ROUNDING_NAMES["rne"])
"""For conversions that never round; binutils, too, encodes rne when none is given."""
CSR: Final = Name(
    "a CSR",
    {csr.name: number for number, csr in CSRS.items()},
    {number: csr.name for number, csr in CSRS.items()},
    numeric=True,
)
KINDS: Final[Mapping[str, Kind]] = {
    "f": FLOAT, "hi": Upper(), "pc": Target(), "rm": ROUNDING, "exact": EXACT_ROUNDING, "csr": CSR,
    "pred": Ordering(), "succ": Ordering(), "rd": INTEGER, "rs1": INTEGER, "rs2": INTEGER,
    "rs3": INTEGER,
}  # fmt: skip
PLAIN: Final = Plain()


def kind_of(name: str, form: str) -> Kind:
    """The kind of the operand written `{name:form}`."""
    return KINDS.get(form or name.rstrip("'"), PLAIN)

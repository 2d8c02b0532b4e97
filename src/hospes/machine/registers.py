"""A hart's registers as numbers with names, for people and debuggers."""

from dataclasses import dataclass
from typing import Final

from hospes.isa.riscv.encoding import STATUS_FS_SHIFT, STATUS_SD
from hospes.isa.riscv.hart import Hart

CSR_NAMES: Final = (
    *("medeleg", "mideleg", "mie", "mtvec", "mepc", "mcause", "mtval", "mscratch"),
    *("menvcfg", "stvec", "sepc", "scause", "stval", "sscratch", "senvcfg", "satp", "stimecmp"),
)
MODES: Final = {0: "U", 1: "S", 3: "M"}


@dataclass(frozen=True)
class Registers:
    """One hart at one moment: `x` and `f` by number, `csr` by name."""

    pc: int
    mode: str
    instret: int
    x: tuple[int, ...]
    f: tuple[int, ...]
    csr: dict[str, int]

    def __getitem__(self, name: str) -> int:
        """A register by its ABI name (`a0`), its number (`x10`, `f3`), or `pc`, or a CSR's name."""
        from hospes.isa.riscv.registers import INTEGER_NAMES

        if name == "pc":
            return self.pc
        if name in INTEGER_NAMES:
            return self.x[INTEGER_NAMES.index(name)]
        if name[:1] in "xf" and name[1:].isdigit():
            return (self.x if name[0] == "x" else self.f)[int(name[1:])]
        return self.csr[name]


def registers_of(hart: Hart) -> Registers:
    """The hart's registers now."""
    csr = {name: getattr(hart, name) for name in CSR_NAMES}
    dirty = STATUS_SD if hart.fs == 3 else 0
    csr["mstatus"] = hart.mstatus | hart.fs << STATUS_FS_SHIFT | dirty
    csr["mip"] = hart.mip | hart.lines | hart.timer_due
    csr["fcsr"] = hart.fflags | hart.frm << 5
    return Registers(
        pc=hart.pc,
        mode=MODES[hart.mode],
        instret=hart.instret,
        x=tuple(hart.x)[:32],
        f=tuple(hart.f),
        csr=csr,
    )

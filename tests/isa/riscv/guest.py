"""A small machine to test privileged behaviour on: RAM in a bytearray, the reference engine."""

from typing import Final

from hospes.engine.engine import Exit
from hospes.engine.reference import ReferenceEngine
from hospes.isa.riscv.csr import CSR_NUMBERS, CSRS
from hospes.isa.riscv.encoding import ILLEGAL_INSTRUCTION, MODE_M
from hospes.isa.riscv.hart import Hart
from hospes.isa.riscv.priv import refresh, reset
from hospes.isa.riscv.profile import RV64

RAM_BASE: Final = 0x8000_0000
RAM_BYTES: Final = 0x10_0000
CODE: Final = RAM_BASE
M_HANDLER: Final = RAM_BASE + 0x4000
S_HANDLER: Final = RAM_BASE + 0x5000
TABLES: Final = RAM_BASE + 0x1_0000


def encode(name: str, /, **fields: int) -> int:
    """The word of an instruction with these fields."""
    return RV64.by_name[name][0].encode(fields)


class FlatRam:
    """RAM_BYTES of memory at RAM_BASE."""

    def __init__(self) -> None:
        self.data = bytearray(RAM_BYTES)

    def contains(self, gpa: int, size_bytes: int) -> bool:
        return RAM_BASE <= gpa <= RAM_BASE + RAM_BYTES - size_bytes

    def load(self, gpa: int, size_bytes: int) -> int:
        start = gpa - RAM_BASE
        return int.from_bytes(self.data[start : start + size_bytes], "little")

    def store(self, gpa: int, size_bytes: int, value: int) -> None:
        low = value & ((1 << 8 * size_bytes) - 1)
        start = gpa - RAM_BASE
        self.data[start : start + size_bytes] = low.to_bytes(size_bytes, "little")


class Ticker:
    """A timebase that stands still unless told."""

    def __init__(self) -> None:
        self.now = 0

    def ticks(self, hart: Hart) -> int:
        return self.now


class Guest:
    """A hart after reset, with handlers' addresses set and PMP open to all modes."""

    def __init__(self, mode: int = MODE_M, *, open_pmp: bool = True) -> None:
        self.ram = FlatRam()
        self.time = Ticker()
        self.engine = ReferenceEngine(self.ram, timebase=self.time)
        self.h = Hart()
        reset(self.h)
        self.h.pc = CODE
        self.attach()
        self.set("mtvec", M_HANDLER)
        self.set("stvec", S_HANDLER)
        if open_pmp:
            self.set("pmpaddr0", (1 << 54) - 1)
            self.set("pmpcfg0", 0x1F)
        self.mode(mode)

    def attach(self) -> None:
        """Give the hart its port without executing anything."""
        self.engine.run(self.h, 0)

    def mode(self, mode: int) -> None:
        self.h.mode = mode
        refresh(self.h)

    def get(self, name: str) -> int:
        """A CSR's value, unchecked."""
        return CSRS[CSR_NUMBERS[name]].load(self.h)

    def set(self, name: str, value: int) -> None:
        """Write a CSR as its write rules allow, unchecked by mode."""
        CSRS[CSR_NUMBERS[name]].store(self.h, value)

    def place(self, gpa: int, *words: int) -> None:
        """Put instructions at an address."""
        for word in words:
            size_bytes = 4 if word & 3 == 3 else 2
            self.ram.store(gpa, size_bytes, word)
            gpa += size_bytes

    def execute(self, name: str, /, **fields: int) -> Exit | None:
        """Put one instruction at the physical address pc and step."""
        self.place(self.h.pc, encode(name, **fields))
        return self.engine.step(self.h)

    def csr(self, name: str, value: int | None = None) -> int | None:
        """Read a CSR, or write one, by an instruction; None if that trapped."""
        pc = self.h.pc
        if value is None:
            self.execute("csrrs", rd=10, csr=CSR_NUMBERS[name], rs1=0)
        else:
            self.h.x[11] = value
            self.execute("csrrw", rd=0, csr=CSR_NUMBERS[name], rs1=11)
        return self.h.x[10] if self.h.pc == pc + 4 else None

    @property
    def trap(self) -> tuple[str, int, int] | None:
        """The handler reached with its cause and value: ("M" or "S", cause, tval)."""
        if self.h.pc == M_HANDLER:
            return "M", self.h.mcause, self.h.mtval
        if self.h.pc == S_HANDLER:
            return "S", self.h.scause, self.h.stval
        return None


def illegal(guest: Guest, name: str, value: int | None = None) -> bool:
    """Whether an access traps as an illegal instruction whose bits are the trap value."""
    pc = guest.h.pc
    result = guest.csr(name, value)
    if result is not None:
        return False
    word = guest.ram.load(pc, 4)
    assert guest.trap == ("M", ILLEGAL_INSTRUCTION, word)
    assert guest.h.mepc == pc
    return True

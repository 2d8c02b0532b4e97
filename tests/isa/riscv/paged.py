"""A test machine with page tables."""

from typing import Final

from tests.isa.riscv.guest import RAM_BASE, TABLES, Guest

from hospes.isa.riscv.encoding import (
    MODE_S,
    PTE_A,
    PTE_D,
    PTE_R,
    PTE_V,
    PTE_W,
    PTE_X,
)
from hospes.isa.riscv.mmu import translate

SCHEMES: Final = {"sv39": (8, 3), "sv48": (9, 4), "sv57": (10, 5)}
"""satp.MODE and the number of levels."""
FRAME: Final = RAM_BASE + 0x2_0000
GVA: Final = 0x12_3456_7000
FULL: Final = PTE_V | PTE_R | PTE_W | PTE_X | PTE_A | PTE_D


class Paged(Guest):
    """A guest with page tables, which maps single leaves."""

    def __init__(self, scheme: str = "sv39", mode: int = MODE_S) -> None:
        super().__init__(mode)
        number, self.levels = SCHEMES[scheme]
        self.next_table = TABLES + 0x1000
        self.set("satp", number << 60 | TABLES >> 12)

    def map(self, gva: int, gpa: int, flags: int, level: int = 0) -> int:
        """A leaf at a level (0: 4 KiB); returns the address of its entry."""
        table = TABLES
        for above in range(self.levels - 1, level, -1):
            slot = table + (gva >> (12 + 9 * above) & 0x1FF) * 8
            if not self.ram.load(slot, 8):
                self.ram.store(slot, 8, self.next_table >> 12 << 10 | PTE_V)
                self.next_table += 0x1000
            table = self.ram.load(slot, 8) >> 10 << 12
        slot = table + (gva >> (12 + 9 * level) & 0x1FF) * 8
        self.ram.store(slot, 8, gpa >> 12 << 10 | flags)
        return slot

    def result(self, gva: int, access: int) -> int:
        """The physical address, or minus the cause."""
        cause = translate(self.h, gva, access)
        return -cause if cause else self.h.walk_gpa

"""Access to CSRs by number: which access is legal, and what then happens."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from hospes.isa.riscv import csr_aia, csr_machine, csr_pmp, csr_supervisor, csr_unprivileged
from hospes.isa.riscv.csr_aia import select_exists
from hospes.isa.riscv.csr_table import Csr, collect
from hospes.isa.riscv.encoding import (
    COUNTER_TM,
    ENVCFG_STCE,
    MODE_M,
    MODE_S,
    MODE_U,
    STATUS_TVM,
)
from hospes.isa.riscv.hart import Hart

CSRS: Final[Mapping[int, Csr]] = collect(
    csr_machine, csr_supervisor, csr_unprivileged, csr_pmp, csr_aia
)
"""Every CSR there is, by number."""
CSR_NUMBERS: Final[Mapping[str, int]] = MappingProxyType({c.name: c.number for c in CSRS.values()})

LEGAL: Final = 0
ILLEGAL: Final = 1

FCSR: Final = 0x003
STIMECMP: Final = 0x14D
SISELECT: Final = 0x150
SIREG: Final = 0x151
STOPEI: Final = 0x15C
SATP: Final = 0x180
MIP: Final = 0x344
FIRST_READ_ONLY: Final = 0xC00
LAST_COUNTER: Final = 0xC1F
STOPI: Final = 0xDB0


def csr_dispatch_read(h: Hart, number: int) -> int:
    """Read CSR number into h.csr_value, unchecked; ILLEGAL if there is none.

    Vocabulary: generated code has a switch made from CSRS instead.
    """
    found = CSRS.get(number)
    if found is None:
        return ILLEGAL
    h.csr_value = found.load(h)
    return LEGAL


def csr_dispatch_write(h: Hart, number: int, value: int) -> int:
    """Write CSR number, unchecked; ILLEGAL if there is none.

    Vocabulary: generated code has a switch made from CSRS instead.
    """
    found = CSRS.get(number)
    if found is None:
        return ILLEGAL
    found.store(h, value)
    return LEGAL


def counter_status(h: Hart, number: int) -> int:
    """Whether mcounteren and scounteren open a counter (Privileged ISA, 3.1.11 and 12.1.5)."""
    enabled = h.mcounteren
    if h.mode == MODE_U:
        enabled = enabled & h.scounteren
    if h.mode == MODE_M or ((enabled >> (number & 31)) & 1) != 0:
        return LEGAL
    return ILLEGAL


def stimecmp_status(h: Hart) -> int:
    """Whether M-mode opens stimecmp to S-mode (Sstc, "stimecmp Register")."""
    if (h.menvcfg & ENVCFG_STCE) != 0 and (h.mcounteren & COUNTER_TM) != 0:
        return LEGAL
    return ILLEGAL


def aia_status(h: Hart, number: int) -> int:
    """Whether the hart has the CSRs of Ssaia, and sireg a register to stand for."""
    if h.aia == 0 or (number == SIREG and select_exists(h) == 0):
        return ILLEGAL
    return LEGAL


def csr_status(h: Hart, number: int) -> int:
    """Whether the current mode and status open a CSR at all (Privileged ISA, 2.1).

    The floating-point CSRs need FS; satp obeys TVM.
    """
    if ((number >> 8) & 3) > h.mode:
        return ILLEGAL
    if number <= FCSR:
        return ILLEGAL if h.fs == 0 else LEGAL
    if number >= FIRST_READ_ONLY and number <= LAST_COUNTER:
        return counter_status(h, number)
    if number == SATP and h.mode == MODE_S and (h.mstatus & STATUS_TVM) != 0:
        return ILLEGAL
    if number == STIMECMP and h.mode != MODE_M:
        return stimecmp_status(h)
    if (number >= SISELECT and number <= STOPEI) or number == STOPI:
        return aia_status(h, number)
    return LEGAL


def csr_read(h: Hart, number: int) -> int:
    """Read a CSR into h.csr_value: LEGAL, or ILLEGAL with nothing done."""
    if csr_status(h, number) != LEGAL:
        return ILLEGAL
    return csr_dispatch_read(h, number)


def csr_write(h: Hart, number: int, value: int) -> int:
    """Write a CSR: LEGAL, or ILLEGAL with nothing done."""
    if number >= FIRST_READ_ONLY or csr_status(h, number) != LEGAL:
        return ILLEGAL
    return csr_dispatch_write(h, number, value)

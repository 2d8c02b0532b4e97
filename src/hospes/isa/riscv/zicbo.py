"""Zicbom and Zicboz: cache-block management and zeroing, in blocks of 64 bytes."""

from typing import Final

from hospes.base.bits import u64
from hospes.isa.insn import insn
from hospes.isa.riscv.encoding import (
    ENVCFG_CBCFE,
    ENVCFG_CBIE,
    ENVCFG_CBZE,
    MODE_M,
    MODE_U,
    READ,
)
from hospes.isa.riscv.hart import Hart
from hospes.isa.riscv.mmu import translate
from hospes.isa.subset import Illegal, Trap, inline, store8, store64

BLOCK_BYTES: Final = 64
LOAD_TO_STORE: Final = 2
"""From the cause of a load's fault to that of a store's."""


@inline
def check_enabled(h: Hart, bits: int) -> None:
    """menvcfg governs S- and U-mode, senvcfg also U-mode (CMO, "Control and Status Registers")."""
    if h.mode != MODE_M and (h.menvcfg & bits) == 0:
        raise Illegal()
    if h.mode == MODE_U and (h.senvcfg & bits) == 0:
        raise Illegal()


@inline
def manage(h: Hart, gva: int) -> None:
    """Guest memory is coherent, so a block needs no management, but access to it is checked.

    Where stores are permitted so are loads, so the right to load decides; faults are reported as
    a store's (CMO, "Traps").
    """
    cause = translate(h, gva, READ)
    if cause != 0:
        raise Trap(cause | LOAD_TO_STORE, gva)


@insn("000000000000 rs1 010 00000 0001111", "cbo.inval ({rs1})", serial=True)
def cbo_inval(h: Hart, rs1: int) -> None:
    """Invalidate a block; nothing is lost, which CBIE's flush and inval both allow."""
    check_enabled(h, ENVCFG_CBIE)
    manage(h, h.x[rs1])


@insn("000000000001 rs1 010 00000 0001111", "cbo.clean ({rs1})", serial=True)
def cbo_clean(h: Hart, rs1: int) -> None:
    """Write a block back."""
    check_enabled(h, ENVCFG_CBCFE)
    manage(h, h.x[rs1])


@insn("000000000010 rs1 010 00000 0001111", "cbo.flush ({rs1})", serial=True)
def cbo_flush(h: Hart, rs1: int) -> None:
    """Write a block back and invalidate it."""
    check_enabled(h, ENVCFG_CBCFE)
    manage(h, h.x[rs1])


@insn("000000000100 rs1 010 00000 0001111", "cbo.zero ({rs1})")
def cbo_zero(h: Hart, rs1: int) -> None:
    """Zero the block that holds the address in rs1.

    The byte at that very address comes first: a fault's trap value is the address in rs1.
    """
    check_enabled(h, ENVCFG_CBZE)
    store8(h, h.x[rs1], 0)
    for offset in range(0, BLOCK_BYTES, 8):
        store64(h, u64((h.x[rs1] & ~(BLOCK_BYTES - 1)) + offset), 0)

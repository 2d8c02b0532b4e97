"""Address translation: Sv39, Sv48 and Sv57 page tables, with PMP, A and D bits kept by hardware."""

from typing import Final

from hospes.base.bits import s64, u64
from hospes.isa.riscv.encoding import (
    CONTEXT_MODE,
    CONTEXT_MXR,
    CONTEXT_SUM,
    ENVCFG_ADUE,
    EXECUTE,
    FETCH_ACCESS_FAULT,
    FETCH_PAGE_FAULT,
    LOAD_ACCESS_FAULT,
    LOAD_PAGE_FAULT,
    MODE_M,
    MODE_S,
    MODE_U,
    PPN_MASK,
    PTE_A,
    PTE_D,
    PTE_PPN_SHIFT,
    PTE_R,
    PTE_RESERVED,
    PTE_U,
    PTE_V,
    PTE_W,
    PTE_X,
    READ,
    SATP_BARE,
    SATP_MODE_SHIFT,
    SATP_SV39,
    STORE_ACCESS_FAULT,
    STORE_PAGE_FAULT,
    WRITE,
)
from hospes.isa.riscv.hart import Hart
from hospes.isa.riscv.pmp import pmp_permissions, span_shift
from hospes.isa.subset import inline, ram_compare_exchange64, ram_load64, ram_present

PAGE_SHIFT: Final = 12
PHYSICAL_BITS: Final = 56
RETRY: Final = 64
"""Internal result of a walk: another hart changed the entry meanwhile."""


def page_fault(access: int) -> int:
    """The page fault of an access."""
    if (access & WRITE) != 0:
        return STORE_PAGE_FAULT
    if access == EXECUTE:
        return FETCH_PAGE_FAULT
    return LOAD_PAGE_FAULT


def access_fault(access: int) -> int:
    """The access fault of an access."""
    if (access & WRITE) != 0:
        return STORE_ACCESS_FAULT
    if access == EXECUTE:
        return FETCH_ACCESS_FAULT
    return LOAD_ACCESS_FAULT


def translate(h: Hart, gva: int, access: int) -> int:
    """Translate for one READ, WRITE or EXECUTE access: 0, or the cause of its fault.

    Loads and stores use h.context, fetches h.mode. Sets walk_gpa, walk_permissions (what the page
    allows; WRITE only once its D bit is set), walk_shift and walk_leaf_shift.
    """
    mode = h.context & CONTEXT_MODE
    if access == EXECUTE:
        mode = h.mode
    if mode == MODE_M or (h.satp >> SATP_MODE_SHIFT) == SATP_BARE:
        return translate_bare(h, gva, access, mode)
    cause = walk(h, gva, access, mode)
    while cause == RETRY:
        cause = walk(h, gva, access, mode)
    return cause


def translate_bare(h: Hart, gva: int, access: int, mode: int) -> int:
    """No translation: the address is physical, protected by PMP alone."""
    if (gva >> PHYSICAL_BITS) != 0:
        return access_fault(access)
    granted = pmp_permissions(h, gva, mode)
    if (granted & access) != access:
        return access_fault(access)
    h.walk_gpa = gva
    h.walk_permissions = granted & kinds_of(h, mode)
    h.walk_shift = PAGE_SHIFT
    h.walk_leaf_shift = PAGE_SHIFT
    return 0


@inline
def kinds_of(h: Hart, mode: int) -> int:
    """The accesses that a mode governs: data if the context has it, fetches if the hart does."""
    kinds = 0
    if (h.context & CONTEXT_MODE) == mode:
        kinds = READ | WRITE
    if h.mode == mode:
        kinds = kinds | EXECUTE
    return kinds


def walk(h: Hart, gva: int, access: int, mode: int) -> int:
    """Privileged ISA, 12.3.2 "Virtual Address Translation Process", steps 1 to 4."""
    above_sv39 = 9 * (((h.satp >> SATP_MODE_SHIFT) - SATP_SV39) & 3)
    sign = s64(gva) >> ((38 + above_sv39) & 63)
    if u64(sign + 1) > 1:
        return page_fault(access)
    shift = 30 + above_sv39
    table = (h.satp & PPN_MASK) << PAGE_SHIFT
    while shift >= PAGE_SHIFT:
        pte_gpa = table | (((gva >> shift) & 0x1FF) << 3)
        if (pmp_permissions(h, pte_gpa, MODE_S) & READ) == 0 or not ram_present(h, pte_gpa):
            return access_fault(access)
        pte = ram_load64(h, pte_gpa)
        if (pte & PTE_V) == 0 or (pte & PTE_RESERVED) != 0:
            return page_fault(access)
        if (pte & (PTE_R | PTE_W | PTE_X)) != 0:
            return finish(h, gva, access, mode, pte, pte_gpa, shift)
        if (pte & (PTE_U | PTE_A | PTE_D)) != 0:
            return page_fault(access)
        table = ((pte >> PTE_PPN_SHIFT) & PPN_MASK) << PAGE_SHIFT
        shift = (shift - 9) & 63
    return page_fault(access)


@inline
def leaf_permissions(h: Hart, mode: int, pte: int) -> int:
    """The accesses a leaf's R, W, X and U bits allow in a mode, before A and D are looked at."""
    user = (pte & PTE_U) != 0
    data_open = user == (mode == MODE_U)
    permissions = 0
    if data_open and (pte & PTE_X) != 0:
        permissions = EXECUTE
    if user and mode == MODE_S and (h.context & CONTEXT_SUM) != 0:
        data_open = True
    if data_open:
        permissions = permissions | ((pte & (PTE_R | PTE_W)) >> 1)
        if (h.context & CONTEXT_MXR) != 0 and (pte & PTE_X) != 0:
            permissions = permissions | READ
    return permissions & kinds_of(h, mode)


def finish(h: Hart, gva: int, access: int, mode: int, pte: int, pte_gpa: int, shift: int) -> int:
    """Steps 5 to 10: permissions, alignment of superpages, A and D, the physical address."""
    offset = (1 << (shift & 63)) - 1
    frame = ((pte >> PTE_PPN_SHIFT) & PPN_MASK) << PAGE_SHIFT
    permissions = leaf_permissions(h, mode, pte)
    if (permissions & access) != access or (pte & (PTE_R | PTE_W)) == PTE_W:
        return page_fault(access)
    if (frame & offset) != 0:
        return page_fault(access)
    needed = PTE_A
    if (access & WRITE) != 0:
        needed = PTE_A | PTE_D
    if (pte & needed) != needed:
        cause = set_accessed(h, access, pte, pte_gpa, needed)
        if cause != 0:
            return cause
    gpa = frame | (gva & offset)
    granted = permissions & pmp_permissions(h, gpa, mode)
    if (granted & access) != access:
        return access_fault(access)
    if ((pte | needed) & PTE_D) == 0:
        granted = granted & ~WRITE
    h.walk_gpa = gpa
    h.walk_permissions = granted
    h.walk_shift = span_shift(h, gpa, shift)
    h.walk_leaf_shift = shift
    return 0


def set_accessed(h: Hart, access: int, pte: int, pte_gpa: int, needed: int) -> int:
    """Svadu: set A and D in memory: 0, RETRY or a fault; Svade's fault if menvcfg.ADUE is 0."""
    if (h.menvcfg & ENVCFG_ADUE) == 0:
        return page_fault(access)
    if (pmp_permissions(h, pte_gpa, MODE_S) & WRITE) == 0:
        return access_fault(access)
    if not ram_compare_exchange64(h, pte_gpa, pte, pte | needed):
        return RETRY
    return 0

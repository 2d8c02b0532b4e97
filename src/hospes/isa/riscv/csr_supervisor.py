"""Supervisor-level CSRs (Privileged ISA, chapter 12) and Sstc's stimecmp."""

from typing import Final

from hospes.base.bits import U64_MAX
from hospes.isa.riscv.csr_machine import CBIE_RESERVED, EPC_WRITABLE, TVEC_WRITABLE
from hospes.isa.riscv.csr_table import Csr, csr
from hospes.isa.riscv.encoding import (
    COUNTERS,
    ENVCFG_CBCFE,
    ENVCFG_CBIE,
    ENVCFG_CBIE_SHIFT,
    ENVCFG_CBZE,
    ENVCFG_FIOM,
    FS_DIRTY,
    SATP_ASID_MASK,
    SATP_ASID_SHIFT,
    SATP_BARE,
    SATP_MODE_SHIFT,
    SATP_SV39,
    SATP_SV57,
    SSI,
    STATUS_FS_SHIFT,
    STATUS_MXR,
    STATUS_SD,
    STATUS_SIE,
    STATUS_SPIE,
    STATUS_SPP,
    STATUS_SUM,
    STATUS_UXL_64,
)
from hospes.isa.riscv.hart import Hart
from hospes.isa.riscv.priv import refresh_context, set_fs
from hospes.isa.riscv.trap import poll_interrupts, update_timer
from hospes.isa.subset import flush_tlb, switch_asid

SSTATUS_WRITABLE: Final = STATUS_SIE | STATUS_SPIE | STATUS_SPP | STATUS_SUM | STATUS_MXR
SSTATUS_READABLE: Final = SSTATUS_WRITABLE | STATUS_UXL_64
SENVCFG_WRITABLE: Final = ENVCFG_FIOM | ENVCFG_CBIE | ENVCFG_CBCFE | ENVCFG_CBZE


def write_sstatus(h: Hart, value: int) -> None:
    """The supervisor's part of mstatus."""
    new = (h.mstatus & ~SSTATUS_WRITABLE) | (value & SSTATUS_WRITABLE)
    fs = (value >> STATUS_FS_SHIFT) & 3
    if fs != h.fs:
        set_fs(h, fs)
    if new != h.mstatus:
        h.mstatus = new
        refresh_context(h)
        poll_interrupts(h)


@csr(0x100, "sstatus", write=write_sstatus)
def read_sstatus(h: Hart) -> int:
    """The supervisor's view of mstatus."""
    dirty = STATUS_SD if h.fs == FS_DIRTY else 0
    return (h.mstatus & SSTATUS_READABLE) | ((h.fs & 3) << STATUS_FS_SHIFT) | dirty


def write_sie(h: Hart, value: int) -> None:
    """Only delegated interrupts are seen and set here."""
    h.mie = (h.mie & ~h.mideleg) | (value & h.mideleg)
    poll_interrupts(h)


@csr(0x104, "sie", write=write_sie)
def read_sie(h: Hart) -> int:
    """mie as far as it is delegated."""
    return h.mie & h.mideleg


def write_sip(h: Hart, value: int) -> None:
    """Only SSIP is writable, and only when delegated."""
    writable = h.mideleg & SSI
    h.mip = (h.mip & ~writable) | (value & writable)
    poll_interrupts(h)


@csr(0x144, "sip", write=write_sip)
def read_sip(h: Hart) -> int:
    """mip as far as it is delegated."""
    update_timer(h)
    return (h.mip | h.lines | h.timer_due) & h.mideleg


def write_stimecmp(h: Hart, value: int) -> None:
    """A later deadline also takes a pending timer interrupt back."""
    h.stimecmp = value
    update_timer(h)
    poll_interrupts(h)


@csr(0x14D, "stimecmp", write=write_stimecmp)
def read_stimecmp(h: Hart) -> int:
    """The time from which the supervisor timer interrupt is pending."""
    return h.stimecmp


def write_satp(h: Hart, value: int) -> None:
    """A write with an unsupported MODE has no effect at all; a changed MODE takes effect at once.

    A changed PPN is for software to order with sfence.vma (Privileged ISA, 12.1.11).
    """
    mode = value >> SATP_MODE_SHIFT
    if mode == SATP_BARE or (mode >= SATP_SV39 and mode <= SATP_SV57):
        changed = h.satp ^ value
        h.satp = value
        if ((changed >> SATP_ASID_SHIFT) & SATP_ASID_MASK) != 0:
            switch_asid(h, (value >> SATP_ASID_SHIFT) & SATP_ASID_MASK)
        if (changed >> SATP_MODE_SHIFT) != 0:
            flush_tlb(h)


@csr(0x180, "satp", write=write_satp)
def read_satp(h: Hart) -> int:
    """Translation scheme, address space and root page table."""
    return h.satp


def write_senvcfg(h: Hart, value: int) -> None:
    """WARL: a reserved CBIE is not taken."""
    new = value & SENVCFG_WRITABLE
    if ((value >> ENVCFG_CBIE_SHIFT) & 3) == CBIE_RESERVED:
        new = (new & ~ENVCFG_CBIE) | (h.senvcfg & ENVCFG_CBIE)
    h.senvcfg = new


@csr(0x10A, "senvcfg", write=write_senvcfg)
def read_senvcfg(h: Hart) -> int:
    """What U-mode may use."""
    return h.senvcfg


STORAGE: Final = (
    Csr(0x105, "stvec", field="stvec", write_mask=TVEC_WRITABLE),
    Csr(0x106, "scounteren", field="scounteren", write_mask=COUNTERS),
    Csr(0x140, "sscratch", field="sscratch", write_mask=U64_MAX),
    Csr(0x141, "sepc", field="sepc", write_mask=EPC_WRITABLE),
    Csr(0x142, "scause", field="scause", write_mask=U64_MAX),
    Csr(0x143, "stval", field="stval", write_mask=U64_MAX),
)

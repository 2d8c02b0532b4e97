"""What follows from a hart's mode and status: the data context, FP availability, reset."""

from typing import Final

from hospes.base.bits import U64_MAX
from hospes.isa.riscv.encoding import (
    ENVCFG_ADUE,
    MISA,
    MODE_M,
    MODE_S,
    STATUS_MPP_SHIFT,
    STATUS_MPRV,
    STATUS_MXR,
    STATUS_SUM,
    STATUS_SXL_64,
    STATUS_UXL_64,
)
from hospes.isa.riscv.hart import Hart
from hospes.isa.subset import inline

RM_DYN: Final = 7
FRM_LAST_DIRECT: Final = 3
"""Rounding modes up to RUP are the host's own; RMM (4) is not."""


@inline
def refresh_context(h: Hart) -> None:
    """Set h.context: the effective mode of loads and stores, SUM << 2 and MXR << 3.

    Normalised so that equal contexts translate equally: M ignores SUM and MXR, U ignores SUM
    (Privileged ISA, "Memory Privilege in mstatus Register").
    """
    status = h.mstatus
    mode = h.mode
    if mode == MODE_M and (status & STATUS_MPRV) != 0:
        mode = (status >> STATUS_MPP_SHIFT) & 3
    if mode == MODE_M:
        h.context = MODE_M
    elif mode == MODE_S:
        h.context = MODE_S | ((status & (STATUS_SUM | STATUS_MXR)) >> 16)
    else:
        h.context = (status & STATUS_MXR) >> 16


def refresh_fp(h: Hart) -> None:
    """Set h.fp_ok: which rounding fields run directly under the current FS and frm."""
    for rm in range(8):
        h.fp_ok[rm] = 0
    if h.fs != 0 and h.frm <= FRM_LAST_DIRECT:
        h.fp_ok[h.frm & 3] = 1
        h.fp_ok[RM_DYN] = 1


def refresh(h: Hart) -> None:
    """Recompute everything derived from mode, mstatus, fs and frm."""
    refresh_context(h)
    refresh_fp(h)


def set_fs(h: Hart, state: int) -> None:
    """Set mstatus.FS (0 Off to 3 Dirty)."""
    if (h.fs == 0) != (state == 0):
        h.fs = state
        refresh_fp(h)
    else:
        h.fs = state


def set_mode(h: Hart, mode: int) -> None:
    """Change the privilege mode, and with it the data context."""
    h.mode = mode
    refresh_context(h)


def reset(h: Hart) -> None:
    """Privileged ISA, "Reset", with menvcfg.ADUE set: page tables' A and D are kept by hardware.

    pc, hartid, aia and host_sbi are the board's to set. The engine's translations must be flushed.
    """
    for number in range(32):
        h.x[number] = 0
        h.f[number] = 0
    for entry in range(16):
        h.pmpcfg[entry] = 0
        h.pmpaddr[entry] = 0
        h.pmp_base[entry] = 1
        h.pmp_last[entry] = 0
    h.pmp_count = 0
    h.pmp_low = 0
    h.pmp_high = U64_MAX
    h.pmp_match = 0
    h.mode = MODE_M
    h.mstatus = STATUS_UXL_64 | STATUS_SXL_64
    h.misa = MISA
    h.menvcfg = ENVCFG_ADUE
    h.stimecmp = U64_MAX
    reset_csrs(h)
    refresh(h)


def reset_csrs(h: Hart) -> None:
    """Zero the state whose reset value is zero."""
    h.fs = 0
    h.fflags = 0
    h.frm = 0
    h.reservation = 0
    h.reserved_value = 0
    h.mie = 0
    h.mip = 0
    h.medeleg = 0
    h.mideleg = 0
    h.mtvec = 0
    h.mepc = 0
    h.mcause = 0
    h.mtval = 0
    h.mscratch = 0
    h.mcounteren = 0
    h.mcountinhibit = 0
    h.minstret_offset = 0
    h.mcycle_offset = 0
    h.stvec = 0
    h.sepc = 0
    h.scause = 0
    h.stval = 0
    h.sscratch = 0
    h.scounteren = 0
    h.senvcfg = 0
    h.satp = 0
    h.siselect = 0
    h.timer_due = 0
    h.poll = 0
    h.kick = 0
    h.exit_reason = 0

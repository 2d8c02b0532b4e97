"""Traps: entering a handler, choosing the interrupt to deliver, returning with mret and sret."""

from hospes.base.bits import u64
from hospes.isa.riscv.encoding import (
    ENVCFG_STCE,
    EXIT_HYPERCALL,
    INTERRUPT,
    MEI,
    MODE_M,
    MODE_S,
    MODE_U,
    MSI,
    MTI,
    SEI,
    SSI,
    STATUS_MIE,
    STATUS_MPIE,
    STATUS_MPP,
    STATUS_MPP_SHIFT,
    STATUS_MPRV,
    STATUS_SIE,
    STATUS_SPIE,
    STATUS_SPP,
    STI,
)
from hospes.isa.riscv.hart import Hart
from hospes.isa.riscv.priv import refresh_context
from hospes.isa.subset import inline, time_now


@inline
def vector(tvec: int, cause: int) -> int:
    """The handler's address: vectored mode (1) spreads interrupts, not exceptions."""
    if (tvec & 1) != 0 and (cause & INTERRUPT) != 0:
        return u64((tvec & ~3) + ((cause & 63) << 2))
    return tvec & ~3


def enter_supervisor(h: Hart, cause: int, tval: int) -> None:
    """Take a trap into S-mode: SPP, SPIE and SIE stack the state (Privileged ISA, 12.1.1)."""
    status = h.mstatus
    h.scause = cause
    h.stval = tval
    h.sepc = h.pc
    h.mstatus = (
        (status & ~(STATUS_SPP | STATUS_SPIE | STATUS_SIE))
        | ((h.mode & 1) << 8)
        | ((status & STATUS_SIE) << 4)
    )
    h.mode = MODE_S
    h.next_pc = vector(h.stvec, cause)
    refresh_context(h)


def enter_machine(h: Hart, cause: int, tval: int) -> None:
    """Take a trap into M-mode: MPP, MPIE and MIE stack the state (Privileged ISA, 3.1.6.1)."""
    status = h.mstatus
    h.mcause = cause
    h.mtval = tval
    h.mepc = h.pc
    h.mstatus = (
        (status & ~(STATUS_MPP | STATUS_MPIE | STATUS_MIE))
        | ((h.mode & 3) << STATUS_MPP_SHIFT)
        | ((status & STATUS_MIE) << 4)
    )
    h.mode = MODE_M
    h.next_pc = vector(h.mtvec, cause)
    refresh_context(h)


def take_trap(h: Hart, cause: int, tval: int) -> None:
    """Trap at h.pc (for an interrupt: the next instruction); the handler's address in h.next_pc.

    With h.host_sbi a trap that M-mode would take leaves everything as it is, next_pc = pc, and
    asks for a hypercall exit with exit_cause and exit_tval.
    """
    delegated = h.medeleg
    if (cause & INTERRUPT) != 0:
        delegated = h.mideleg
    if h.mode != MODE_M and ((delegated >> (cause & 63)) & 1) != 0:
        enter_supervisor(h, cause, tval)
    elif h.host_sbi != 0:
        h.exit_reason = EXIT_HYPERCALL
        h.exit_cause = cause
        h.exit_tval = tval
        h.next_pc = h.pc
    else:
        enter_machine(h, cause, tval)


@inline
def poll_interrupts(h: Hart) -> None:
    """Have the engine look for an interrupt before the next instruction, if one can be there."""
    if ((h.mip | h.lines | h.timer_due) & h.mie) != 0:
        h.poll = 1


def update_timer(h: Hart) -> None:
    """Let mip.STIP follow time >= stimecmp, if Sstc is on (Sstc, "stimecmp Register")."""
    if (h.menvcfg & ENVCFG_STCE) != 0:
        if time_now(h) >= h.stimecmp:
            h.timer_due = STI
        else:
            h.timer_due = 0


@inline
def highest(pending: int) -> int:
    """The cause of the first among pending interrupts: MEI MSI MTI SEI SSI STI."""
    if (pending & MEI) != 0:
        return INTERRUPT | 11
    if (pending & MSI) != 0:
        return INTERRUPT | 3
    if (pending & MTI) != 0:
        return INTERRUPT | 7
    if (pending & SEI) != 0:
        return INTERRUPT | 9
    if (pending & SSI) != 0:
        return INTERRUPT | 1
    return INTERRUPT | 5


def deliverable_interrupt(h: Hart) -> int:
    """The cause to deliver now, or 0; mip.STIP as of the last update_timer.

    Interrupts not delegated are enabled below M-mode or by MIE and come first; delegated ones are
    enabled below S-mode or, in it, by SIE (Privileged ISA, 3.1.9).
    """
    pending = (h.mip | h.lines | h.timer_due) & h.mie
    if pending == 0:
        return 0
    machine = pending & ~h.mideleg
    if machine != 0 and (h.mode != MODE_M or (h.mstatus & STATUS_MIE) != 0):
        return highest(machine)
    supervisor = pending & h.mideleg
    enabled = h.mode == MODE_U or (h.mode == MODE_S and (h.mstatus & STATUS_SIE) != 0)
    if supervisor != 0 and enabled:
        return highest(supervisor)
    return 0


def pending_interrupt(h: Hart) -> int:
    """The cause to deliver now, or 0, with the timer looked at; clears h.poll."""
    h.poll = 0
    update_timer(h)
    return deliverable_interrupt(h)


def return_from_supervisor(h: Hart) -> None:
    """What sret does to the state, its jump included (Privileged ISA, 3.1.6.1)."""
    status = h.mstatus
    mode = (status >> 8) & 1
    h.mstatus = (
        (status & ~(STATUS_SPP | STATUS_SIE | STATUS_MPRV))
        | STATUS_SPIE
        | ((status & STATUS_SPIE) >> 4)
    )
    h.mode = mode
    h.next_pc = h.sepc
    refresh_context(h)
    poll_interrupts(h)


def return_from_machine(h: Hart) -> None:
    """What mret does to the state, its jump included (Privileged ISA, 3.1.6.1)."""
    status = h.mstatus
    mode = (status >> STATUS_MPP_SHIFT) & 3
    status = (status & ~(STATUS_MPP | STATUS_MIE)) | STATUS_MPIE | ((status & STATUS_MPIE) >> 4)
    if mode != MODE_M:
        status = status & ~STATUS_MPRV
    h.mstatus = status
    h.mode = mode
    h.next_pc = h.mepc
    refresh_context(h)
    poll_interrupts(h)

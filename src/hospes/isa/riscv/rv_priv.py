"""Privileged instructions, with the unprivileged ones that trap: ecall, ebreak and fence.i."""

from hospes.isa.insn import compressed, insn
from hospes.isa.riscv.encoding import (
    BREAKPOINT,
    ECALL_FROM_U,
    EXIT_WFI,
    MODE_M,
    MODE_S,
    MODE_U,
    SATP_ASID_MASK,
    STATUS_TSR,
    STATUS_TVM,
    STATUS_TW,
)
from hospes.isa.riscv.hart import Hart
from hospes.isa.riscv.trap import return_from_machine, return_from_supervisor, update_timer
from hospes.isa.subset import (
    Illegal,
    Trap,
    flush_code,
    flush_tlb,
    flush_tlb_asid,
    flush_tlb_page,
    inline,
    leave,
)


@insn("000000000000 00000 000 00000 1110011", "ecall", serial=True)
def ecall(h: Hart) -> None:
    """Call the next higher privilege mode; the cause tells the caller's mode."""
    raise Trap(ECALL_FROM_U + (h.mode & 3), 0)


@insn("000000000001 00000 000 00000 1110011", "ebreak", serial=True)
def ebreak(h: Hart) -> None:
    """Breakpoint; the trap value is the instruction's own address (Privileged ISA, 3.1.16)."""
    raise Trap(BREAKPOINT, h.pc)


c_ebreak = compressed("100 1 00000 00000 10", "c.ebreak", ebreak)


@insn("0011000 00010 00000 000 00000 1110011", "mret", serial=True)
def mret(h: Hart) -> None:
    """Return from a trap taken in M-mode."""
    if h.mode != MODE_M:
        raise Illegal()
    return_from_machine(h)


@insn("0001000 00010 00000 000 00000 1110011", "sret", serial=True)
def sret(h: Hart) -> None:
    """Return from a trap taken in S-mode; mstatus.TSR keeps S-mode from it."""
    if h.mode == MODE_U or (h.mode == MODE_S and (h.mstatus & STATUS_TSR) != 0):
        raise Illegal()
    return_from_supervisor(h)


@insn("0001000 00101 00000 000 00000 1110011", "wfi", serial=True)
def wfi(h: Hart) -> None:
    """Wait until an enabled interrupt is pending, whether or not it can be taken now.

    In U-mode, and in S-mode under mstatus.TW, the bounded time allowed before the illegal
    instruction is zero (Privileged ISA, 3.1.6.5 and 3.3.3).
    """
    if h.mode == MODE_U or (h.mode == MODE_S and (h.mstatus & STATUS_TW) != 0):
        raise Illegal()
    update_timer(h)
    if ((h.mip | h.lines | h.timer_due) & h.mie) != 0:
        h.poll = 1
    else:
        leave(h, EXIT_WFI)


@insn("............ ..... 001 ..... 0001111", "fence.i", serial=True)
def fence_i(h: Hart) -> None:
    """Later fetches of this hart see its earlier stores; the unused fields are ignored."""
    flush_code(h)


@inline
def invalidate(h: Hart, rs1: int, rs2: int) -> None:
    """Forget translations: of the page in rs1, of the address space in rs2, or of all for x0.

    A page is forgotten in every address space, which is more than asked and allowed.
    """
    if h.mode == MODE_U or (h.mode == MODE_S and (h.mstatus & STATUS_TVM) != 0):
        raise Illegal()
    if rs1 != 0:
        flush_tlb_page(h, h.x[rs1])
    elif rs2 != 0:
        flush_tlb_asid(h, h.x[rs2] & SATP_ASID_MASK)
    else:
        flush_tlb(h)


@insn("0001001 rs2 rs1 000 00000 1110011", "sfence.vma {rs1}, {rs2}", serial=True)
def sfence_vma(h: Hart, rs1: int, rs2: int) -> None:
    """Order earlier stores to page tables before later translations."""
    invalidate(h, rs1, rs2)


@insn("0001011 rs2 rs1 000 00000 1110011", "sinval.vma {rs1}, {rs2}", serial=True)
def sinval_vma(h: Hart, rs1: int, rs2: int) -> None:
    """Svinval: as sfence.vma; doing it at once is within what its two fences allow."""
    invalidate(h, rs1, rs2)


@insn("0001100 00000 00000 000 00000 1110011", "sfence.w.inval", serial=True)
def sfence_w_inval(h: Hart) -> None:
    """Svinval: order earlier stores before later sinval.vma; TVM does not apply."""
    if h.mode == MODE_U:
        raise Illegal()


@insn("0001100 00001 00000 000 00000 1110011", "sfence.inval.ir", serial=True)
def sfence_inval_ir(h: Hart) -> None:
    """Svinval: order earlier sinval.vma before later translations; TVM does not apply."""
    if h.mode == MODE_U:
        raise Illegal()

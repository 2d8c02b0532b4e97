"""What happens between slices of guest code: exits, kicks, interrupts, time; in the subset."""

from hospes.base.bits import s64, u64
from hospes.engine.engine import Exit
from hospes.engine.threaded.code import renew_code
from hospes.engine.threaded.raw import peek64
from hospes.engine.threaded.state import EngineState
from hospes.engine.threaded.tlb import catch_up, flush_all
from hospes.isa.riscv.encoding import ILLEGAL_INSTRUCTION, SATP_ASID_MASK, SATP_ASID_SHIFT
from hospes.isa.riscv.trap import pending_interrupt, take_trap
from hospes.isa.subset import cold
from hospes.memory.nested import FRAME_MASK

SLICE_INSTRUCTIONS = 16384
"""Instructions between two looks at kicks, timer and interrupts."""


@cold
def attend(h: EngineState) -> int:
    """With h.instret exact and h.next_pc the next instruction: 1 to return to Python, else 0.

    Otherwise an interrupt that is due is taken, and the next slice begins.
    """
    if h.exit_reason != 0:
        return 1
    if h.kick != 0:
        h.exit_reason = Exit.KICK
        return 1
    left = s64(h.run_end - h.instret)
    if left <= 0:
        return 1
    if h.resync != 0:
        resynchronise(h)
    catch_up(h)
    h.pc = h.next_pc
    cause = pending_interrupt(h)
    if cause != 0:
        h.interrupts = u64(h.interrupts + 1)
        take_trap(h, cause, 0)
    left = min(left, SLICE_INSTRUCTIONS)
    h.instret_end = u64(h.instret + left)
    return 1 if h.exit_reason != 0 else 0


@cold
def resynchronise(h: EngineState) -> None:
    """Python or another engine flushed something on this hart: flush everything here."""
    h.resync = 0
    h.asid = (h.satp >> SATP_ASID_SHIFT) & SATP_ASID_MASK
    flush_all(h)
    renew_code(h)


@cold
def deliver_trap(h: EngineState) -> None:
    """Take the trap in trap_cause and trap_tval at h.pc; nothing retires, but the run shortens.

    A guest whose handler itself traps for ever is thus still stopped by its budget.
    """
    h.traps = u64(h.traps + 1)
    h.instret_end = u64(h.instret_end - 1)
    h.run_end = u64(h.run_end - 1)
    take_trap(h, h.trap_cause, h.trap_tval)


@cold
def deliver_illegal(h: EngineState, bits: int) -> None:
    """Take the trap of an illegal instruction with these bits."""
    h.trap_cause = ILLEGAL_INSTRUCTION
    h.trap_tval = bits
    deliver_trap(h)


def ram_slot(h: EngineState, gpa: int) -> int:
    """The address of the nested table's entry for a page of RAM."""
    return u64(h.nested + ((u64(gpa - h.ram_base) >> 12) << 3))


def ram_address(h: EngineState, gpa: int) -> int:
    """The host address of a guest physical address in RAM."""
    displacement = peek64(ram_slot(h, gpa)) & FRAME_MASK
    return u64(h.frames + u64(gpa - h.ram_base) + displacement)

"""SBI extension TIME: the supervisor timer (SBI 2.0, chapter 6)."""

from collections.abc import Sequence

from hospes.firmware.sbi.call import Answer, Extension, Platform, success
from hospes.isa.riscv.hart import Hart
from hospes.isa.riscv.trap import poll_interrupts, update_timer


def set_timer(platform: Platform, hart: Hart, arguments: Sequence[int]) -> Answer:
    """Interrupt the calling hart once `time` reaches a0.

    The hart's own Sstc comparator does it: a time in the past is pending at once, and programming
    a later one clears a pending interrupt, as the call promises.
    """
    program_timer(hart, arguments[0])
    return success()


def program_timer(hart: Hart, deadline: int) -> None:
    """Set the hart's comparator, in ticks of `time`."""
    hart.stimecmp = deadline
    update_timer(hart)
    poll_interrupts(hart)


TIME = Extension(0x54494D45, "TIME", {0: set_timer})

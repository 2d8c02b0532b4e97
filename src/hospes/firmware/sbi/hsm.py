"""SBI extension HSM: starting, stopping and suspending harts (SBI 2.0, chapter 9)."""

from collections.abc import Sequence
from typing import Final

from hospes.firmware.sbi.call import (
    Answer,
    Extension,
    HartState,
    Platform,
    SbiError,
    failure,
    success,
)
from hospes.firmware.sbi.entry import enter_supervisor
from hospes.isa.riscv.hart import Hart

RETENTIVE: Final = 0x0000_0000
NON_RETENTIVE: Final = 0x8000_0000


def hart_start(platform: Platform, hart: Hart, arguments: Sequence[int]) -> Answer:
    """Start hart a0 at physical address a1, in supervisor mode, with a2 in its a1."""
    hartid, gpa, opaque = arguments[:3]
    if hartid >= len(platform.harts):
        return failure(SbiError.INVALID_PARAM)
    if platform.hart_state(hartid) != HartState.STOPPED:
        return failure(SbiError.ALREADY_AVAILABLE)
    if gpa & 1 or not platform.memory.contains(gpa, 2):
        return failure(SbiError.INVALID_ADDRESS)
    enter_supervisor(platform.harts[hartid], gpa, opaque)
    platform.set_hart_state(hartid, HartState.STARTED)
    platform.wake(hartid)
    return success()


def hart_stop(platform: Platform, hart: Hart, arguments: Sequence[int]) -> None:
    """Stop the calling hart; the call returns only if it fails, and it does not."""
    platform.set_hart_state(hart.hartid, HartState.STOPPED)


def hart_get_status(platform: Platform, hart: Hart, arguments: Sequence[int]) -> Answer:
    """The state of hart a0."""
    if arguments[0] >= len(platform.harts):
        return failure(SbiError.INVALID_PARAM)
    return success(platform.hart_state(arguments[0]))


def hart_suspend(platform: Platform, hart: Hart, arguments: Sequence[int]) -> Answer | None:
    """Suspend the calling hart until an interrupt is pending for it.

    The default retentive kind then returns from the call; the default non-retentive kind goes on
    at physical address a1 as after hart_start, with a2 in a1. Interrupt enables stay, or nothing
    could wake it.
    """
    kind, gpa, opaque = arguments[:3]
    if kind not in (RETENTIVE, NON_RETENTIVE):
        known = kind <= 0xFFFF_FFFF and not 1 <= kind & 0x7FFF_FFFF <= 0x0FFF_FFFF
        return failure(SbiError.NOT_SUPPORTED if known else SbiError.INVALID_PARAM)
    if kind == NON_RETENTIVE and (gpa & 1 or not platform.memory.contains(gpa, 2)):
        return failure(SbiError.INVALID_ADDRESS)
    platform.set_hart_state(hart.hartid, HartState.SUSPENDED)
    if kind == RETENTIVE:
        return success()
    enabled, timer, pending = hart.mie, hart.stimecmp, hart.mip
    enter_supervisor(hart, gpa, opaque)
    hart.mie, hart.stimecmp, hart.mip = enabled, timer, pending
    return None


HSM = Extension(
    0x48534D,
    "HSM",
    {0: hart_start, 1: hart_stop, 2: hart_get_status, 3: hart_suspend},
)

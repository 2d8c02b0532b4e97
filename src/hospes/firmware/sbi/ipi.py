"""SBI extension IPI: software interrupts between harts (SBI 2.0, chapter 7)."""

from collections.abc import Sequence

from hospes.firmware.sbi.call import Answer, Extension, Platform, SbiError, failure, select, success
from hospes.isa.riscv.encoding import SSI
from hospes.isa.riscv.hart import Hart
from hospes.isa.riscv.trap import poll_interrupts


def send_ipi(platform: Platform, hart: Hart, arguments: Sequence[int]) -> Answer:
    """Raise the supervisor software interrupt of the harts in mask a0 from hart a1 on."""
    targets = select(platform, arguments[0], arguments[1])
    if targets is None:
        return failure(SbiError.INVALID_PARAM)
    for target in targets:
        target.mip |= SSI
        poll_interrupts(target)
        platform.wake(target.hartid)
    return success()


IPI = Extension(0x735049, "IPI", {0: send_ipi})

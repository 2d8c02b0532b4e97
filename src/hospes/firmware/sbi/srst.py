"""SBI extension SRST: shutting the machine down and restarting it (SBI 2.0, chapter 10)."""

from collections.abc import Sequence
from typing import Final

from hospes.firmware.sbi.call import (
    Answer,
    Extension,
    Platform,
    ResetType,
    SbiError,
    failure,
)
from hospes.isa.riscv.hart import Hart

LAST_REASON: Final = 1
VENDOR_NUMBERS: Final = 0xE000_0000


def system_reset(platform: Platform, hart: Hart, arguments: Sequence[int]) -> Answer | None:
    """Shut down (a0 = 0) or restart (1 cold, 2 warm) for reason a1 (0 none, 1 system failure)."""
    kind, reason = arguments[:2]
    if kind > 0xFFFF_FFFF or reason > 0xFFFF_FFFF:
        return failure(SbiError.INVALID_PARAM)
    if kind >= 0xF000_0000 or reason >= VENDOR_NUMBERS:
        return failure(SbiError.NOT_SUPPORTED)
    if kind > ResetType.WARM_REBOOT or reason > LAST_REASON:
        return failure(SbiError.INVALID_PARAM)
    platform.reset(ResetType(kind), reason)
    return None


SRST = Extension(0x53525354, "SRST", {0: system_reset})

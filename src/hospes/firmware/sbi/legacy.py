"""SBI legacy extensions 0, 1, 2 and 8: timer, console and shutdown (SBI 2.0, chapter 5)."""

from collections.abc import Sequence
from typing import Final

from hospes.firmware.sbi.call import Answer, Extension, Platform, ResetType
from hospes.firmware.sbi.time import program_timer
from hospes.isa.riscv.hart import Hart

NOTHING_TYPED: Final = -1


def set_timer(platform: Platform, hart: Hart, arguments: Sequence[int]) -> Answer:
    """Interrupt the calling hart once `time` reaches a0."""
    program_timer(hart, arguments[0])
    return 0, 0


def console_putchar(platform: Platform, hart: Hart, arguments: Sequence[int]) -> Answer:
    """Write the low byte of a0 to the console."""
    return platform.console_write(bytes([arguments[0] & 0xFF])) - 1, 0


def console_getchar(platform: Platform, hart: Hart, arguments: Sequence[int]) -> Answer:
    """The next byte of console input, or -1 when there is none."""
    data = platform.console_read(1)
    return (data[0] if data else NOTHING_TYPED), 0


def shutdown(platform: Platform, hart: Hart, arguments: Sequence[int]) -> None:
    """Shut the machine down."""
    platform.reset(ResetType.SHUTDOWN, 0)


LEGACY = (
    Extension(0, "legacy set_timer", {0: set_timer}, legacy=True),
    Extension(1, "legacy console_putchar", {0: console_putchar}, legacy=True),
    Extension(2, "legacy console_getchar", {0: console_getchar}, legacy=True),
    Extension(8, "legacy shutdown", {0: shutdown}, legacy=True),
)

"""SBI extension DBCN: the debug console, in whole buffers (SBI 2.0, chapter 12)."""

from collections.abc import Sequence
from typing import Final

from hospes.firmware.sbi.call import Answer, Extension, Platform, SbiError, failure, success
from hospes.isa.riscv.hart import Hart

CALL_BYTES: Final = 65536
"""The most one call moves; the specification allows a part, and the guest asks again."""


def console_write(platform: Platform, hart: Hart, arguments: Sequence[int]) -> Answer:
    """Write a0 bytes from physical address a1 (a2 above it); answers how many were taken."""
    size_bytes, gpa = min(arguments[0], CALL_BYTES), arguments[1]
    if arguments[2] or not platform.memory.contains(gpa, arguments[0]):
        return failure(SbiError.INVALID_PARAM)
    return success(platform.console_write(platform.memory.read(gpa, size_bytes)))


def console_read(platform: Platform, hart: Hart, arguments: Sequence[int]) -> Answer:
    """Read at most a0 bytes to physical address a1 (a2 above it), without waiting."""
    size_bytes, gpa = min(arguments[0], CALL_BYTES), arguments[1]
    if arguments[2] or not platform.memory.contains(gpa, arguments[0]):
        return failure(SbiError.INVALID_PARAM)
    data = platform.console_read(size_bytes)
    if data:
        platform.memory.write(gpa, data)
    return success(len(data))


def console_write_byte(platform: Platform, hart: Hart, arguments: Sequence[int]) -> Answer:
    """Write the low byte of a0."""
    taken = platform.console_write(bytes([arguments[0] & 0xFF]))
    return success() if taken else failure(SbiError.FAILED)


DBCN = Extension(
    0x4442434E,
    "DBCN",
    {0: console_write, 1: console_read, 2: console_write_byte},
)

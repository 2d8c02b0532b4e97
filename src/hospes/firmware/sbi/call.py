"""What every SBI extension is made of: error codes, a call's answer, and the platform it acts on.

Source: RISC-V Supervisor Binary Interface Specification 2.0, chapters 3 and 4.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, Protocol

from hospes.base.bits import U64_MAX
from hospes.isa.riscv.hart import Hart

A0: Final = 10
"""The number of register a0; the other argument registers follow it."""

Answer = tuple[int, int]
"""What a call returns in a0 (an error code) and a1 (a value)."""


class SbiError(IntEnum):
    """Standard SBI errors (SBI 2.0, table 1)."""

    SUCCESS = 0
    FAILED = -1
    NOT_SUPPORTED = -2
    INVALID_PARAM = -3
    DENIED = -4
    INVALID_ADDRESS = -5
    ALREADY_AVAILABLE = -6
    ALREADY_STARTED = -7
    ALREADY_STOPPED = -8
    NO_SHMEM = -9


class HartState(IntEnum):
    """HSM hart states (SBI 2.0, section 9)."""

    STARTED = 0
    STOPPED = 1
    START_PENDING = 2
    STOP_PENDING = 3
    SUSPENDED = 4
    SUSPEND_PENDING = 5
    RESUME_PENDING = 6


class ResetType(IntEnum):
    """SRST reset types (SBI 2.0, section 10)."""

    SHUTDOWN = 0
    COLD_REBOOT = 1
    WARM_REBOOT = 2


class GuestMemory(Protocol):
    """The guest's RAM, as far as the SBI needs it."""

    def contains(self, gpa: int, size_bytes: int) -> bool: ...
    def read(self, gpa: int, size_bytes: int) -> bytes: ...
    def write(self, gpa: int, data: bytes) -> None: ...


class Platform(Protocol):
    """What the SBI acts on; harts are indexed by hartid."""

    @property
    def harts(self) -> Sequence[Hart]: ...
    @property
    def memory(self) -> GuestMemory: ...

    def hart_state(self, hartid: int) -> HartState:
        """The HSM state of a hart."""

    def set_hart_state(self, hartid: int, state: HartState) -> None:
        """Start, stop or suspend a hart."""

    def console_write(self, data: bytes) -> int:
        """Hand bytes to the host's side of the console; returns how many were taken."""

    def console_read(self, limit: int) -> bytes:
        """Take at most limit bytes of console input, without waiting."""

    def wake(self, hartid: int) -> None:
        """Have a hart look at its state and its interrupts."""

    def reset(self, kind: ResetType, reason: int) -> None:
        """Shut down or restart the whole machine once the current call is over."""


Function = Callable[[Platform, Hart, Sequence[int]], Answer | None]
"""An SBI function: platform, calling hart, a0 to a5. None: the hart's state is already set."""


@dataclass(frozen=True)
class Extension:
    """One SBI extension: its number, name, and functions by function number.

    A legacy extension has one function, number 0, and returns one value, in a0.
    """

    number: int
    name: str
    functions: Mapping[int, Function]
    legacy: bool = False


def success(value: int = 0) -> Answer:
    """The answer of a call that went well."""
    return SbiError.SUCCESS, value


def failure(error: SbiError) -> Answer:
    """The answer of a call that did not."""
    return error, 0


def select(platform: Platform, mask: int, base: int) -> Iterator[Hart] | None:
    """The harts a hart mask names; None if it names one that does not exist (SBI 2.0, 3.1)."""
    harts = platform.harts
    if base == U64_MAX:
        return iter(harts)
    if mask and base + mask.bit_length() > len(harts):
        return None
    return (harts[base + bit] for bit in range(mask.bit_length()) if mask >> bit & 1)

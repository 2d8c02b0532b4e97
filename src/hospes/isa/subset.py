"""What semantics can do besides arithmetic: memory, time and control flow, as Python sees it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

Function = TypeVar("Function", bound=Callable[..., Any])


class Trap(Exception):  # noqa: N818 - the architecture's word
    """An architectural exception: cause (mcause encoding) and trap value."""

    def __init__(self, cause: int, tval: int = 0) -> None:
        super().__init__(cause, tval)
        self.cause = cause
        self.tval = tval


class Illegal(Exception):  # noqa: N818 - the architecture's word
    """Illegal instruction; the engine supplies the instruction's bits as trap value."""


class Port(Protocol):
    """What a hart's Python face reaches the machine through."""

    def load(self, gva: int, size_bytes: int) -> int: ...
    def store(self, gva: int, size_bytes: int, value: int) -> None: ...
    def amo(self, operation: str, gva: int, size_bytes: int, value: int) -> int: ...
    def compare_exchange(
        self, gva: int, size_bytes: int, expected: int, value: int
    ) -> bool: ...
    def ram_present(self, gpa: int) -> bool: ...
    def ram_load(self, gpa: int) -> int: ...
    def ram_compare_exchange(self, gpa: int, expected: int, value: int) -> bool: ...
    def time_now(self) -> int: ...
    def flush_tlb(self) -> None: ...
    def flush_tlb_page(self, gva: int) -> None: ...
    def flush_tlb_asid(self, asid: int) -> None: ...
    def switch_asid(self, asid: int) -> None: ...
    def flush_code(self) -> None: ...


class HasPort(Protocol):
    """A hart, as far as this module needs to know it."""

    port: Port
    next_pc: int
    exit_reason: int


def inline(function: Function) -> Function:
    """Mark a subset function to be expanded where it is called."""
    function.__hospes_inline__ = True  # type: ignore[attr-defined]
    return function


def cold(function: Function) -> Function:
    """Mark a subset function as rarely called: kept out of line and out of the hot code."""
    function.__hospes_cold__ = True  # type: ignore[attr-defined]
    return function


def load8(h: HasPort, gva: int) -> int:
    """The byte at a guest virtual address, as a u8."""
    return h.port.load(gva, 1)


def load16(h: HasPort, gva: int) -> int:
    """The little-endian u16 at a guest virtual address."""
    return h.port.load(gva, 2)


def load32(h: HasPort, gva: int) -> int:
    """The little-endian u32 at a guest virtual address."""
    return h.port.load(gva, 4)


def load64(h: HasPort, gva: int) -> int:
    """The little-endian u64 at a guest virtual address."""
    return h.port.load(gva, 8)


def store8(h: HasPort, gva: int, value: int) -> None:
    """Store the low byte of value."""
    h.port.store(gva, 1, value & 0xFF)


def store16(h: HasPort, gva: int, value: int) -> None:
    """Store the low 16 bits of value."""
    h.port.store(gva, 2, value & 0xFFFF)


def store32(h: HasPort, gva: int, value: int) -> None:
    """Store the low 32 bits of value."""
    h.port.store(gva, 4, value & 0xFFFF_FFFF)


def store64(h: HasPort, gva: int, value: int) -> None:
    """Store the low 64 bits of value."""
    h.port.store(gva, 8, value & 0xFFFF_FFFF_FFFF_FFFF)


def amo32(h: HasPort, operation: str, gva: int, value: int) -> int:
    """Atomically combine the u32 at gva with value; returns the old u32."""
    return h.port.amo(operation, gva, 4, value & 0xFFFF_FFFF)


def amo64(h: HasPort, operation: str, gva: int, value: int) -> int:
    """Atomically combine the u64 at gva with value; returns the old u64."""
    return h.port.amo(operation, gva, 8, value & 0xFFFF_FFFF_FFFF_FFFF)


def compare_exchange32(h: HasPort, gva: int, expected: int, value: int) -> bool:
    """Store the u32 value if the u32 at gva equals expected; tells whether it did."""
    return h.port.compare_exchange(gva, 4, expected, value & 0xFFFF_FFFF)


def compare_exchange64(h: HasPort, gva: int, expected: int, value: int) -> bool:
    """Store the u64 value if the u64 at gva equals expected; tells whether it did."""
    return h.port.compare_exchange(gva, 8, expected, value & 0xFFFF_FFFF_FFFF_FFFF)


def jump(h: HasPort, target: int) -> None:
    """Go on at the guest virtual address target; the last action on its path."""
    h.next_pc = target


def ram_present(h: HasPort, gpa: int) -> bool:
    """Whether a guest physical address lies in RAM."""
    return h.port.ram_present(gpa)


def ram_load64(h: HasPort, gpa: int) -> int:
    """The u64 at an aligned guest physical address in RAM."""
    return h.port.ram_load(gpa)


def ram_compare_exchange64(h: HasPort, gpa: int, expected: int, value: int) -> bool:
    """Compare-and-swap of the aligned u64 at a guest physical address in RAM."""
    return h.port.ram_compare_exchange(gpa, expected, value)


def time_now(h: HasPort) -> int:
    """The `time` counter: ticks of the 10 MHz timebase."""
    return h.port.time_now()


def flush_tlb(h: HasPort) -> None:
    """Forget every translation."""
    h.port.flush_tlb()


def flush_tlb_page(h: HasPort, gva: int) -> None:
    """Forget the translations of one page, in every address space."""
    h.port.flush_tlb_page(gva)


def flush_tlb_asid(h: HasPort, asid: int) -> None:
    """Forget the translations of one address space."""
    h.port.flush_tlb_asid(asid)


def switch_asid(h: HasPort, asid: int) -> None:
    """Translations from here on belong to this address space."""
    h.port.switch_asid(asid)


def flush_code(h: HasPort) -> None:
    """Instruction fetches from here on see all earlier stores (fence.i)."""
    h.port.flush_code()


def leave(h: HasPort, reason: int) -> None:
    """Return to Python after this instruction, with the exit reason."""
    h.exit_reason = reason

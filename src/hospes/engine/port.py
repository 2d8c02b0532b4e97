"""The reference engine's access to memory, devices and time on behalf of one hart."""

from collections.abc import Callable
from typing import Final, Protocol

from hospes.base.bits import U64_MAX
from hospes.engine.timebase import Timebase
from hospes.isa.riscv.encoding import (
    EXECUTE,
    EXIT_DEVICE,
    FETCH_ACCESS_FAULT,
    LOAD_ACCESS_FAULT,
    READ,
    STORE_ACCESS_FAULT,
    WRITE,
)
from hospes.isa.riscv.hart import Hart
from hospes.isa.riscv.mmu import translate
from hospes.isa.subset import Trap

PAGE_BYTES: Final = 4096
PAGE_OFFSET: Final = PAGE_BYTES - 1
NO_ADDRESS: Final = -1


class Ram(Protocol):
    """Guest RAM, by guest physical address."""

    def contains(self, gpa: int, size_bytes: int, /) -> bool: ...
    def load(self, gpa: int, size_bytes: int, /) -> int: ...
    def store(self, gpa: int, size_bytes: int, value: int, /) -> None: ...


class DeviceBus(Protocol):
    """What answers outside RAM: None or False where nothing does."""

    def read(self, gpa: int, size: int, /) -> int | None: ...
    def write(self, gpa: int, size: int, value: int, /) -> bool: ...


class DeviceAccess(Exception):  # noqa: N818 - no error: an access for someone else to make
    """A device access in an engine without a bus; nothing of the instruction has happened."""


def _signed(value: int, size_bytes: int) -> int:
    sign = 1 << (8 * size_bytes - 1)
    return (value ^ sign) - sign


AMO: Final[dict[str, Callable[[int, int, int], int]]] = {
    "swap": lambda old, value, size: value,
    "add": lambda old, value, size: old + value,
    "and": lambda old, value, size: old & value,
    "or": lambda old, value, size: old | value,
    "xor": lambda old, value, size: old ^ value,
    "min": lambda old, value, size: min(old, value, key=lambda word: _signed(word, size)),
    "max": lambda old, value, size: max(old, value, key=lambda word: _signed(word, size)),
    "minu": lambda old, value, size: min(old, value),
    "maxu": lambda old, value, size: max(old, value),
}
"""The new value from the old one and the operand, both unsigned, and their size in bytes."""


class ReferencePort:
    """hospes.isa.subset.Port for one hart, with its own little TLB.

    Translations are kept by page and privilege (data) or mode (fetches) until they are flushed, as
    the architecture allows; `begin` forgets them where another engine may have flushed meanwhile.
    """

    def __init__(self, hart: Hart, ram: Ram, bus: DeviceBus | None, timebase: Timebase) -> None:
        self.hart = hart
        self.ram = ram
        self.bus = bus
        self.timebase = timebase
        self._data: dict[int, tuple[int, int]] = {}
        self._code: dict[int, int] = {}
        self._hint_gva = NO_ADDRESS
        self._hint_gpa = NO_ADDRESS

    def begin(self) -> None:
        """Start on a hart that may have run elsewhere; a device exit's translation still holds."""
        self._forget()
        self._hint_gva = NO_ADDRESS
        if self.hart.exit_reason == EXIT_DEVICE:
            self._hint_gva, self._hint_gpa = self.hart.exit_gva, self.hart.exit_gpa

    def end_hint(self) -> None:
        """The instruction that left for a device is done."""
        self._hint_gva = NO_ADDRESS

    def _gpa(self, gva: int, access: int) -> int:
        """The guest physical address of an access inside one page, or its Trap."""
        if gva == self._hint_gva:
            return self._hint_gpa
        key = (gva >> 12) << 4 | self.hart.context
        page, permissions = self._data.get(key, (0, 0))
        if not permissions & access:
            cause = translate(self.hart, gva, access)
            if cause:
                raise Trap(cause, gva)
            page = self.hart.walk_gpa & ~PAGE_OFFSET
            self._data[key] = (page, self.hart.walk_permissions)
        return page | (gva & PAGE_OFFSET)

    def fetch(self, gva: int) -> int:
        """The 16 or 32 bits of the instruction at gva."""
        gpa = self._fetch_gpa(gva)
        if gva & PAGE_OFFSET <= PAGE_BYTES - 4:
            word = self.ram.load(gpa, 4)
            return word if word & 3 == 3 else word & 0xFFFF
        low = self.ram.load(gpa, 2)
        if low & 3 != 3:
            return low
        return low | self.ram.load(self._fetch_gpa((gva + 2) & U64_MAX), 2) << 16

    def _fetch_gpa(self, gva: int) -> int:
        key = (gva >> 12) << 2 | self.hart.mode
        page = self._code.get(key)
        if page is None:
            cause = translate(self.hart, gva, EXECUTE)
            if cause:
                raise Trap(cause, gva)
            page = self.hart.walk_gpa & ~PAGE_OFFSET
            if not self.ram.contains(page, PAGE_BYTES):
                raise Trap(FETCH_ACCESS_FAULT, gva)
            self._code[key] = page
        return page | (gva & PAGE_OFFSET)

    def load(self, gva: int, size_bytes: int) -> int:
        """A little-endian number of 1, 2, 4 or 8 bytes, of any alignment in RAM."""
        if (gva & PAGE_OFFSET) + size_bytes > PAGE_BYTES:
            return self._load_across(gva, size_bytes)
        gpa = self._gpa(gva, READ)
        if self.ram.contains(gpa, size_bytes):
            return self.ram.load(gpa, size_bytes)
        if gva & (size_bytes - 1):
            raise Trap(LOAD_ACCESS_FAULT, gva)
        value = self._reach_bus(gva, gpa).read(gpa, size_bytes)
        if value is None:
            raise Trap(LOAD_ACCESS_FAULT, gva)
        return value & ((1 << 8 * size_bytes) - 1)

    def store(self, gva: int, size_bytes: int, value: int) -> None:
        """Store the low 1, 2, 4 or 8 bytes, of any alignment in RAM."""
        if (gva & PAGE_OFFSET) + size_bytes > PAGE_BYTES:
            self._store_across(gva, size_bytes, value)
            return
        gpa = self._gpa(gva, WRITE)
        if self.ram.contains(gpa, size_bytes):
            self.ram.store(gpa, size_bytes, value)
        elif gva & (size_bytes - 1) or not self._reach_bus(gva, gpa).write(gpa, size_bytes, value):
            raise Trap(STORE_ACCESS_FAULT, gva)

    def _reach_bus(self, gva: int, gpa: int) -> DeviceBus:
        """The bus, whose devices may raise an interrupt at once; without one, leave the run."""
        hart = self.hart
        if self.bus is None:
            hart.exit_gva, hart.exit_gpa = gva, gpa
            raise DeviceAccess
        hart.poll = 1
        return self.bus

    def _pieces(self, gva: int, size_bytes: int, access: int) -> list[tuple[int, int]]:
        """(gpa, bytes) of both sides of a page boundary; both are translated before any is used."""
        first_bytes = PAGE_BYTES - (gva & PAGE_OFFSET)
        second_gva = (gva + first_bytes) & U64_MAX
        pieces = []
        for part, count in ((gva, first_bytes), (second_gva, size_bytes - first_bytes)):
            gpa = self._gpa(part, access)
            if not self.ram.contains(gpa, count):
                raise Trap(LOAD_ACCESS_FAULT if access == READ else STORE_ACCESS_FAULT, part)
            pieces.append((gpa, count))
        return pieces

    def _load_across(self, gva: int, size_bytes: int) -> int:
        value = position = 0
        for gpa, count in self._pieces(gva, size_bytes, READ):
            for byte in range(count):
                value |= self.ram.load(gpa + byte, 1) << 8 * position
                position += 1
        return value

    def _store_across(self, gva: int, size_bytes: int, value: int) -> None:
        position = 0
        for gpa, count in self._pieces(gva, size_bytes, WRITE):
            for byte in range(count):
                self.ram.store(gpa + byte, 1, value >> 8 * position & 0xFF)
                position += 1

    def _atomic_gpa(self, gva: int, size_bytes: int) -> int:
        """Where an atomic operation takes place; devices offer none."""
        gpa = self._gpa(gva, WRITE)
        if not self.ram.contains(gpa, size_bytes):
            raise Trap(STORE_ACCESS_FAULT, gva)
        return gpa

    def amo(self, operation: str, gva: int, size_bytes: int, value: int) -> int:
        """Combine memory with a value; the old number, unsigned."""
        gpa = self._atomic_gpa(gva, size_bytes)
        old = self.ram.load(gpa, size_bytes)
        new = AMO[operation](old, value, size_bytes)
        self.ram.store(gpa, size_bytes, new & ((1 << 8 * size_bytes) - 1))
        return old

    def compare_exchange(self, gva: int, size_bytes: int, expected: int, value: int) -> bool:
        """Store the value if memory holds the expected one."""
        gpa = self._atomic_gpa(gva, size_bytes)
        same = self.ram.load(gpa, size_bytes) == expected & ((1 << 8 * size_bytes) - 1)
        if same:
            self.ram.store(gpa, size_bytes, value)
        return same

    def ram_present(self, gpa: int) -> bool:
        """Whether the aligned doubleword at gpa is RAM."""
        return self.ram.contains(gpa, 8)

    def ram_load(self, gpa: int) -> int:
        """The doubleword at gpa."""
        return self.ram.load(gpa, 8)

    def ram_compare_exchange(self, gpa: int, expected: int, value: int) -> bool:
        """Store the doubleword if memory holds the expected one."""
        same = self.ram.load(gpa, 8) == expected
        if same:
            self.ram.store(gpa, 8, value)
        return same

    def time_now(self) -> int:
        """Ticks of the timebase."""
        return self.timebase.ticks(self.hart) & U64_MAX

    def _forget(self) -> None:
        self._data.clear()
        self._code.clear()

    def flush_tlb(self) -> None:
        """Forget every translation; an engine that keeps its own will see h.resync."""
        self._forget()
        self.hart.resync = 1

    def flush_tlb_page(self, gva: int) -> None:
        """Forget everything, and so the page, whatever its size."""
        self.flush_tlb()

    def flush_tlb_asid(self, asid: int) -> None:
        """Forget everything, and so the address space."""
        self.flush_tlb()

    def switch_asid(self, asid: int) -> None:
        """Translations are kept of one address space at a time."""
        self.flush_tlb()

    def flush_code(self) -> None:
        """Instructions are fetched from memory each time; other engines look at h.resync."""
        self.hart.resync = 1

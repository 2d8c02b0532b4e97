"""Configuration space of a type 0 function (PCI Local Bus 3.0, chapter 6; PCI Express 5.0, 7.5)."""

from dataclasses import dataclass
from typing import Final

from hospes.base.errors import GuestError

SPACE_BYTES: Final = 0x1000
HEADER_BYTES: Final = 0x100
BARS: Final = 6

VENDOR_ID, DEVICE_ID, COMMAND, STATUS = 0x00, 0x02, 0x04, 0x06
REVISION, CLASS_CODE, CACHE_LINE = 0x08, 0x09, 0x0C
BAR_FIRST, SUBSYSTEM_VENDOR, SUBSYSTEM, CAPABILITIES = 0x10, 0x2C, 0x2E, 0x34
INTERRUPT_LINE, INTERRUPT_PIN = 0x3C, 0x3D
CAPABILITY_FIRST: Final = 0x40

MEMORY_ENABLE, BUS_MASTER, INTX_DISABLE = 1 << 1, 1 << 2, 1 << 10
INTX_STATUS, HAS_CAPABILITIES = 1 << 3, 1 << 4
BAR_WIDE, BAR_PREFETCHABLE = 1 << 2, 1 << 3
_BAR_FLAGS: Final = 0xF
_WORD: Final = 0xFFFF_FFFF


@dataclass(frozen=True)
class Identity:
    """What a function says it is; the class code is base class, subclass, interface."""

    vendor: int
    device: int
    revision: int
    class_code: int
    subsystem_vendor: int
    subsystem: int


class Layout:
    """The registers of a new function and which of their bits software may change."""

    def __init__(self, identity: Identity) -> None:
        self.start, self.writable = bytearray(HEADER_BYTES), bytearray(HEADER_BYTES)
        self._link, self._free = CAPABILITIES, CAPABILITY_FIRST
        self.put(VENDOR_ID, 2, identity.vendor)
        self.put(DEVICE_ID, 2, identity.device)
        self.put(COMMAND, 2, 0, MEMORY_ENABLE | BUS_MASTER | INTX_DISABLE)
        self.put(REVISION, 1, identity.revision)
        self.put(CLASS_CODE, 3, identity.class_code)
        self.put(CACHE_LINE, 1, 0, 0xFF)
        self.put(SUBSYSTEM_VENDOR, 2, identity.subsystem_vendor)
        self.put(SUBSYSTEM, 2, identity.subsystem)
        self.put(INTERRUPT_LINE, 1, 0, 0xFF)

    def put(self, offset: int, size: int, value: int, writable: int = 0) -> None:
        """Give a register its first value and its writable bits."""
        self.start[offset : offset + size] = value.to_bytes(size, "little")
        self.writable[offset : offset + size] = writable.to_bytes(size, "little")

    def add_bar(self, index: int, size_bytes: int, flags: int) -> None:
        """A memory BAR for a power of two of bytes; a wide one takes the next register as well."""
        offset = BAR_FIRST + 4 * index
        if flags & BAR_WIDE:
            self.put(offset, 8, flags, -size_bytes & (1 << 64) - 1)
        else:
            self.put(offset, 4, flags, -size_bytes & _WORD)

    def add_capability(self, kind: int, body: bytes, writable: bytes = b"") -> int:
        """Link a capability in; the body is what follows ID and pointer. Returns its offset."""
        offset, end = self._free, self._free + 2 + len(body)
        if end > HEADER_BYTES:
            raise ValueError(f"there is no room for a capability of {len(body)} bytes")
        self.start[self._link] = offset
        self.start[offset] = kind
        self.start[offset + 2 : end] = body
        self.writable[offset + 2 : offset + 2 + len(writable)] = writable
        self._link, self._free = offset + 1, end + -end % 4
        self.put(STATUS, 2, HAS_CAPABILITIES)
        return offset


class ConfigSpace:
    """Reads and writes by the layout's rules; `registers` is the state."""

    registers: bytearray

    def __init__(self, layout: Layout) -> None:
        self.registers = bytearray(layout.start)
        self._start, self._writable = bytes(layout.start), bytes(layout.writable)

    def read_config(self, offset: int, size: int) -> int:
        """1, 2 or 4 bytes; what follows the header is empty: there are no extended capabilities."""
        _check(offset, size)
        return self.word(offset, size)

    def write_config(self, offset: int, size: int, value: int) -> None:
        """1, 2 or 4 bytes; bits that are not writable stay."""
        _check(offset, size)
        if offset < HEADER_BYTES:
            mask = int.from_bytes(self._writable[offset : offset + size], "little")
            new = self.word(offset, size) & ~mask | value & mask
            self.registers[offset : offset + size] = new.to_bytes(size, "little")

    def word(self, offset: int, size: int) -> int:
        """A register as it is; 0 behind the header."""
        return int.from_bytes(self.registers[offset : offset + size], "little")

    def bar_base(self, index: int) -> int:
        """The address that a BAR holds."""
        offset = BAR_FIRST + 4 * index
        wide = self.registers[offset] & BAR_WIDE
        return self.word(offset, 8 if wide else 4) & ~_BAR_FLAGS

    def has(self, bit: int) -> bool:
        """Whether a bit of the command register is set."""
        return bool(self.word(COMMAND, 2) & bit)


def _check(offset: int, size: int) -> None:
    if size not in (1, 2, 4) or offset % size:
        raise GuestError(f"a configuration access of {size} bytes at offset {offset:#x}")

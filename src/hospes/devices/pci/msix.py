"""MSI-X (PCI Express 5.0, sections 6.1.4 and 7.7.2): the table of messages and those held back."""

import struct
from typing import Final

from hospes.base.errors import GuestError
from hospes.devices.device import Device
from hospes.devices.irq.line import SendMessage

CAPABILITY_ID: Final = 0x11
CONTROL: Final = 2
ENABLE, FUNCTION_MASK = 1 << 15, 1 << 14
VECTORS_MAX: Final = 128
PENDING_OFFSET: Final = 0x800
ENTRY: Final = struct.Struct("<QII")
MASKED: Final = 1
_unpack: Final = ENTRY.unpack_from


class Msix(Device):
    """The page with table and pending bits; one bit per vector tells what waits to be sent.

    `open` is whether the function may send at all: MSI-X is enabled, the function not masked and
    master of the bus. What is raised meanwhile is pending, as what is raised while masked.
    """

    compatible, size = "msix", 0x1000
    table: bytearray
    pending: int = 0

    def __init__(self, vectors: int, send: SendMessage) -> None:
        super().__init__()
        if not 0 < vectors <= VECTORS_MAX:
            raise ValueError(f"MSI-X here has 1 to {VECTORS_MAX} vectors, not {vectors}")
        self.vectors, self._send = vectors, send
        self.open = False
        self.table = bytearray(ENTRY.pack(0, 0, MASKED) * vectors)

    def capability(self, bar: int) -> tuple[bytes, bytes]:
        """Body and writable bits of the capability, for a page at a BAR."""
        body = struct.pack("<HII", self.vectors - 1, bar, PENDING_OFFSET | bar)
        return body, struct.pack("<H", ENABLE | FUNCTION_MASK)

    def read(self, offset: int, size: int) -> int:
        """The table or the pending bits; what is behind either reads as zero."""
        _check(offset, size)
        if offset < PENDING_OFFSET:
            return int.from_bytes(self.table[offset : offset + size], "little")
        return self.pending >> 8 * (offset - PENDING_OFFSET) & (1 << 8 * size) - 1

    def write(self, offset: int, size: int, value: int) -> None:
        """The table; unmasking a vector sends what it has pending."""
        _check(offset, size)
        if offset >= len(self.table):
            return
        self.table[offset : offset + size] = value.to_bytes(size, "little")
        vector = offset // ENTRY.size
        address, data, control = self._entry(vector)
        ENTRY.pack_into(self.table, vector * ENTRY.size, address & ~3, data, control & MASKED)
        self._deliver(vector)

    def raise_vector(self, vector: int) -> None:
        """Send a vector's message, as soon as it may be sent."""
        if vector >= self.vectors:
            return
        if self.open:
            address, data, control = self._entry(vector)
            if not control & MASKED:
                self._send(address, data)
                return
        self.pending |= 1 << vector

    def set_open(self, level: bool) -> None:
        """Let the function send, what is pending first, or no longer."""
        self.open = level
        waiting = self.pending if level else 0
        while waiting:
            vector = (waiting & -waiting).bit_length() - 1
            waiting &= waiting - 1
            self._deliver(vector)

    def _deliver(self, vector: int) -> None:
        bit = 1 << vector
        if not self.pending & bit or not self.open:
            return
        address, data, control = self._entry(vector)
        if not control & MASKED:
            self.pending &= ~bit
            self._send(address, data)

    def _entry(self, vector: int) -> tuple[int, int, int]:
        entry: tuple[int, int, int] = _unpack(self.table, vector * ENTRY.size)
        return entry


def _check(offset: int, size: int) -> None:
    if size not in (4, 8) or offset % size:
        raise GuestError(f"an MSI-X table access of {size} bytes at offset {offset:#x}")

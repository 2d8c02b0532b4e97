"""A machine's guest physical memory: RAM as Python and devices reach it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from hospes.base.errors import GuestError, HospesError
from hospes.memory.dirty import DirtyLog
from hospes.memory.frames import Frames
from hospes.memory.nested import CODE, DIRTY, PAGE_BYTES, PAGE_SHIFT, NestedTable

RAM_BASE: Final = 0x8000_0000


class Memory:
    """One contiguous region of RAM from `base` on, size_bytes long (a multiple of 4 KiB).

    Stores through this class mark pages dirty, and decoded code in them stale, as the guest's own
    stores do. An access that is not wholly in RAM raises GuestError.
    """

    def __init__(self, size_bytes: int, base: int = RAM_BASE) -> None:
        if size_bytes <= 0 or size_bytes % PAGE_BYTES:
            raise HospesError(
                f"a memory size of {size_bytes} bytes is not a positive multiple of 4096; "
                "give --memory such as 512M"
            )
        self.base = base
        self.size_bytes = size_bytes
        self.end = base + size_bytes
        self.frames = Frames(size_bytes)
        self.nested = NestedTable(self.frames.address, size_bytes >> PAGE_SHIFT)
        self.dirty = DirtyLog(self.nested, base)
        self._view = self.frames.view
        self._entries = self.nested.entries

    def contains(self, gpa: int, size_bytes: int) -> bool:
        """Whether all of the range is RAM."""
        return self.base <= gpa and gpa + size_bytes <= self.end

    def read(self, gpa: int, size_bytes: int) -> bytes:
        """A copy of so many bytes."""
        start = gpa - self.base
        if start < 0 or start + size_bytes > self.size_bytes:
            raise _outside(gpa, size_bytes)
        return bytes(self._view[start : start + size_bytes])

    def write(self, gpa: int, data: bytes | bytearray | memoryview) -> None:
        """Store the bytes."""
        size_bytes = len(data)
        start = gpa - self.base
        if start < 0 or start + size_bytes > self.size_bytes:
            raise _outside(gpa, size_bytes)
        if size_bytes:
            self._view[start : start + size_bytes] = data
            first, last = start >> PAGE_SHIFT, (start + size_bytes - 1) >> PAGE_SHIFT
            if first != last or self._entries[first] & (DIRTY | CODE) != DIRTY:
                self.nested.mark_written(first, last)

    def windows(self, parts: Iterable[tuple[int, int]]) -> list[memoryview]:
        """Views of the (gpa, size) parts, for use at once; `filled` tells that some changed."""
        base, end, view = self.base, self.size_bytes, self._view
        found = []
        for gpa, size_bytes in parts:
            start = gpa - base
            if start < 0 or start + size_bytes > end:
                raise _outside(gpa, size_bytes)
            found.append(view[start : start + size_bytes])
        return found

    def filled(self, parts: Iterable[tuple[int, int]]) -> None:
        """Mark the pages dirty in which bytes were stored through `windows`."""
        base, entries = self.base, self._entries
        for gpa, size_bytes in parts:
            start = gpa - base
            first, last = start >> PAGE_SHIFT, (start + size_bytes - 1) >> PAGE_SHIFT
            if first != last or entries[first] & (DIRTY | CODE) != DIRTY:
                self.nested.mark_written(first, last)

    def load(self, gpa: int, size_bytes: int) -> int:
        """The little-endian number of 1, 2, 4 or 8 bytes."""
        return int.from_bytes(self.view(gpa, size_bytes), "little")

    def store(self, gpa: int, size_bytes: int, value: int) -> None:
        """Store the low bytes of a number, little-endian."""
        low = value & ((1 << (8 * size_bytes)) - 1)
        self.view(gpa, size_bytes)[:] = low.to_bytes(size_bytes, "little")
        self._mark(gpa, size_bytes)

    def view(self, gpa: int, size_bytes: int) -> memoryview:
        """The bytes themselves; stores through the view are not tracked."""
        if not self.contains(gpa, size_bytes):
            raise _outside(gpa, size_bytes)
        start = gpa - self.base
        return self._view[start : start + size_bytes]

    def discard(self, gpa: int, size_bytes: int) -> None:
        """Give whole pages back to the host: they read as zeros until they are written again.

        For dirty tracking and decoded code that is a store of zeros. Frames keep their addresses,
        so whatever translates to them stays valid.
        """
        if gpa % PAGE_BYTES or size_bytes % PAGE_BYTES:
            raise GuestError(f"{size_bytes} bytes at {gpa:#x} are not whole pages")
        if not self.contains(gpa, size_bytes):
            raise GuestError(f"{size_bytes} bytes at {gpa:#x} are not in RAM")
        if not size_bytes:
            return
        self.frames.discard(gpa - self.base, size_bytes)
        self._mark(gpa, size_bytes)

    def close(self) -> None:
        """Give everything back; the memory cannot be used afterwards."""
        self._view.release()
        self.frames.close()

    def _mark(self, gpa: int, size_bytes: int) -> None:
        first = (gpa - self.base) >> PAGE_SHIFT
        self.nested.mark_written(first, (gpa + size_bytes - 1 - self.base) >> PAGE_SHIFT)


def _outside(gpa: int, size_bytes: int) -> GuestError:
    return GuestError(f"{size_bytes} bytes at {gpa:#x} are not in RAM")

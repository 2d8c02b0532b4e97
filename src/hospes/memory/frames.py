"""Host memory for guest RAM: one anonymous mapping, with a guard page on either side."""

from __future__ import annotations

import ctypes
import mmap
from typing import Final

from hospes.base.errors import HospesError

GUARD_BYTES: Final = mmap.PAGESIZE
PROT_NONE: Final = 0
HUGE_PAGE_BYTES: Final = 2 << 20

_libc = ctypes.CDLL(None, use_errno=True)


class Frames:
    """size_bytes of zeroed memory at host address `address`; pages cost nothing until touched."""

    def __init__(self, size_bytes: int) -> None:
        flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | getattr(mmap, "MAP_NORESERVE", 0)
        try:
            self._map = mmap.mmap(-1, size_bytes + 2 * GUARD_BYTES, flags=flags)
        except (OSError, OverflowError, ValueError) as error:
            raise HospesError(
                f"{size_bytes >> 20} MiB of memory for the guest cannot be had from the host "
                f"({error}); give the machine less with --memory"
            ) from None
        whole = (ctypes.c_char * len(self._map)).from_buffer(self._map)
        start = ctypes.addressof(whole)
        del whole
        self.address = start + GUARD_BYTES
        self.size_bytes = size_bytes
        self.view = memoryview(self._map)[GUARD_BYTES : GUARD_BYTES + size_bytes]
        for guard in (start, self.address + size_bytes):
            _libc.mprotect(ctypes.c_void_p(guard), ctypes.c_size_t(GUARD_BYTES), PROT_NONE)
        if hasattr(mmap, "MADV_HUGEPAGE") and size_bytes >= HUGE_PAGE_BYTES:
            self._map.madvise(mmap.MADV_HUGEPAGE)

    def discard(self, offset: int, size_bytes: int) -> None:
        """Give whole pages back to the host; they stay where they are and read as zeros."""
        if hasattr(mmap, "MADV_DONTNEED"):
            self._map.madvise(mmap.MADV_DONTNEED, GUARD_BYTES + offset, size_bytes)
        else:
            self.view[offset : offset + size_bytes] = bytes(size_bytes)

    def close(self) -> None:
        """Give the memory back to the host; views of it must be gone."""
        self.view.release()
        self._map.close()

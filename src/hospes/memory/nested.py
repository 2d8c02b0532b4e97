"""The nested page table: guest physical page to host frame, one u64 entry per 4 KiB page."""

from __future__ import annotations

import ctypes
import mmap
from typing import Final

from hospes.base.bits import u64
from hospes.base.layout import WORD_BYTES, Struct, Word, Words

PAGE_SHIFT: Final = 12
PAGE_BYTES: Final = 1 << PAGE_SHIFT

ABSENT: Final = 1
"""The page has no frame now; an access leaves with Exit.FRAME."""
PROTECTED: Final = 2
"""Guest stores may not go to the frame; one leaves with Exit.FRAME."""
DIRTY: Final = 4
"""The page was written since the flag was last cleared."""
CODE: Final = 8
"""Instructions of this page are decoded; a store must mark it before it goes through."""
CODE_DIRTY: Final = 16
"""The page was written since its instructions were decoded; fence.i looks at it again."""
TAGGED: Final = 32
"""Some TLB may hold a write tag for the page."""
FRAME_MASK: Final = ~0xFFF

DIRTY_CODE_MAX: Final = 254
"""Pages of written code remembered between two fence.i; past that all code is dropped."""


class Shared(Struct):
    """What all harts of a machine and Python share about its memory.

    epoch goes up when tags must be forgotten by every hart; a hart that saw an older one flushes.
    dirty_code holds the numbers of pages whose decoded instructions may be stale.
    """

    epoch = Word()
    dirty_code_count = Word()
    dirty_code = Words(DIRTY_CODE_MAX)


class NestedTable:
    """The entries of one contiguous region of RAM.

    `entries` is an array of u64, one for each page: how far its frame lies from its home, a
    multiple of 4 KiB modulo 2**64, with flags in the low 12 bits. Page n's home is 4096 * n behind
    the first frame, so a table of zeros is all of RAM at home, present and open to stores, and
    costs no memory. Generated code reads and writes the same array.
    """

    def __init__(self, frames_address: int, pages: int) -> None:
        self.frames_address = frames_address
        self._map = mmap.mmap(-1, pages * WORD_BYTES)
        self.entries = memoryview(self._map).cast("Q")
        self.shared = Shared()

    @property
    def address(self) -> int:
        """Host address of the first entry."""
        return ctypes.addressof(ctypes.c_uint64.from_buffer(self.entries))

    def frame(self, page: int) -> int:
        """Host address of a page's frame."""
        return u64(self.frames_address + (page << PAGE_SHIFT) + (self.entries[page] & FRAME_MASK))

    def mark_written(self, first_page: int, last_page: int) -> None:
        """Note a store by the host to the pages from first to last, both included."""
        entries = self.entries
        for page in range(first_page, last_page + 1):
            entry = entries[page]
            if entry & (DIRTY | CODE) == DIRTY:
                continue
            if entry & CODE and not entry & CODE_DIRTY:
                self._note_dirty_code(page)
                entry |= CODE_DIRTY
            entries[page] = entry | DIRTY

    def _note_dirty_code(self, page: int) -> None:
        shared = self.shared
        count = shared.dirty_code_count
        if count < DIRTY_CODE_MAX:
            shared.dirty_code[count] = page
        shared.dirty_code_count = count + 1

"""Dirty tracking: which pages the guest or a device wrote since they were last asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hospes.memory.nested import DIRTY, PAGE_SHIFT, TAGGED, NestedTable

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


class DirtyLog:
    """The DIRTY flags of a nested page table, seen from Python."""

    def __init__(self, nested: NestedTable, base: int) -> None:
        self._nested = nested
        self._base = base

    def peek(self) -> list[int]:
        """Guest physical addresses of the dirty pages, in order, flags kept."""
        pages = (self._entries() & DIRTY).nonzero()[0]
        return [self._base + (int(page) << PAGE_SHIFT) for page in pages]

    def take(self) -> list[int]:
        """The dirty pages' addresses, and from here on they count as clean.

        Call it while no hart runs: harts forget their write tags before they go on, so that the
        next store to each page is seen again.
        """
        pages = self.peek()
        entries = self._entries()
        entries &= ~(DIRTY | TAGGED) & 0xFFFF_FFFF_FFFF_FFFF
        self._nested.shared.epoch += 1
        return pages

    def _entries(self) -> npt.NDArray[np.uint64]:
        """The table as a numpy array, imported late: starting a machine needs no numpy."""
        import numpy as np

        return np.frombuffer(self._nested.entries, dtype=np.uint64)

"""Counting who refers to each host cluster of a qcow2 image, from everything in it that does."""

from array import array
from collections import Counter
from collections.abc import Iterator
from typing import Final

from hospes.storage.errors import DamagedImageError
from hospes.storage.qcow2 import layout
from hospes.storage.qcow2.bitmaps import bitmap_ranges
from hospes.storage.qcow2.layout import COMPRESSED, OFFSET_MASK
from hospes.storage.qcow2.metadata import Metadata
from hospes.storage.qcow2.snapshots import read_snapshots
from hospes.storage.qcow2.tables import read_words

PROBLEMS_KEPT: Final = 20


class References:
    """References found by walking the image: L1 and L2 tables, snapshots, refcounts, bitmaps.

    `problems` are contradictions that counts cannot express: tables that are not where they could
    be. `broken` says how many there were.
    """

    def __init__(self, meta: Metadata) -> None:
        self._meta, self.g, self._file = meta, meta.g, meta.file
        self._file_clusters = self.g.clusters(meta.file.size())
        self._counts: dict[int, array[int]] = {}
        self.problems: list[str] = []
        self.broken = 0
        self.allocated = self.compressed = 0
        self._l2_uses: Counter[int] = Counter()
        self._active: set[int] = set()
        self._walk()

    def count(self, cluster: int) -> int:
        """References found to a cluster."""
        index, at = divmod(cluster, self.g.block_entries)
        counts = self._counts.get(index)
        return counts[at] if counts else 0

    def counts(self, index: int) -> "array[int] | None":
        """References found to the clusters that one refcount block is to count; None: nothing."""
        return self._counts.get(index)

    @property
    def indices(self) -> list[int]:
        """Which refcount blocks are needed."""
        return sorted(self._counts)

    def add(self, cluster: int, times: int = 1) -> None:
        """Count references to a cluster."""
        index, at = divmod(cluster, self.g.block_entries)
        counts = self._counts.get(index)
        if counts is None:
            counts = self._counts[index] = array("Q", bytes(8 * self.g.block_entries))
        counts[at] += times

    def active_l2_indices(self) -> Iterator[int]:
        """L1 indices whose L2 table could be read."""
        for index, entry in enumerate(self._meta.l1.words):
            if entry & OFFSET_MASK in self._active:
                yield index

    def _problem(self, text: str) -> None:
        self.broken += 1
        if len(self.problems) < PROBLEMS_KEPT:
            self.problems.append(text)

    def _walk(self) -> None:
        h = self._meta.header
        self.add(0)
        self._add_range("refcount table", h.refcount_table_offset, 8 * self._table_words())
        self._add_range("L1 table", h.l1_offset, 8 * h.l1_size)
        self._l1("L1 table", self._meta.l1.words, self._active)
        self._snapshots()
        self._refcount_blocks()
        for offset, times in self._l2_uses.items():
            self._l2(offset, times)
        try:
            for what, offset, length in bitmap_ranges(self._file, h):
                self._add_range(what, offset, length)
        except DamagedImageError as error:
            self._problem(str(error))

    def _table_words(self) -> int:
        return self._meta.header.refcount_table_clusters * self.g.table_entries

    def _snapshots(self) -> None:
        h = self._meta.header
        try:
            table = read_snapshots(self._file, h)
        except DamagedImageError as error:
            self._problem(str(error))
            return
        if table.snapshots:
            self._add_range("snapshot table", table.offset, table.length)
        for (offset, size), times in Counter(
            (s.l1_offset, s.l1_size) for s in table.snapshots
        ).items():
            self._add_range("snapshot's L1 table", offset, 8 * size, times)
            self._l1("snapshot's L1 table", read_words(self._file, offset, size), set(), times)

    def _l1(self, what: str, words: "array[int]", readable: set[int], times: int = 1) -> None:
        """Note the L2 tables of an L1 table; naming one twice is seen as a wrong count."""
        for entry in words:
            offset = entry & OFFSET_MASK
            if not offset:
                continue
            if offset % self.g.cluster_bytes or offset + self.g.cluster_bytes > self._file.size():
                self._problem(f"the {what} names an L2 table at {offset}, which cannot be")
                continue
            self._l2_uses[offset] += times
            readable.add(offset)

    def _l2(self, offset: int, times: int) -> None:
        self.add(offset >> self.g.cluster_bits, times)
        active = offset in self._active
        words = read_words(self._file, offset, self.g.cluster_bytes // 8)
        for entry in words[:: self.g.entry_words]:
            if not entry:
                continue
            if entry & COMPRESSED:
                start, length = self.g.compressed_place(entry)
                self._add_range("compressed cluster", start, length, times)
                self.compressed += active
                self.allocated += active
            elif entry & OFFSET_MASK:
                self._data(entry & OFFSET_MASK, times)
                self.allocated += active

    def _data(self, offset: int, times: int) -> None:
        if offset % self.g.cluster_bytes:
            self._problem(f"an L2 table names data at {offset}, which is no cluster")
        elif offset >> self.g.cluster_bits >= self._file_clusters:
            self._problem(f"an L2 table names data at {offset}, beyond the end of the file")
        else:
            self.add(offset >> self.g.cluster_bits, times)

    def _refcount_blocks(self) -> None:
        for entry in self._meta.refcounts.table.words:
            offset = entry & layout.REFCOUNT_OFFSET_MASK
            if not offset:
                continue
            if offset % self.g.cluster_bytes or offset + self.g.cluster_bytes > self._file.size():
                self._problem(f"the refcount table names a block at {offset}, which cannot be")
            else:
                self.add(offset >> self.g.cluster_bits)

    def _add_range(self, what: str, offset: int, length: int, times: int = 1) -> None:
        clusters = self._meta.clusters(offset, length)
        if clusters.stop > self._file_clusters:
            self._problem(f"a {what} of {length} bytes at {offset} is beyond the end of the file")
            return
        for cluster in clusters:
            self.add(cluster, times)

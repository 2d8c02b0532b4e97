"""A qcow2 image's tables in memory, and the one place that writes them back in a safe order.

The order of `commit`, with a flush barrier at each arrow, so that a power cut at any moment leaves
nothing worse than clusters counted but not used:

    data, refcount blocks, fresh L2 tables → refcount table → L2 entries, L1 entries →
    counts of what is no longer referred to may fall
"""

from array import array
from dataclasses import replace
from typing import Any, Final

from hospes.storage.errors import DamagedImageError, HostFileError
from hospes.storage.host_file import HostFile
from hospes.storage.qcow2 import layout
from hospes.storage.qcow2.header import Header
from hospes.storage.qcow2.refcounts import Refcounts, Run, TableFullError
from hospes.storage.qcow2.regions import enlarge_refcount_table
from hospes.storage.qcow2.snapshots import read_snapshots
from hospes.storage.qcow2.tables import Table, TableCache, read_words, runs

L2_CACHE_BYTES: Final = 4 << 20
REFCOUNT_CACHE_BYTES: Final = 1 << 20
FREED_MAX: Final = 1 << 16
PUNCH_MIN_BYTES: Final = 4096


class Metadata:
    """L1 table, L2 tables, reference counts and header of one open image.

    `commit` may be repeated after it has failed; nothing is lost from memory by a failure.
    """

    def __init__(
        self,
        file: HostFile,
        header: Header,
        *,
        l2_cache_bytes: int = L2_CACHE_BYTES,
        refcount_cache_bytes: int = REFCOUNT_CACHE_BYTES,
    ) -> None:
        self.file, self.header, self.g = file, header, header.geometry
        self.l1 = Table(header.l1_offset, read_words(file, header.l1_offset, header.l1_size))
        self.l2_tables = TableCache(max(2, l2_cache_bytes // self.g.cluster_bytes))
        blocks = max(2, refcount_cache_bytes // self.g.cluster_bytes)
        self.refcounts = Refcounts(file, header, blocks)
        self._freed: list[int] = []
        self._given_up = False

    def reserve(self) -> None:
        """Learn where all metadata is, before anything is written."""
        reserved = self.refcounts.reserved
        h, g = self.header, self.g
        reserved.add(0)
        reserved.update(self.clusters(h.l1_offset, 8 * h.l1_size))
        table_bytes = h.refcount_table_clusters << g.cluster_bits
        reserved.update(self.clusters(h.refcount_table_offset, table_bytes))
        for word in self.refcounts.table.words:
            if word:
                reserved.add((word & layout.REFCOUNT_OFFSET_MASK) >> g.cluster_bits)
        for word in self.l1.words:
            if word & layout.OFFSET_MASK:
                reserved.add((word & layout.OFFSET_MASK) >> g.cluster_bits)
        if h.snapshot_count:
            snapshots = read_snapshots(self.file, h)
            reserved.update(self.clusters(snapshots.offset, snapshots.length))
            for offset, size in {(s.l1_offset, s.l1_size) for s in snapshots.snapshots}:
                reserved.update(self.clusters(offset, 8 * size))

    def l2(self, l1_index: int) -> Table | None:
        """The L2 table an L1 entry names, or None."""
        offset = self.l1.words[l1_index] & layout.OFFSET_MASK
        if not offset:
            return None
        found = self.l2_tables.find(offset)
        if found is None:
            if offset % self.g.cluster_bytes:
                raise self.damage(f"an L2 table at {offset}, which is no cluster")
            words = read_words(self.file, offset, self.g.cluster_bytes // 8)
            found = self.l2_tables.add(Table(offset, words))
        return found

    def has_l2(self, offset: int, length: int) -> bool:
        """Whether all L2 tables of a range of the disk are in memory."""
        first, last = offset // self.g.l2_span, (offset + length - 1) // self.g.l2_span
        places = (word & layout.OFFSET_MASK for word in self.l1.words[first : last + 1])
        return all(not place or self.l2_tables.find(place) for place in places)

    def l2_for_writing(self, l1_index: int) -> Table:
        """The L2 table, made if there is none, copied if a snapshot shares it."""
        entry = self.l1[l1_index]
        found = self.l2(l1_index)
        if found is not None and entry & layout.COPIED:
            return found
        words = found.words[:] if found else array("Q", bytes(self.g.cluster_bytes))
        cluster = self.allocate(1).first
        self.refcounts.reserved.add(cluster)
        offset = cluster << self.g.cluster_bits
        fresh = self.l2_tables.add(Table(offset, words, fresh=True))
        self.l1[l1_index] = offset | layout.COPIED
        if found is not None:
            self.l2_tables.drop(found.offset)
            self.release(found.offset >> self.g.cluster_bits)
        return fresh

    def allocate(self, count: int) -> Run:
        """Up to count consecutive free clusters, counted once each."""
        while True:
            try:
                return self.refcounts.allocate(count)
            except TableFullError as full:
                enlarge_refcount_table(self, full.index)

    def allocate_bytes(self, length: int) -> int:
        """Host offset of room for compressed data."""
        while True:
            try:
                return self.refcounts.allocate_bytes(length)
            except TableFullError as full:
                enlarge_refcount_table(self, full.index)

    def release(self, *clusters: int) -> None:
        """References dropped in memory; the counts fall once the disk has dropped them too."""
        self._freed.extend(clusters)

    @property
    def is_clean(self) -> bool:
        """Whether the file holds all that the memory does."""
        tables = self.refcounts.blocks.dirty() or self.l2_tables.dirty() or self._freed
        return not (tables or self.l1.dirty or self.refcounts.table.dirty)

    def commit(self) -> None:
        """Make everything in memory, and all data written before, survive a power cut."""
        blocks, tables = self.refcounts.blocks.dirty(), self.l2_tables.dirty()
        for table in [*blocks, *(table for table in tables if table.fresh)]:
            table.write_to(self.file)
        self.file.sync()
        for table in [*blocks, *tables]:
            table.fresh = False
        if self.refcounts.table.dirty:
            self.refcounts.table.write_to(self.file)
            self.file.sync()
        if any(table.dirty for table in tables) or self.l1.dirty:
            for table in [*tables, self.l1]:
                table.write_to(self.file)
            self.file.sync()
        self._free()

    def trim(self) -> None:
        """Keep memory bounded; called between requests."""
        bounded = self.l2_tables.trim() and self.refcounts.blocks.trim()
        if self._given_up:
            return
        if not bounded or len(self._freed) > FREED_MAX:
            self.commit()
            self.l2_tables.trim()
            self.refcounts.blocks.trim()

    def write_header(self, **changes: Any) -> None:
        """Change header fields: one sector, so old or new, after all that was written before."""
        changed = replace(self.header, **changes)
        self.write_first(changed.pack_fields())
        self.header = changed

    def write_first(self, data: bytes) -> None:
        """Write the start of the file, no more than a sector, between two flush barriers."""
        self.file.sync()
        self.file.write(0, data)
        self.file.sync()

    def damage(self, what: str) -> DamagedImageError:
        """The error to raise where the image contradicts itself."""
        return DamagedImageError(f"disk {self.file.name} has {what}; run 'hospes disk check'")

    def give_up(self) -> None:
        """Write nothing more, and have nobody else do so before the image is repaired."""
        self._given_up = True
        if self.header.version < 3 or self.header.is_corrupt:
            return
        try:
            self.write_header(incompatible=self.header.incompatible | layout.CORRUPT)
        except HostFileError:
            return

    def drop_l2(self, l1_index: int) -> None:
        """Forget a whole L2 table that no longer refers to anything."""
        offset = self.l1[l1_index] & layout.OFFSET_MASK
        self.l1[l1_index] = 0
        self.l2_tables.drop(offset)
        self.release(offset >> self.g.cluster_bits)

    def clusters(self, offset: int, length: int) -> range:
        """The host clusters that bytes of the file lie in."""
        return range(offset >> self.g.cluster_bits, self.g.clusters(offset + length))

    def _free(self) -> None:
        """Let the counts of released clusters fall, and give their space back to the host."""
        freed, self._freed = self._freed, []
        free = sorted(self.refcounts.release(freed))
        for first, last in runs(free):
            length = (last + 1 - first) << self.g.cluster_bits
            if length >= PUNCH_MIN_BYTES:
                self.file.punch(first << self.g.cluster_bits, length)

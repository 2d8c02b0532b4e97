"""Reference counts of host clusters: looked up, changed, and clusters allocated by them.

Changes are made in memory; `Metadata.commit` writes them in a safe order. A refcount block that is
missing counts only free clusters, so a new one is put in the first cluster of its own range and
counts itself.
"""

from array import array
from collections.abc import Iterable
from typing import NamedTuple

from hospes.storage.errors import DamagedImageError, StorageError
from hospes.storage.host_file import HostFile
from hospes.storage.qcow2 import layout
from hospes.storage.qcow2.header import Header
from hospes.storage.qcow2.tables import Table, TableCache, read_words, unpack


class Run(NamedTuple):
    """Consecutive host clusters; clean ones have never been written and read as zeros."""

    first: int
    length: int
    clean: bool


class Refcounts:
    """The refcount table, a bounded cache of its blocks, and the search for free clusters.

    `reserved` holds the clusters of metadata: none of them may ever be given away, whatever the
    counts say.
    """

    def __init__(self, file: HostFile, header: Header, cache_tables: int) -> None:
        self._file, self.g = file, header.geometry
        count = header.refcount_table_clusters * self.g.table_entries
        words = read_words(file, header.refcount_table_offset, count)
        self.table = Table(header.refcount_table_offset, words)
        self.blocks = TableCache(cache_tables)
        self.reserved: set[int] = set()
        self._hint = 0
        self._clean_from = self.g.clusters(file.size())
        self._cursor = 0

    def get(self, cluster: int) -> int:
        """How many references a cluster has."""
        block = self.block(cluster // self.g.block_entries)
        return block[cluster % self.g.block_entries] if block else 0

    def block(self, index: int) -> Table | None:
        """A refcount block, or None where all clusters are free."""
        if index >= len(self.table.words):
            return None
        offset = self.table[index] & layout.REFCOUNT_OFFSET_MASK
        if not offset:
            return None
        found = self.blocks.find(offset)
        if found is None:
            found = self.blocks.add(Table(offset, self._read_block(offset)))
        return found

    def change(self, cluster: int, delta: int) -> int:
        """Add to a count; returns the new one."""
        block = self.block(cluster // self.g.block_entries)
        index = cluster % self.g.block_entries
        count = (block[index] if block else 0) + delta
        if block is None or not 0 <= count <= self.g.refcount_max:
            raise DamagedImageError(
                f"disk {self._file.name} would count {count} references to cluster {cluster}; "
                "run 'hospes disk check --repair all'"
            )
        block[index] = count
        if count == 0:
            self._hint = min(self._hint, cluster)
            self.reserved.discard(cluster)
            if self._cursor >> self.g.cluster_bits == cluster:
                self._cursor = 0
        return count

    def allocate(self, count: int) -> Run:
        """Up to count consecutive free clusters, now with one reference each."""
        first = self._find_free()
        limit = self._clean_from - first if first < self._clean_from else count
        taken = 0
        while taken < min(count, limit) and self._take(first + taken):
            taken += 1
        self._hint = first + taken
        clean = first >= self._clean_from
        self._clean_from = max(self._clean_from, first + taken)
        return Run(first, taken, clean)

    def allocate_bytes(self, length: int) -> int:
        """Host offset of room for compressed data, which counts as one reference where it lies."""
        cluster, used = divmod(self._cursor, self.g.cluster_bytes)
        if used and self.get(cluster) < self.g.refcount_max:
            fits = used + length <= self.g.cluster_bytes
            if fits or self._take_next(cluster + 1):
                self.change(cluster, 1)
                return self._advance(self._cursor, length)
        return self._advance(self.allocate(1).first << self.g.cluster_bits, length)

    def release(self, clusters: Iterable[int]) -> list[int]:
        """Take one reference from each; returns those that became free."""
        return [cluster for cluster in clusters if self.change(cluster, -1) == 0]

    def add_block(self, index: int, cluster: int) -> Table:
        """A new block for a range, kept in the given free cluster, which it need not count."""
        offset = cluster << self.g.cluster_bits
        words = unpack(bytes(self.g.cluster_bytes), self.g.refcount_order)
        block = self.blocks.add(Table(offset, words, fresh=True))
        self.table[index] = offset
        self.reserved.add(cluster)
        self._clean_from = max(self._clean_from, cluster + 1)
        return block

    def extend_table(self, index: int) -> "array[int]":
        """The table's words, enlarged so that it can name a block."""
        needed = self.g.clusters((index + 1) * 8 * 3 // 2)
        if needed << self.g.cluster_bits > layout.REFCOUNT_TABLE_MAX_BYTES:
            raise StorageError(
                f"disk {self._file.name} cannot grow further with clusters of "
                f"{self.g.cluster_bytes} "
                "bytes; convert it to an image with larger clusters"
            )
        words = self.table.words[:]
        words.frombytes(bytes((needed << self.g.cluster_bits) - 8 * len(words)))
        return words

    def note_written(self, cluster: int) -> None:
        """Clusters up to and with this one may hold something."""
        self._clean_from = max(self._clean_from, cluster + 1)

    def _advance(self, offset: int, length: int) -> int:
        self._cursor = offset + length
        return offset

    def _take_next(self, cluster: int) -> bool:
        """Allocate one particular cluster, if it is free and counted."""
        block = self.block(cluster // self.g.block_entries)
        taken = block is not None and self._take(cluster)
        if taken:
            self.note_written(cluster)
        return taken

    def _take(self, cluster: int) -> bool:
        block = self.block(cluster // self.g.block_entries)
        index = cluster % self.g.block_entries
        if block is None or block[index]:
            return False
        if cluster in self.reserved:
            raise DamagedImageError(
                f"disk {self._file.name} counts no references to cluster {cluster}, which holds "
                "metadata; run 'hospes disk check --repair all'"
            )
        block[index] = 1
        return True

    def _find_free(self) -> int:
        index, start = divmod(self._hint, self.g.block_entries)
        while True:
            block = self.block(index)
            if block is None:
                return self._begin_block(index)
            try:
                return index * self.g.block_entries + block.words.index(0, start)
            except ValueError:
                index, start = index + 1, 0

    def _begin_block(self, index: int) -> int:
        """Start counting a range of free clusters; returns the first that is still free."""
        if index >= len(self.table.words):
            raise TableFullError(index)
        cluster = index * self.g.block_entries
        if cluster in self.reserved:
            raise DamagedImageError(
                f"disk {self._file.name} has metadata in cluster {cluster}, which it does not "
                "count; run 'hospes disk check --repair all'"
            )
        self.add_block(index, cluster)[0] = 1
        return cluster + 1

    def _read_block(self, offset: int) -> "array[int]":
        if offset % self.g.cluster_bytes:
            raise DamagedImageError(
                f"disk {self._file.name} has a refcount block at {offset}, which is no cluster; "
                "run 'hospes disk check'"
            )
        data = self._file.read(offset, self.g.cluster_bytes)
        if len(data) < self.g.cluster_bytes:
            raise DamagedImageError(
                f"disk {self._file.name} ends within a refcount block at {offset}; run "
                "'hospes disk check'"
            )
        return unpack(data, self.g.refcount_order)


class TableFullError(Exception):
    """The refcount table cannot name the block of this index before it is enlarged."""

    def __init__(self, index: int) -> None:
        super().__init__(index)
        self.index = index

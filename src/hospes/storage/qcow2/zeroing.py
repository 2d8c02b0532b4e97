"""Discarding and zeroing whole clusters of a qcow2 image: only its L2 entries change."""

from enum import Enum, auto

from hospes.storage.qcow2.layout import ALL_ZERO, COMPRESSED, COPIED, OFFSET_MASK, ZERO
from hospes.storage.qcow2.mapping import Mapping
from hospes.storage.qcow2.metadata import Metadata
from hospes.storage.qcow2.writing import Writer


class Mode(Enum):
    """What becomes of a cluster that is to read as zeros."""

    DISCARD = auto()  # its place in the file is given up; so is its entry if nothing lies behind it
    UNMAP = auto()  # its place is given up, its entry says zero
    KEEP = auto()  # its place is kept for later


class Zeroer:
    """Makes guest clusters read as zeros; no locking."""

    def __init__(self, meta: Metadata, mapping: Mapping, writer: Writer) -> None:
        self._meta, self._mapping, self._writer, self._g = meta, mapping, writer, meta.g

    def zero(self, clusters: range, mode: Mode) -> None:
        """Make whole guest clusters read as zeros."""
        entries = self._g.l2_entries
        cluster = clusters.start
        while cluster < clusters.stop:
            l1_index = cluster // entries
            stop = min(clusters.stop, (l1_index + 1) * entries)
            if self._shows_backing(cluster) or self._meta.l1[l1_index]:
                self._zero_in_table(cluster, stop, mode)
                self._meta.trim()
            cluster = stop

    def forget(self, first: int) -> None:
        """Let go of all guest clusters from this one on, so that what lies behind them shows."""
        entries, words = self._g.l2_entries, self._g.entry_words
        for l1_index in range(first // entries, len(self._meta.l1.words)):
            l2, start = self._meta.l2(l1_index), l1_index * entries
            if l2 is None:
                continue
            if first <= start:
                for at in range(0, entries * words, words):
                    self._meta.release(*self._writer.host_clusters(l2[at]))
                self._meta.drop_l2(l1_index)
            else:
                l2, _ = self._writer.slot(first)
                for index in range(first - start, entries):
                    self._writer.replace(l2, index, 0, 0)
            self._meta.trim()
        self._mapping.forget_unpacked()

    def _shows_backing(self, cluster: int) -> bool:
        """Whether an unallocated cluster would show something of a backing file."""
        backing = self._mapping.backing
        return backing is not None and cluster << self._g.cluster_bits < backing.size_bytes

    def _zero_in_table(self, first: int, stop: int, mode: Mode) -> None:
        l2, index = self._writer.slot(first)
        for cluster in range(first, stop):
            at = index * self._g.entry_words
            old = l2[at]
            bitmap = l2[at + 1] if self._g.extended else 0
            entry, new_bitmap = self._zeroed(cluster, old, bitmap, mode)
            if (entry, new_bitmap) != (old, bitmap):
                self._writer.replace(l2, index, entry, new_bitmap)
            index += 1

    def _zeroed(self, cluster: int, old: int, bitmap: int, mode: Mode) -> tuple[int, int]:
        """The L2 entry (and bitmap) of a cluster that reads as zeros."""
        if not (old or bitmap or self._shows_backing(cluster)):
            return 0, 0
        if mode is Mode.DISCARD and not self._shows_backing(cluster):
            return 0, 0
        own = old & COPIED and not old & COMPRESSED
        host = old & (OFFSET_MASK | COPIED) if own and mode is Mode.KEEP else 0
        return (host, ALL_ZERO) if self._g.extended else (host | ZERO, 0)

"""Writing to a qcow2 image: in place where a cluster is ours alone, else to new clusters.

New clusters are written, then the clusters in place, then the L2 entries change in memory: a
failure before that last step leaves the old content.
"""

from collections.abc import Iterator
from enum import Enum, auto
from itertools import groupby
from typing import NamedTuple

from hospes.storage.block import Data, is_zero
from hospes.storage.qcow2 import layout
from hospes.storage.qcow2.compression import compress
from hospes.storage.qcow2.layout import COMPRESSED, COPIED, OFFSET_MASK
from hospes.storage.qcow2.mapping import Mapping
from hospes.storage.qcow2.metadata import Metadata
from hospes.storage.qcow2.tables import Table


class Way(Enum):
    """How a cluster's new content gets to the file."""

    IN_PLACE = auto()
    REUSE = auto()  # a cluster of ours that reads as zeros: all of it has to be written
    NEW = auto()


class Step(NamedTuple):
    """Consecutive guest clusters written alike; host is the first one's place in the file."""

    way: Way
    first: int
    length: int
    host: int = 0
    clean: bool = False


class Writer:
    """Writes through a mapping's tables; no locking, and offsets are the caller's concern."""

    def __init__(self, meta: Metadata, mapping: Mapping) -> None:
        self._meta, self._mapping, self._g, self._file = meta, mapping, meta.g, meta.file
        self._zero_flag = 0 if self._g.extended else layout.ZERO

    def write(self, offset: int, data: Data) -> None:
        """Store data; on an error nothing is stored, or only what lay in place already."""
        view = memoryview(data)
        if offset >> self._g.cluster_bits == (offset + len(view) - 1) >> self._g.cluster_bits:
            only = self._way(offset >> self._g.cluster_bits)
            if only.way is Way.IN_PLACE:
                self._write_in_place(only, offset, view)
                return
        steps = list(self._plan(offset, len(view)))
        placed: list[Step] = []
        try:
            for step in steps:
                if step.way is Way.NEW:
                    for part in self._allocate(step):
                        placed.append(part)
                        self._write_whole(part, offset, view)
                elif step.way is Way.REUSE:
                    self._write_whole(step, offset, view)
            for step in steps:
                if step.way is Way.IN_PLACE:
                    self._write_in_place(step, offset, view)
        except BaseException:
            self._give_back(placed)
            raise
        for step in [*placed, *(step for step in steps if step.way is Way.REUSE)]:
            self._enter(step)

    def write_compressed(self, cluster: int, data: bytes) -> None:
        """Store a whole guest cluster compressed, or plainly if that is no larger."""
        packed = compress(self._meta.header.compression, data)
        if packed is None:
            self.write(cluster << self._g.cluster_bits, data)
            return
        l2, index = self.slot(cluster)
        host = self._meta.allocate_bytes(len(packed))
        entry = self._g.compressed_entry(host, len(packed))
        try:
            self._file.write(host, packed)
        except BaseException:
            self._meta.refcounts.release(self.host_clusters(entry))
            raise
        self.replace(l2, index, entry, 0)

    def slot(self, cluster: int) -> tuple[Table, int]:
        """The L2 table of a guest cluster, ours alone, and the cluster's index in it."""
        l1_index, index = divmod(cluster, self._g.l2_entries)
        return self._meta.l2_for_writing(l1_index), index

    def replace(self, l2: Table, index: int, entry: int, bitmap: int) -> None:
        """Change an L2 entry, letting go of what the old one referred to but the new does not."""
        at = index * self._g.entry_words
        old = l2[at]
        kept = not (old | entry) & COMPRESSED and (old ^ entry) & OFFSET_MASK == 0
        l2[at] = entry
        if self._g.extended:
            l2[at + 1] = bitmap
        if old and not kept:
            if old & COMPRESSED:
                self._mapping.forget_unpacked()
            self._meta.release(*self.host_clusters(old))

    def host_clusters(self, entry: int) -> range:
        """The host clusters an L2 entry refers to."""
        bits = self._g.cluster_bits
        if entry & COMPRESSED:
            offset, length = self._g.compressed_place(entry)
            return range(offset >> bits, self._g.clusters(offset + length))
        first = (entry & OFFSET_MASK) >> bits
        return range(first, first + 1) if first else range(0)

    def _plan(self, offset: int, length: int) -> Iterator[Step]:
        """The steps of a write, neighbours joined where their host clusters are neighbours too."""
        bits = self._g.cluster_bits
        found = [self._way(n) for n in range(offset >> bits, self._g.clusters(offset + length))]

        def joins(step: Step) -> tuple[Way, int]:
            return step.way, step.host - (step.first << bits) if step.way is not Way.NEW else 0

        for _, group in groupby(found, joins):
            alike = list(group)
            yield alike[0]._replace(length=len(alike))

    def _way(self, cluster: int) -> Step:
        l2, index = self.slot(cluster)
        at = index * self._g.entry_words
        entry = l2[at]
        host = entry & OFFSET_MASK
        if not entry & COPIED or entry & COMPRESSED or not host:
            return Step(Way.NEW, cluster, 1)
        if self._g.extended and l2[at + 1] != layout.ALL_ALLOCATED:
            return Step(Way.NEW, cluster, 1)
        if host % self._g.cluster_bytes or host >> self._g.cluster_bits in self._reserved:
            raise self._meta.damage(f"data of cluster {cluster} at {host}, where metadata is")
        return Step(Way.REUSE if entry & self._zero_flag else Way.IN_PLACE, cluster, 1, host)

    @property
    def _reserved(self) -> set[int]:
        return self._meta.refcounts.reserved

    def _allocate(self, step: Step) -> Iterator[Step]:
        """The step with places in the file, in as many parts as free space is in."""
        done = 0
        while done < step.length:
            run = self._meta.allocate(step.length - done)
            host = run.first << self._g.cluster_bits
            yield Step(Way.NEW, step.first + done, run.length, host, run.clean)
            done += run.length

    def _write_whole(self, step: Step, offset: int, data: memoryview) -> None:
        """Write whole clusters: the part of data that falls in them, and around it what was there.

        Zeros around the data are left out where the file holds zeros already.
        """
        size = self._g.cluster_bytes
        start, stop = step.first * size, (step.first + step.length) * size
        low, high = max(start, offset), min(stop, offset + len(data))
        head = self._around(step, start, low - start)
        tail = self._around(step, high, stop - high)
        body = data[low - offset : high - offset]
        content = b"".join((head, body, tail)) if head or tail else body
        self._file.write(step.host + (low - start) - len(head), content)

    def _around(self, step: Step, offset: int, length: int) -> bytes:
        """What the guest has there, or nothing if the file shows the same without it."""
        if not length or (step.clean and self._mapping.is_empty(offset, length)):
            return b""
        data = self._mapping.read(offset, length)
        return b"" if step.clean and is_zero(data) else data

    def _write_in_place(self, step: Step, offset: int, data: memoryview) -> None:
        start = step.first << self._g.cluster_bits
        stop = (step.first + step.length) << self._g.cluster_bits
        low, high = max(start, offset), min(stop, offset + len(data))
        self._file.write(step.host + low - start, data[low - offset : high - offset])

    def _give_back(self, placed: list[Step]) -> None:
        """Free clusters that nothing refers to, neither in memory nor on the disk."""
        for step in placed:
            first = step.host >> self._g.cluster_bits
            self._meta.refcounts.release(range(first, first + step.length))

    def _enter(self, step: Step) -> None:
        """Have the L2 entries of written clusters point to them."""
        bitmap = layout.ALL_ALLOCATED if self._g.extended else 0
        for n in range(step.length):
            l2, index = self.slot(step.first + n)
            host = step.host + (n << self._g.cluster_bits)
            self.replace(l2, index, host | COPIED, bitmap)

"""Whether a qcow2 image's reference counts are what its tables make them, and mending them."""

import operator
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import NamedTuple

from hospes.storage.errors import DamagedImageError, StorageError
from hospes.storage.host_file import HostFile
from hospes.storage.qcow2 import layout
from hospes.storage.qcow2.header import read_header
from hospes.storage.qcow2.layout import COMPRESSED, COPIED, OFFSET_MASK
from hospes.storage.qcow2.metadata import Metadata
from hospes.storage.qcow2.references import PROBLEMS_KEPT, References


class Repair(StrEnum):
    """What may be mended: clusters counted but not used, or everything that counts can tell."""

    LEAKS = "leaks"
    ALL = "all"


@dataclass(frozen=True)
class CheckReport:
    """What a check found; `problems` tells the first few corruptions in words.

    A leak wastes space and is harmless. A corruption is not: clusters used but not counted, or
    counted too low, would be given away to other data.
    """

    corruptions: int
    leaks: int
    problems: tuple[str, ...]
    total_clusters: int
    allocated_clusters: int
    compressed_clusters: int
    corruptions_repaired: int = 0
    leaks_repaired: int = 0

    @property
    def exit_code(self) -> int:
        """0 when nothing is wrong, 3 for leaks only, 2 for corruption, as qemu-img has it."""
        return 2 if self.corruptions else 3 if self.leaks else 0


class Wrong(NamedTuple):
    """A cluster whose count is not the number of references found."""

    cluster: int
    counted: int
    found: int


class Checker:
    """One pass over an image that nobody writes to meanwhile."""

    def __init__(self, meta: Metadata) -> None:
        self._meta = meta
        self.references = References(meta)
        self.differing = self.low = 0
        self._lowest: list[Wrong] = []
        self._count_differing()
        self.flags = list(self._wrong_flags())

    def report(self) -> CheckReport:
        """What was found."""
        references, g = self.references, self._meta.g
        problems = [
            *references.problems,
            *(f"cluster {w.cluster} is counted {w.counted} times, used {w.found}"
              for w in self._lowest),
            *(f"a table entry says wrongly whether {where} is shared" for where in self.flags),
        ]
        return CheckReport(
            corruptions=references.broken + self.low + len(self.flags),
            leaks=self.differing - self.low,
            problems=tuple(problems[:PROBLEMS_KEPT]),
            total_clusters=g.clusters(self._meta.header.size_bytes),
            allocated_clusters=references.allocated,
            compressed_clusters=references.compressed,
        )

    def mend(self, what: Repair) -> None:
        """Set the counts and flags right; what is broken otherwise is left alone."""
        if self.references.broken:
            return
        if self.low and what is Repair.LEAKS:
            return
        for index in self.references.indices:
            self._ensure_block(index)
        for first, counted, there in self._differing_blocks():
            block = self._meta.refcounts.block(first // self._meta.g.block_entries)
            if block is not None:
                for wrong in _wrong(first, counted, there):
                    block[wrong.cluster - first] = wrong.found
            self._meta.trim()
        self._meta.commit()
        for _ in self._wrong_flags(mend=True):
            self._meta.trim()
        self._meta.commit()

    def _count_differing(self) -> None:
        """How many clusters have a wrong count, and those of the first that have a low one.

        A damaged image may have hundreds of thousands, so no object is made for each.
        """
        for first, counted, there in self._differing_blocks():
            self.differing += sum(map(operator.ne, counted, there))
            self.low += sum(map(operator.lt, counted, there))
            if len(self._lowest) < PROBLEMS_KEPT:
                self._lowest += (w for w in _wrong(first, counted, there) if w.counted < w.found)
                del self._lowest[PROBLEMS_KEPT:]

    def _differing_blocks(self) -> Iterator[tuple[int, list[int], list[int]]]:
        """Blocks that are not as they should be: first cluster, counts, and references found."""
        g, counts = self._meta.g, self._meta.refcounts
        named = (n for n, word in enumerate(counts.table.words) if word)
        for index in sorted({*self.references.indices, *named}):
            try:
                block = counts.block(index)
            except DamagedImageError:
                continue
            found = self.references.counts(index)
            counted = block.words.tolist() if block else [0] * g.block_entries
            there = found.tolist() if found else [0] * g.block_entries
            if counted != there:
                yield index * g.block_entries, counted, there
            counts.blocks.trim()

    def _wrong_flags(self, *, mend: bool = False) -> Iterator[str]:
        """Active entries whose COPIED flag does not say whether the count is one."""
        meta, g = self._meta, self._meta.g
        for l1_index in self.references.active_l2_indices():
            l2 = meta.l2(l1_index)
            if l2 is None:
                continue
            if self._is_wrong(meta.l1[l1_index]):
                if mend:
                    meta.l1[l1_index] ^= COPIED
                yield f"L2 table {l1_index}"
            for at in range(0, g.l2_entries * g.entry_words, g.entry_words):
                entry = l2.words[at]
                if entry and not entry & COMPRESSED and self._is_wrong(entry):
                    if mend:
                        l2[at] = entry ^ COPIED
                    yield f"guest cluster {l1_index * g.l2_entries + at // g.entry_words}"
            meta.l2_tables.trim()

    def _is_wrong(self, entry: int) -> bool:
        cluster = (entry & OFFSET_MASK) >> self._meta.g.cluster_bits
        alone = cluster > 0 and self._meta.refcounts.get(cluster) == 1
        return bool(entry & COPIED) != alone

    def _ensure_block(self, index: int) -> None:
        """Have a refcount block for a range that has clusters in use."""
        meta = self._meta
        if meta.refcounts.block(index) is not None:
            return
        if index >= len(meta.refcounts.table.words):
            raise StorageError(
                f"disk {meta.file.name} uses clusters that its refcount table cannot count; "
                "convert it"
            )
        first = index * meta.g.block_entries
        places = range(first, first + meta.g.block_entries)
        free = next((cluster for cluster in places if not self.references.count(cluster)), None)
        if free is None:
            raise StorageError(f"disk {meta.file.name} has no room for its counts; convert it")
        meta.refcounts.add_block(index, free)
        self.references.add(free)


def _wrong(first: int, counted: list[int], there: list[int]) -> Iterator[Wrong]:
    """The clusters of a block whose count differs from the references found."""
    for at, (count, found) in enumerate(zip(counted, there, strict=True)):
        if count != found:
            yield Wrong(first + at, count, found)


def check_qcow2(file: HostFile, repair: Repair | None = None) -> CheckReport:
    """Check an image's file, which is open for writing if it is to be repaired."""
    header = read_header(file)
    before = Checker(Metadata(file, header)).report()
    if repair is None:
        return before
    if header.version < 3 or header.refcount_order != layout.WRITTEN_REFCOUNT_ORDER:
        raise StorageError(f"disk {file.name} has a layout that is only read; convert it")
    meta = Metadata(file, header)
    Checker(meta).mend(repair)
    after = Checker(Metadata(file, header)).report()
    if not after.corruptions and repair is Repair.ALL and (header.is_dirty or header.is_corrupt):
        meta.write_header(incompatible=header.incompatible & ~(layout.DIRTY | layout.CORRUPT))
    return replace(
        after,
        corruptions_repaired=max(0, before.corruptions - after.corruptions),
        leaks_repaired=max(0, before.leaks - after.leaks),
    )

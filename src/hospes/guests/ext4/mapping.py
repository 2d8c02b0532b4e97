"""Where a file's blocks are: trees of extents, and the older maps of single blocks."""

import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

from hospes.guests.ext4.blocks import Blocks
from hospes.guests.ext4.checksum import crc32c
from hospes.guests.ext4.errors import FileSystemError, damaged
from hospes.guests.ext4.inode import Flag, Inode
from hospes.guests.ext4.superblock import Superblock

RUNS_MAX: Final = 1 << 16
NODES_MAX: Final = 1 << 13
MAGIC: Final = 0xF30A
DEPTH_MAX: Final = 5
WRITTEN_MAX: Final = 32768
"""Longer extents are so much longer, and hold nothing yet."""
DIRECT: Final = 12

_HEADER: Final = struct.Struct("<HHHH4x")
_EXTENT: Final = struct.Struct("<IHHI")
_INDEX: Final = struct.Struct("<IIHxx")


class Run(NamedTuple):
    """Blocks of a file that lie side by side; what is between runs reads as zeros."""

    logical: int
    length: int
    physical: int


class Mapper:
    """Finds the runs of a file."""

    def __init__(self, blocks: Blocks, super_: Superblock) -> None:
        self._blocks, self._super = blocks, super_

    def runs(self, inode: Inode) -> list[Run]:
        """All runs within the file's size, in order; FileSystemError beyond RUNS_MAX."""
        total = -(-inode.size_bytes // self._super.block_bytes)
        if inode.flags & Flag.EXTENTS:
            pieces = self._extents(inode, inode.map, None, total, _Position())
        else:
            pieces = self._mapped(inode, total)
        runs: list[Run] = []
        for run in pieces:
            before = runs[-1] if runs else None
            if before and _continues(before, run):
                runs[-1] = Run(before.logical, before.length + run.length, before.physical)
            elif len(runs) == RUNS_MAX:
                raise self._scattered(inode)
            else:
                runs.append(run)
        return runs

    def _extents(
        self, inode: Inode, node: bytes, depth: int | None, total: int, at: "_Position"
    ) -> Iterator[Run]:
        """The runs below a node. Every leaf adds to the file's blocks, which ends any circle."""
        magic, entries, room, own_depth = _HEADER.unpack_from(node)
        if magic != MAGIC or own_depth > DEPTH_MAX or depth not in (None, own_depth):
            raise self._wrong(inode, "has a tree of extents that is none")
        if entries > room or _HEADER.size * (1 + entries) > len(node):
            raise self._wrong(inode, "has more extents than fit")
        if entries == 0 and (depth is not None or own_depth):
            raise self._wrong(inode, "has an empty node in its tree of extents")
        at.nodes += 1
        at.extents += entries
        if at.nodes > NODES_MAX or at.extents > RUNS_MAX:
            raise self._scattered(inode)
        for number in range(entries):
            place = _HEADER.size * (1 + number)
            if own_depth == 0:
                logical, length, high, low = _EXTENT.unpack_from(node, place)
                written = length <= WRITTEN_MAX
                length -= 0 if written else WRITTEN_MAX
                if logical < at.next or not length:
                    raise self._wrong(inode, "has extents that overlap")
                at.next = logical + length
                if logical >= total:
                    return
                if written:
                    yield Run(logical, min(length, total - logical), high << 32 | low)
            else:
                logical, low, high = _INDEX.unpack_from(node, place)
                if logical < at.next:
                    raise self._wrong(inode, "has extents that overlap")
                if logical >= total:
                    return
                below = self._node(inode, high << 32 | low)
                yield from self._extents(inode, below, own_depth - 1, total, at)

    def _node(self, inode: Inode, block: int) -> bytes:
        data = self._blocks.read(block)
        if self._super.has_checksums:
            room = _HEADER.unpack_from(data)[2]
            tail = _HEADER.size * (1 + room)
            told = int.from_bytes(data[tail : tail + 4], "little")
            if tail + 4 > len(data) or crc32c(data[:tail], inode.seed) != told:
                raise self._wrong(inode, "has a wrong checksum in its tree of extents")
        return data

    def _mapped(self, inode: Inode, total: int) -> Iterator[Run]:
        """The map of ext2: twelve blocks, then one, two and three levels of tables."""
        places = struct.unpack("<15I", inode.map)
        for logical, physical in enumerate(places[: min(DIRECT, total)]):
            if physical:
                yield Run(logical, 1, physical)
        logical, span = DIRECT, 1
        for table in places[DIRECT:]:
            span *= self._super.block_bytes // 4
            if logical >= total:
                return
            yield from self._table(table, logical, span, total)
            logical += span

    def _table(self, block: int, logical: int, span: int, total: int) -> Iterator[Run]:
        """The runs that a table for `span` blocks gives."""
        if not block:
            return
        each = span // (self._super.block_bytes // 4)
        data = self._blocks.read(block)
        for number, (place,) in enumerate(struct.iter_unpack("<I", data)):
            first = logical + number * each
            if first >= total:
                return
            if place and each == 1:
                yield Run(first, 1, place)
            elif place:
                yield from self._table(place, first, each, total)

    def _scattered(self, inode: Inode) -> FileSystemError:
        return FileSystemError(
            f"inode {inode.number} on {self._blocks.name} lies in more than {RUNS_MAX} pieces; "
            "copy the file inside the guest and remove the old one"
        )

    def _wrong(self, inode: Inode, what: str) -> FileSystemError:
        return damaged(self._blocks.name, f"inode {inode.number} {what}")


class _Position:
    """The first block of a file that may still come, and what was looked at to get there."""

    next = 0
    extents = 0
    nodes = 0


def _continues(before: Run, run: Run) -> bool:
    """Whether a run begins where the one before it ends."""
    return (before.logical + before.length, before.physical + before.length) == (
        run.logical,
        run.physical,
    )

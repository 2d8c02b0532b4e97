"""The journal (jbd2): what a crash left in it is put in place of the blocks, in memory only."""

import struct
from bisect import bisect_right
from collections.abc import Iterator
from typing import Final, NamedTuple

from hospes.guests.ext4.blocks import Blocks
from hospes.guests.ext4.checksum import crc32c
from hospes.guests.ext4.errors import FileSystemError, damaged, unsupported
from hospes.guests.ext4.mapping import Run

MAGIC: Final = (0xC03B_3998).to_bytes(4, "big")
DESCRIPTOR, COMMIT, SUPERBLOCK_1, SUPERBLOCK_2, REVOKE = 1, 2, 3, 4, 5
HEADER_BYTES: Final = 12
TAIL_BYTES: Final = 4
COMMIT_CHECKSUM: Final = slice(16, 20)
ESCAPED, SAME_UUID, LAST_TAG = 1, 2, 8
REVOKES, BITS64, ASYNC_COMMIT, CHECKSUM_2, CHECKSUM_3 = 1, 2, 4, 8, 16
UUID_BYTES: Final = 16
LOOKED_MAX: Final = 1 << 15
KEPT_MAX: Final = 1 << 18


class Tag(NamedTuple):
    """A block in the journal: whose content it is, and where in the journal it lies."""

    target: int
    place: int
    flags: int
    checksum: int
    sequence: int


class Journal:
    """The journal's file, whose `runs` say where it lies; `replay` finds what is to be replaced.

    Then `block in journal` tells whether it has a newer content of a block, which `content` gives.
    """

    def __init__(self, blocks: Blocks, runs: list[Run], size_bytes: int) -> None:
        self._blocks = blocks
        self._runs = runs
        self._room = size_bytes // blocks.block_bytes
        self._newest: dict[int, Tag] = {}
        first = self._block(0)
        (kind,) = struct.unpack_from(">4xI", first)
        if first[:4] != MAGIC or kind not in (SUPERBLOCK_1, SUPERBLOCK_2):
            raise self._wrong("has no superblock")
        fields = struct.unpack_from(">IIIII", first, HEADER_BYTES)
        size, self._length, self._first, self._sequence, self._start = fields
        features = struct.unpack_from(">I", first, 0x28)[0]
        self._features: int = features if kind == SUPERBLOCK_2 else 0
        self._is_checked = bool(self._features & (CHECKSUM_2 | CHECKSUM_3))
        self._check(first, size)
        self._seed = crc32c(first[0x30:0x40])

    def replay(self) -> None:
        """Go through the finished transactions; of each block the last content counts."""
        if not self._start:
            return
        revoked: dict[int, int] = {}
        newest: dict[int, Tag] = {}
        count = 0
        for tags, gone, sequence in self._transactions():
            revoked |= dict.fromkeys(gone, sequence)
            newest |= {tag.target: tag for tag in tags}
            count += len(tags)
            if max(count, len(revoked)) > KEPT_MAX:
                raise self._too_much()
        # What is revoked is revoked up to and including the transaction that says so.
        self._newest = {
            target: tag
            for target, tag in newest.items()
            if _after(tag.sequence, revoked.get(target))
        }

    def __contains__(self, block: int) -> bool:
        return block in self._newest

    def content(self, block: int) -> bytes:
        """What a block has become; the checksum covers the transaction's number too."""
        tag = self._newest[block]
        data = self._block(tag.place)
        if self._is_checked:
            crc = crc32c(data, crc32c(tag.sequence.to_bytes(4, "big"), self._seed))
            if (crc if self._features & CHECKSUM_3 else crc & 0xFFFF) != tag.checksum:
                raise self._wrong(f"has a wrong checksum for block {block}")
        return MAGIC + data[4:] if tag.flags & ESCAPED else data

    def _check(self, first: bytes, size: int) -> None:
        known = REVOKES | BITS64 | ASYNC_COMMIT | CHECKSUM_2 | CHECKSUM_3
        if self._features & ~known:
            raise unsupported(self._blocks.name, "a journal with fast commits, not yet replayed")
        if self._is_checked:
            zeroed = first[:0xFC] + bytes(4) + first[0x100:1024]
            if crc32c(zeroed) != int.from_bytes(first[0xFC:0x100], "big"):
                raise self._wrong("has a superblock with a wrong checksum")
        sound = size == self._blocks.block_bytes and 0 < self._first < self._length <= self._room
        if not sound or (self._start and not self._first <= self._start < self._length):
            raise self._wrong("contradicts itself")

    def _transactions(self) -> Iterator[tuple[list[Tag], list[int], int]]:
        """Tags, revoked blocks and number of each transaction that was finished, oldest first."""
        at, sequence, left = self._start, self._sequence, self._length
        tags: list[Tag] = []
        gone: list[int] = []
        for _ in range(LOOKED_MAX):
            data = self._block(at)
            kind, own = struct.unpack_from(">4xII", data)
            at, left = self._next(at), left - 1
            if data[:4] != MAGIC or own != sequence or left < 0:
                return
            if kind == DESCRIPTOR and self._tail_is_right(data):
                found = list(self._tags(data, at, sequence))
                tags += found
                left -= len(found)
                at = self._next(at, len(found))
            elif kind == REVOKE and self._tail_is_right(data):
                gone += self._revoked(data)
            elif kind == COMMIT and self._commit_is_right(data):
                yield tags, gone, sequence
                tags, gone, sequence = [], [], (sequence + 1) & 0xFFFF_FFFF
            else:
                return
            if max(len(tags), len(gone)) > KEPT_MAX:
                break
        raise self._too_much()

    def _tags(self, data: bytes, at: int, sequence: int) -> Iterator[Tag]:
        """The tags of a descriptor block, whose contents follow it in the journal."""
        size = self._tag_bytes()
        place = HEADER_BYTES
        end = len(data) - (TAIL_BYTES if self._is_checked else 0)
        while place + size <= end:
            if self._features & CHECKSUM_3:
                low, flags, high, checksum = struct.unpack_from(">IIII", data, place)
            else:
                low, checksum, flags = struct.unpack_from(">IHH", data, place)
                wide = self._features & BITS64
                high = int.from_bytes(data[place + 8 : place + 12], "big") if wide else 0
            high = high if self._features & BITS64 else 0
            yield Tag(high << 32 | low, at, flags, checksum, sequence)
            at = self._next(at)
            place += size + (0 if flags & SAME_UUID else UUID_BYTES)
            if flags & LAST_TAG:
                return

    def _tag_bytes(self) -> int:
        if self._features & CHECKSUM_3:
            return 16
        size = 12 + (2 if self._features & CHECKSUM_2 else 0)
        return size if self._features & BITS64 else size - 4

    def _revoked(self, data: bytes) -> Iterator[int]:
        size = 8 if self._features & BITS64 else 4
        end = int.from_bytes(data[12:16], "big")
        room = len(data) - (TAIL_BYTES if self._is_checked else 0)
        for place in range(16, min(end, room) - size + 1, size):
            yield int.from_bytes(data[place : place + size], "big")

    def _tail_is_right(self, data: bytes) -> bool:
        if not self._is_checked:
            return True
        told = int.from_bytes(data[-TAIL_BYTES:], "big")
        return crc32c(data[:-TAIL_BYTES] + bytes(TAIL_BYTES), self._seed) == told

    def _commit_is_right(self, data: bytes) -> bool:
        if not self._is_checked:
            return True
        told = int.from_bytes(data[COMMIT_CHECKSUM], "big")
        zeroed = data[: COMMIT_CHECKSUM.start] + bytes(4) + data[COMMIT_CHECKSUM.stop :]
        return crc32c(zeroed, self._seed) == told

    def _block(self, number: int) -> bytes:
        """A block of the journal's file, from the disk itself."""
        index = bisect_right(self._runs, number, key=lambda run: run.logical) - 1
        run = self._runs[index] if index >= 0 else Run(0, 0, 0)
        if number >= run.logical + run.length:
            raise self._wrong("has holes")
        return self._blocks.read(run.physical + number - run.logical)

    def _next(self, at: int, steps: int = 1) -> int:
        """So many blocks further; after the last comes the first."""
        at += steps
        while at >= self._length:
            at -= self._length - self._first
        return at

    def _too_much(self) -> FileSystemError:
        return unsupported(self._blocks.name, "an unusually long journal to replay")

    def _wrong(self, what: str) -> FileSystemError:
        return damaged(self._blocks.name, f"its journal {what}")


def _after(sequence: int, revoked: int | None) -> bool:
    """Whether a transaction came after a revocation; numbers go round at 32 bits."""
    return revoked is None or 0 < (sequence - revoked) & 0xFFFF_FFFF < 1 << 31

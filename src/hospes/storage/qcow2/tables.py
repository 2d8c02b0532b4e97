"""Tables of a qcow2 file in memory: big-endian numbers, which sectors changed, a bounded cache."""

import sys
from array import array
from collections.abc import Iterator
from itertools import groupby
from typing import Final

from hospes.storage.errors import DamagedImageError
from hospes.storage.host_file import HostFile
from hospes.storage.qcow2.layout import SECTOR_BYTES

_SWAP: Final = sys.byteorder == "little"
_TYPES: Final = {3: "B", 4: "H", 5: "I", 6: "Q"}


def unpack(data: bytes, order: int = 6) -> "array[int]":
    """Numbers of 2**order bits, big-endian (below a byte: least significant bits first)."""
    if order < 3:
        width, mask = 1 << order, (1 << (1 << order)) - 1
        numbers = (byte >> shift & mask for byte in data for shift in range(0, 8, width))
        return array("B", numbers)
    words = array(_TYPES[order])
    words.frombytes(data)
    if _SWAP:
        words.byteswap()
    return words


def pack(words: "array[int]") -> bytes:
    """The numbers, big-endian."""
    if _SWAP:
        words = words[:]
        words.byteswap()
    return words.tobytes()


def read_words(file: HostFile, offset: int, count: int) -> "array[int]":
    """That many u64; DamagedImageError where the file ends too early."""
    data = file.read(offset, count * 8)
    if len(data) < count * 8:
        raise DamagedImageError(
            f"disk {file.name} ends within a table at {offset}; restore it from a copy or try "
            "'hospes disk check'"
        )
    return unpack(data)


class Table:
    """One table at its place in the file; `dirty` holds the numbers of its changed sectors.

    A fresh table is one that nothing on the disk refers to yet: it is written whole.
    """

    __slots__ = ("dirty", "fresh", "offset", "sector_shift", "words")

    def __init__(self, offset: int, words: "array[int]", *, fresh: bool = False) -> None:
        self.offset, self.words, self.fresh = offset, words, fresh
        self.dirty: set[int] = set()
        self.sector_shift = (SECTOR_BYTES // words.itemsize).bit_length() - 1

    def __getitem__(self, index: int) -> int:
        return self.words[index]

    def __setitem__(self, index: int, value: int) -> None:
        self.words[index] = value
        self.dirty.add(index >> self.sector_shift)

    @property
    def is_dirty(self) -> bool:
        """Whether the file does not hold what the memory does."""
        return self.fresh or bool(self.dirty)

    def write_to(self, file: HostFile) -> None:
        """Write what changed; marked clean once that is done."""
        if self.fresh:
            file.write(self.offset, pack(self.words))
            self.dirty.clear()
            return
        per_sector = 1 << self.sector_shift
        for first, last in runs(sorted(self.dirty)):
            words = self.words[first * per_sector : (last + 1) * per_sector]
            file.write(self.offset + first * SECTOR_BYTES, pack(words))
        self.dirty.clear()


def runs(numbers: list[int]) -> Iterator[tuple[int, int]]:
    """(first, last) of each run of consecutive numbers in a sorted list."""
    for _, group in groupby(enumerate(numbers), lambda pair: pair[1] - pair[0]):
        run = [number for _, number in group]
        yield run[0], run[-1]


class TableCache:
    """Tables by their offset, least recently used first; only clean ones are ever dropped."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._tables: dict[int, Table] = {}

    def find(self, offset: int) -> Table | None:
        """The table at an offset, which thereby becomes the most recently used."""
        table = self._tables.pop(offset, None)
        if table is not None:
            self._tables[offset] = table
        return table

    def add(self, table: Table) -> Table:
        """Keep a table."""
        self._tables[table.offset] = table
        return table

    def drop(self, offset: int) -> None:
        """Forget a table, changed or not: it is no longer part of the image."""
        self._tables.pop(offset, None)

    def dirty(self) -> list[Table]:
        """Tables whose content the file does not have, by place."""
        changed = [table for table in self._tables.values() if table.is_dirty]
        return sorted(changed, key=lambda table: table.offset)

    def trim(self) -> bool:
        """Drop clean tables beyond the capacity; False if changed ones are too many to."""
        excess = len(self._tables) - self._capacity
        if excess <= 0:
            return True
        clean = [table.offset for table in self._tables.values() if not table.is_dirty]
        for offset in clean[:excess]:
            del self._tables[offset]
        return len(clean) >= excess

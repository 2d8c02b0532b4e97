"""The partitions of a disk: GPT (UEFI specification 2.10, chapter 5) and MBR."""

import struct
import zlib
from collections.abc import Iterator
from typing import Final, Protocol

SECTOR_BYTES: Final = 512
GPT_SIGNATURE: Final = b"EFI PART"
ENTRIES_MAX: Final = 1024
ENTRY_BYTES_MAX: Final = 4096
LOGICAL_MAX: Final = 64
BOOT_SIGNATURE: Final = b"\x55\xaa"
PROTECTIVE: Final = 0xEE
EXTENDED: Final = (0x05, 0x0F, 0x85)

_GPT: Final = struct.Struct("<8sIIIIQQQQ16sQIII")
_ENTRY: Final = struct.Struct("<16s16sQQQ72s")
_MBR: Final = struct.Struct("<B3xB3xII")


class Volume(Protocol):
    """Bytes at offsets: a disk or a part of one; errors are HospesErrors."""

    @property
    def name(self) -> str:
        """For messages."""
        ...

    @property
    def size_bytes(self) -> int:
        """How many there are."""
        ...

    def read(self, offset: int, length: int, /) -> bytes:
        """Exactly length bytes."""
        ...


class Partition:
    """A part of a disk, itself a Volume."""

    def __init__(self, disk: Volume, number: int, start: int, size_bytes: int) -> None:
        self._disk, self.number, self.start, self._size = disk, number, start, size_bytes

    @property
    def name(self) -> str:
        return f"partition {self.number} of {self._disk.name}"

    @property
    def size_bytes(self) -> int:
        return self._size

    def read(self, offset: int, length: int, /) -> bytes:
        # A length beyond the disk's end is refused by the disk itself.
        inside = offset >= 0 and offset + length <= self._size
        return self._disk.read(self.start + offset if inside else self._disk.size_bytes, length)


def partitions(disk: Volume) -> list[Partition]:
    """The partitions that lie inside the disk, in their order; none if it has no valid table."""
    if disk.size_bytes < 2 * SECTOR_BYTES:
        return []
    record = disk.read(0, SECTOR_BYTES)
    if not record.endswith(BOOT_SIGNATURE):
        return []
    kinds = [kind for _, kind, _, _ in _records(record)]
    found = _gpt(disk) if PROTECTIVE in kinds else _mbr(disk, record)
    sectors = disk.size_bytes // SECTOR_BYTES
    return [
        Partition(disk, number, start * SECTOR_BYTES, count * SECTOR_BYTES)
        for number, start, count in sorted(found)
        if start > 0 and count > 0 and start + count <= sectors
    ]


def _records(sector: bytes) -> list[tuple[int, int, int, int]]:
    """The four records of a boot sector: flags, kind, first sector, sectors."""
    return [_MBR.unpack_from(sector, 446 + 16 * number) for number in range(4)]


def _mbr(disk: Volume, sector: bytes) -> Iterator[tuple[int, int, int]]:
    """Number, first sector and sectors; logical partitions are numbered from 5."""
    for number, (_, kind, start, count) in enumerate(_records(sector), 1):
        if kind in EXTENDED:
            yield from _logical(disk, start)
        elif kind:
            yield number, start, count


def _logical(disk: Volume, extended: int) -> Iterator[tuple[int, int, int]]:
    """A chain of boot sectors, each with a partition and a link to the next."""
    at = extended
    for number in range(5, 5 + LOGICAL_MAX):
        if not 0 < at < disk.size_bytes // SECTOR_BYTES:
            return
        sector = disk.read(at * SECTOR_BYTES, SECTOR_BYTES)
        if not sector.endswith(BOOT_SIGNATURE):
            return
        (_, kind, start, count), (_, _, link, _) = _records(sector)[:2]
        if kind:
            yield number, at + start, count
        if not link:
            return
        at = extended + link


def _gpt(disk: Volume) -> Iterator[tuple[int, int, int]]:
    """From the first header, or the one at the disk's end if that is damaged."""
    last = disk.size_bytes // SECTOR_BYTES - 1
    for sector in (1, last):
        entries = _gpt_entries(disk, sector)
        if entries is not None:
            return entries
    return iter(())


def _gpt_entries(disk: Volume, sector: int) -> Iterator[tuple[int, int, int]] | None:
    """The entries that a header at this sector describes; None if a checksum is wrong."""
    header = disk.read(sector * SECTOR_BYTES, SECTOR_BYTES)
    signature, _, size, checksum, _, own, _, _, _, _, table, count, each, told = _GPT.unpack_from(
        header
    )
    if signature != GPT_SIGNATURE or own != sector or not _GPT.size <= size <= SECTOR_BYTES:
        return None
    if zlib.crc32(header[:16] + bytes(4) + header[20:size]) != checksum:
        return None
    if not 0 < count <= ENTRIES_MAX or not _ENTRY.size <= each <= ENTRY_BYTES_MAX:
        return None
    if (table * SECTOR_BYTES) + count * each > disk.size_bytes:
        return None
    entries = disk.read(table * SECTOR_BYTES, count * each)
    if zlib.crc32(entries) != told:
        return None
    return _used(entries, each)


def _used(entries: bytes, each: int) -> Iterator[tuple[int, int, int]]:
    for number in range(len(entries) // each):
        kind, _, first, last, _, _ = _ENTRY.unpack_from(entries, number * each)
        if any(kind) and last >= first:
            yield number + 1, first, last - first + 1

"""Dirty bitmaps in a qcow2 image: where they lie, so that their clusters are known to be in use."""

import struct
from collections.abc import Iterator
from typing import Final

from hospes.storage.errors import DamagedImageError
from hospes.storage.host_file import HostFile
from hospes.storage.qcow2.header import BITMAPS, Header
from hospes.storage.qcow2.layout import AUTOCLEAR_BITMAPS, OFFSET_MASK
from hospes.storage.qcow2.tables import unpack

_EXTENSION: Final = struct.Struct(">IIQQ")
_ENTRY: Final = struct.Struct(">QIIBBHI")
_DIRECTORY_MAX_BYTES: Final = 64 << 20
_TABLE_MAX_BYTES: Final = 32 << 20

Range = tuple[str, int, int]
"""What lies there, offset and length in bytes."""


def bitmap_ranges(file: HostFile, header: Header) -> Iterator[Range]:
    """The bytes of the directory, the tables and the data, if they are said to be valid."""
    data = header.extension(BITMAPS)
    if data is None or not header.autoclear & AUTOCLEAR_BITMAPS:
        return
    if len(data) < _EXTENSION.size:
        raise _damaged(file, f"extension of {len(data)} bytes")
    count, _, length, offset = _EXTENSION.unpack_from(data)
    if length > _DIRECTORY_MAX_BYTES or offset % header.geometry.cluster_bytes:
        raise _damaged(file, f"directory of {length} bytes at {offset}")
    yield "bitmap directory", offset, length
    directory = file.read(offset, length)
    at = 0
    for _ in range(count):
        if at + _ENTRY.size > len(directory):
            raise _damaged(file, f"directory with fewer than {count} entries")
        table_offset, entries, _, _, _, name_bytes, extra_bytes = _ENTRY.unpack_from(directory, at)
        at += _ENTRY.size + name_bytes + extra_bytes
        at += -at % 8
        yield from _table_ranges(file, header, table_offset, entries)


def _table_ranges(file: HostFile, header: Header, offset: int, entries: int) -> Iterator[Range]:
    if 8 * entries > _TABLE_MAX_BYTES or offset % header.geometry.cluster_bytes:
        raise _damaged(file, f"table of {entries} entries at {offset}")
    yield "bitmap table", offset, 8 * entries
    data = file.read(offset, 8 * entries)
    for entry in unpack(data[: len(data) // 8 * 8]):
        if entry & OFFSET_MASK:
            yield "bitmap", entry & OFFSET_MASK, header.geometry.cluster_bytes


def _damaged(file: HostFile, what: str) -> DamagedImageError:
    return DamagedImageError(f"disk {file.name} has a bitmap {what}, which cannot be")

"""The snapshot table of a qcow2 image, which is read and kept, never changed."""

import struct
from dataclasses import dataclass
from typing import Final

from hospes.storage.errors import DamagedImageError
from hospes.storage.host_file import HostFile
from hospes.storage.qcow2 import layout
from hospes.storage.qcow2.header import Header

_ENTRY: Final = struct.Struct(">QIHHIIQII")
_SIZES: Final = struct.Struct(">QQ")
_EXTRA_MAX_BYTES: Final = 1024


@dataclass(frozen=True)
class Snapshot:
    """One internal snapshot; `disk_bytes` is None where an old image does not tell it."""

    id: str
    name: str
    l1_offset: int
    l1_size: int
    disk_bytes: int | None


@dataclass(frozen=True)
class SnapshotTable:
    """All internal snapshots, and the bytes of the file their table occupies."""

    snapshots: tuple[Snapshot, ...]
    offset: int
    length: int


def read_snapshots(file: HostFile, header: Header) -> SnapshotTable:
    """The snapshot table; DamagedImageError if it cannot be."""
    found: list[Snapshot] = []
    at = start = header.snapshots_offset
    if header.snapshot_count and start % header.geometry.cluster_bytes:
        raise _damaged(file.name, f"starts at {start}")
    size = file.size()
    for number in range(header.snapshot_count):
        snapshot, length = _read_entry(file, at, number)
        l1_end = snapshot.l1_offset + 8 * snapshot.l1_size
        misplaced = snapshot.l1_offset % header.geometry.cluster_bytes
        if misplaced or 8 * snapshot.l1_size > layout.L1_MAX_BYTES or l1_end > size:
            raise _damaged(file.name, f"has an L1 table at {snapshot.l1_offset} in it")
        found.append(snapshot)
        at += length
    return SnapshotTable(tuple(found), start, at - start)


def _read_entry(file: HostFile, at: int, number: int) -> tuple[Snapshot, int]:
    fixed = file.read(at, _ENTRY.size)
    if len(fixed) < _ENTRY.size:
        raise _damaged(file.name, f"ends before entry {number}")
    l1_offset, l1_size, id_bytes, name_bytes, *_, extra_bytes = _ENTRY.unpack(fixed)
    if extra_bytes > _EXTRA_MAX_BYTES:
        raise _damaged(file.name, f"has {extra_bytes} bytes of extra data in entry {number}")
    rest = file.read(at + _ENTRY.size, extra_bytes + id_bytes + name_bytes)
    if len(rest) < extra_bytes + id_bytes + name_bytes:
        raise _damaged(file.name, f"ends within entry {number}")
    disk = _SIZES.unpack_from(rest)[1] if extra_bytes >= _SIZES.size else None
    texts = rest[extra_bytes:]
    length = _ENTRY.size + len(rest)
    snapshot = Snapshot(
        texts[:id_bytes].decode("utf-8", "replace"),
        texts[id_bytes:].decode("utf-8", "replace"),
        l1_offset,
        l1_size,
        disk,
    )
    return snapshot, length + -length % 8


def _damaged(name: str, what: str) -> DamagedImageError:
    return DamagedImageError(
        f"disk {name} has a snapshot table that {what}; restore it from a copy"
    )

"""Changing a qcow2 image's size: everything is prepared, then one sector of the header decides."""

from collections.abc import Callable
from typing import Final

from hospes.storage.errors import StorageError
from hospes.storage.qcow2 import layout
from hospes.storage.qcow2.metadata import Metadata
from hospes.storage.qcow2.regions import allocate_contiguous
from hospes.storage.qcow2.tables import Table
from hospes.storage.qcow2.zeroing import Zeroer

_ENTRY_BYTES: Final = 8

ZeroRange = Callable[[int, int], None]
"""Makes (offset, length) read as zeros."""


def grow(meta: Metadata, zero: ZeroRange, size_bytes: int) -> None:
    """Make the disk larger; what is added reads as zeros, whatever lies there or behind it."""
    old = meta.header.size_bytes
    check_size(meta, size_bytes)
    _enlarge_l1(meta, meta.g.l1_entries(size_bytes))
    whole = meta.g.clusters(size_bytes) << meta.g.cluster_bits
    zero(old, whole - old)
    meta.commit()
    meta.write_header(size_bytes=size_bytes)


def shrink(meta: Metadata, zeroer: Zeroer, size_bytes: int) -> None:
    """Make the disk smaller, then let go of what was cut off."""
    if meta.header.snapshot_count:
        raise StorageError(
            f"disk {meta.file.name} has {meta.header.snapshot_count} internal snapshots and "
            "cannot be made smaller; convert it first"
        )
    meta.commit()
    meta.write_header(size_bytes=size_bytes)
    first = meta.g.clusters(size_bytes)
    zeroer.forget(first)
    meta.commit()


def check_size(meta: Metadata, size_bytes: int) -> None:
    """StorageError if the format cannot have a disk of that size."""
    largest = layout.L1_MAX_BYTES // _ENTRY_BYTES * meta.g.l2_span
    if size_bytes > largest:
        raise StorageError(
            f"disk {meta.file.name} cannot have {size_bytes} bytes; with clusters of "
            f"{meta.g.cluster_bytes} bytes the most is {largest}"
        )


def _enlarge_l1(meta: Metadata, entries: int) -> None:
    """Move the L1 table to a larger place, if it has too few entries."""
    old = meta.l1
    if entries <= len(old.words):
        return
    count = meta.g.clusters(entries * _ENTRY_BYTES)
    first = allocate_contiguous(meta, count)
    try:
        meta.commit()
        words = old.words[:]
        words.frombytes(bytes((entries - len(words)) * _ENTRY_BYTES))
        fresh = Table(first << meta.g.cluster_bits, words, fresh=True)
        fresh.write_to(meta.file)
        meta.write_header(l1_offset=fresh.offset, l1_size=entries)
    except BaseException:
        meta.refcounts.release(range(first, first + count))
        raise
    fresh.fresh = False
    meta.l1 = fresh
    meta.refcounts.reserved.update(range(first, first + count))
    meta.release(*meta.clusters(old.offset, _ENTRY_BYTES * len(old.words)))

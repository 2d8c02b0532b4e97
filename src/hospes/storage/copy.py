"""Copying a disk's content without copying its zeros."""

from collections.abc import Iterator
from typing import Final

from hospes.base.progress import Progress, silent
from hospes.storage.block import BlockDevice, Kind, is_zero, pieces
from hospes.storage.map import content
from hospes.storage.qcow2.image import Qcow2Image

CHUNK_BYTES: Final = 2 << 20
GRAIN_BYTES: Final = 1 << 16
EMPTY: Final = frozenset({Kind.ZERO, Kind.UNALLOCATED})


def copy_disk(source: BlockDevice, target: BlockDevice, progress: Progress = silent) -> None:
    """Write what the source holds to a target that reads as zeros."""
    for offset, data in stored(source, CHUNK_BYTES):
        for start, length in _filled(data):
            target.write(offset + start, memoryview(data)[start : start + length])
        progress("Copying", offset + len(data), source.size_bytes)
    progress("Copying", source.size_bytes, source.size_bytes)


def copy_compressed(source: BlockDevice, target: Qcow2Image, progress: Progress = silent) -> None:
    """As `copy_disk`, with every cluster compressed that becomes smaller by it."""
    size = target.meta.g.cluster_bytes
    for offset, data in stored(source, size):
        if not is_zero(data):
            target.write_compressed(offset, data.ljust(size, b"\0"))
        progress("Compressing", offset + len(data), source.size_bytes)
    progress("Compressing", source.size_bytes, source.size_bytes)


def stored(source: BlockDevice, unit: int) -> Iterator[tuple[int, bytes]]:
    """(offset, data) of every unit-aligned part of the disk that is not known to be empty."""
    done = 0
    for extent, _, _ in content(source, 0, source.size_bytes):
        end = extent.offset + extent.length
        if extent.kind in EMPTY or end <= done:
            continue
        start = max(done, extent.offset - extent.offset % unit)
        end = min(source.size_bytes, -(-end // unit) * unit)
        for offset, length in pieces(start, end - start, unit):
            yield offset, source.read(offset, length)
        done = end


def _filled(data: bytes) -> Iterator[tuple[int, int]]:
    """(start, length) of the runs of grains that are not all zeros."""
    if is_zero(data):
        return
    begun: int | None = None
    view = memoryview(data)
    for start, length in pieces(0, len(data), GRAIN_BYTES):
        empty = is_zero(view[start : start + length])
        if empty and begun is not None:
            yield begun, start - begun
            begun = None
        elif not empty and begun is None:
            begun = start
    if begun is not None:
        yield begun, len(data) - begun

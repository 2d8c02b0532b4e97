"""Basing an image on another: safely, so that it shows what it showed, or by name only."""

from collections.abc import Iterator
from pathlib import Path

from hospes.base.progress import Progress, silent
from hospes.spec.disk import DiskFormat
from hospes.storage.block import BlockDevice, Kind, pieces, zeros
from hospes.storage.chain import (
    Surroundings,
    backing_name,
    check_place,
    open_chain,
    open_image,
)
from hospes.storage.copy import CHUNK_BYTES, EMPTY
from hospes.storage.errors import StorageError
from hospes.storage.formats import format_of
from hospes.storage.map import content
from hospes.storage.qcow2.image import Qcow2Image, open_qcow2


def rebase_image(
    path: Path,
    backing: Path | None,
    format: DiskFormat | None = None,
    *,
    backing_format: DiskFormat | None = None,
    unsafe: bool = False,
    around: Surroundings | None = None,
    progress: Progress = silent,
) -> None:
    """Base an image on another file, or with None on nothing.

    With unsafe only the name changes: right if the file was moved or renamed, and the only way if
    the old one is gone.
    """
    around = around or Surroundings()
    if format_of(path, format) is DiskFormat.RAW:
        raise StorageError(f"disk {path} is raw and is based on nothing; convert it to qcow2 first")
    if backing is not None:
        backing_format = format_of(backing, backing_format)
        check_place(path, backing, around)
    image = _open(path, around, unsafe=unsafe)
    try:
        if not unsafe:
            _keep_content(image, backing, backing_format, around, progress)
        name = backing_name(path, backing, around) if backing else None
        image.change_backing(name, backing_format)
    finally:
        image.close()


def _open(path: Path, around: Surroundings, *, unsafe: bool) -> Qcow2Image:
    if unsafe:
        file = around.files.open(around.files.resolve(path), writable=True)
        return open_qcow2(file, writable=True)
    image = open_chain(path, DiskFormat.QCOW2, writable_layers=1, around=around)[0].device
    assert isinstance(image, Qcow2Image)
    return image


def _keep_content(
    image: Qcow2Image,
    backing: Path | None,
    kind: DiskFormat | None,
    around: Surroundings,
    progress: Progress,
) -> None:
    """Copy into the image whatever would look different over the new backing file."""
    base = open_image(backing, kind, around=around) if backing else None
    try:
        for extent in image.extents(0, image.size_bytes):
            if extent.kind is Kind.UNALLOCATED:
                for offset, length in _held((image.backing, base), extent.offset, extent.length):
                    _copy_up(image, base, offset, length)
            progress("Rebasing", extent.offset + extent.length, image.size_bytes)
        image.flush()
    finally:
        if base is not None:
            base.close()


def _held(
    devices: tuple[BlockDevice | None, ...], offset: int, length: int
) -> Iterator[tuple[int, int]]:
    """(offset, length) of bounded parts of a range where one of the devices may hold data."""
    found: list[tuple[int, int]] = []
    for device in devices:
        there = max(0, min(length, device.size_bytes - offset)) if device else 0
        if device is not None and there:
            kept = (e for e, _, _ in content(device, offset, there) if e.kind not in EMPTY)
            found += [(extent.offset, extent.offset + extent.length) for extent in kept]
    done = offset
    for start, end in sorted(found):
        begin = max(start, done)
        yield from pieces(begin, max(0, end - begin), CHUNK_BYTES)
        done = max(done, end)


def _copy_up(image: Qcow2Image, base: BlockDevice | None, offset: int, length: int) -> None:
    """Compare cluster by cluster, because a change copies a whole cluster."""
    old = image.read(offset, length)
    there = max(0, min(length, base.size_bytes - offset)) if base else 0
    new = (base.read(offset, there) if base and there else b"") + zeros(length - there)
    if old == new:
        return
    for at, size in pieces(offset, length, image.meta.g.cluster_bytes):
        part = slice(at - offset, at - offset + size)
        if old[part] != new[part]:
            image.write(at, old[part])

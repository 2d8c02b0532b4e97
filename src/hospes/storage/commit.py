"""Committing an image: what it holds goes down into its backing image, and it becomes empty.

At every moment the image shows the same content: it is emptied only once its backing image has
everything on the host's disk.
"""

from pathlib import Path

from hospes.base.progress import Progress, silent
from hospes.spec.disk import DiskFormat
from hospes.storage.block import BlockDevice, Kind, pieces
from hospes.storage.chain import Surroundings, open_chain
from hospes.storage.copy import CHUNK_BYTES
from hospes.storage.errors import StorageError
from hospes.storage.qcow2.image import Qcow2Image


def commit_image(
    path: Path,
    format: DiskFormat | None = None,
    *,
    around: Surroundings | None = None,
    progress: Progress = silent,
) -> None:
    """Move an image's content into the image it is based on."""
    layers = open_chain(path, format, writable_layers=2, around=around)
    top = layers[0].device
    try:
        backing = top.backing
        if not isinstance(top, Qcow2Image) or backing is None:
            raise StorageError(
                f"disk {path} is based on no other image, so there is nowhere to commit"
            )
        _copy_down(top, backing, progress)
        top.clear()
        top.flush()
    finally:
        top.close()


def _copy_down(top: BlockDevice, backing: BlockDevice, progress: Progress) -> None:
    if backing.size_bytes < top.size_bytes:
        backing.resize(top.size_bytes)
    for extent in top.extents(0, top.size_bytes):
        if extent.kind is Kind.ZERO:
            backing.write_zeroes(extent.offset, extent.length, unmap=True)
        elif extent.kind is not Kind.UNALLOCATED:
            for offset, length in pieces(extent.offset, extent.length, CHUNK_BYTES):
                backing.write(offset, top.read(offset, length))
        progress("Committing", extent.offset + extent.length, top.size_bytes)
    backing.flush()

"""What an image file says about itself."""

from dataclasses import dataclass
from pathlib import Path

from hospes.spec.disk import DiskFormat
from hospes.storage.chain import Surroundings
from hospes.storage.formats import format_of
from hospes.storage.qcow2 import layout
from hospes.storage.qcow2.header import Header, read_header


@dataclass(frozen=True)
class ImageInfo:
    """An image: the size its guest sees, what it occupies on the host, and how it is laid out."""

    file: str
    format: DiskFormat
    virtual_bytes: int
    disk_bytes: int
    cluster_bytes: int | None = None
    version: int | None = None
    compression: str | None = None
    subclusters: bool = False
    backing: str | None = None
    backing_format: str | None = None
    snapshots: int = 0
    dirty: bool = False
    corrupt: bool = False


def image_info(
    path: Path, format: DiskFormat | None = None, around: Surroundings | None = None
) -> ImageInfo:
    """What the file's header tells, also while a machine uses it."""
    around = around or Surroundings()
    kind = format_of(path, format)
    file = around.files.open(around.files.resolve(path), writable=False, locked=False)
    try:
        if kind is DiskFormat.RAW:
            return ImageInfo(str(path), kind, file.size(), file.allocated())
        return _qcow2_info(str(path), read_header(file), file.allocated())
    finally:
        file.close()


def _qcow2_info(name: str, header: Header, disk_bytes: int) -> ImageInfo:
    return ImageInfo(
        name,
        DiskFormat.QCOW2,
        header.size_bytes,
        disk_bytes,
        header.geometry.cluster_bytes,
        header.version,
        header.compression.name.lower(),
        bool(header.incompatible & layout.EXTENDED_L2),
        header.backing,
        header.backing_format,
        header.snapshot_count,
        header.is_dirty,
        header.is_corrupt,
    )

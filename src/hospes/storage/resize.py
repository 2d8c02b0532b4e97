"""Changing the size of an image in a file."""

from pathlib import Path

from hospes.spec.disk import DiskFormat, check_disk_size
from hospes.spec.size import format_size
from hospes.storage.chain import Surroundings, open_image
from hospes.storage.errors import StorageError


def resize_image(
    path: Path,
    size_bytes: int,
    format: DiskFormat | None = None,
    *,
    shrink: bool = False,
    around: Surroundings | None = None,
) -> None:
    """Give a disk a new size; making it smaller, which loses its end, has to be asked for."""
    check_disk_size(size_bytes)
    device = open_image(path, format, writable=True, around=around)
    try:
        if size_bytes < device.size_bytes and not shrink:
            raise StorageError(
                f"disk {path} would lose everything beyond {format_size(size_bytes)}; shrink the "
                "file systems on it first, then add --shrink"
            )
        device.resize(size_bytes)
        device.flush()
    finally:
        device.close()

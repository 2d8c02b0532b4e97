"""Converting an image: a new file with the disk's content, based on nothing."""

from pathlib import Path

from hospes.base.progress import Progress, silent
from hospes.spec.disk import DiskFormat
from hospes.storage.chain import Surroundings, open_image
from hospes.storage.copy import copy_compressed, copy_disk
from hospes.storage.create import new_file
from hospes.storage.errors import StorageError
from hospes.storage.formats import format_of
from hospes.storage.qcow2.image import open_qcow2
from hospes.storage.qcow2.making import Qcow2Options, make_qcow2
from hospes.storage.raw import RawImage


def convert_image(
    source: Path,
    target: Path,
    *,
    source_format: DiskFormat | None = None,
    target_format: DiskFormat | None = None,
    compressed: bool = False,
    options: Qcow2Options | None = None,
    around: Surroundings | None = None,
    progress: Progress = silent,
) -> None:
    """Write the source's disk to a new file, which appears when it is complete."""
    around = around or Surroundings()
    kind = format_of(target, target_format)
    if compressed and kind is DiskFormat.RAW:
        raise StorageError(f"disk {target} is raw and cannot be compressed; make it qcow2")
    disk = open_image(source, source_format, around=around)
    try:
        with new_file(target, around) as file:
            if kind is DiskFormat.RAW:
                file.truncate(disk.size_bytes)
                copy_disk(disk, RawImage(file, writable=True), progress)
                return
            make_qcow2(file, disk.size_bytes, options or Qcow2Options())
            image = open_qcow2(file, writable=True)
            if compressed:
                copy_compressed(disk, image, progress)
            else:
                copy_disk(disk, image, progress)
            image.finish()
    finally:
        disk.close()

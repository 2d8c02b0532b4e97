"""Making a new image: it appears under its name whole, or not at all."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from hospes.spec.disk import DiskFormat, check_disk_size
from hospes.storage.chain import Surroundings, backing_name, check_place, open_image
from hospes.storage.errors import StorageError
from hospes.storage.formats import format_of
from hospes.storage.host_file import NewFile
from hospes.storage.qcow2.making import Qcow2Options, make_qcow2


@contextmanager
def new_file(path: Path, around: Surroundings) -> Iterator[NewFile]:
    """A file that gets its name when the block is left without an error."""
    file = around.files.create(path)
    try:
        yield file
        file.publish()
    finally:
        file.abandon()
        file.close()


def create_image(
    path: Path,
    size_bytes: int | None,
    format: DiskFormat | None = None,
    *,
    backing: Path | None = None,
    backing_format: DiskFormat | None = None,
    options: Qcow2Options | None = None,
    around: Surroundings | None = None,
) -> None:
    """Make an empty image; with a backing file it shows that one's content, and has its size."""
    around = around or Surroundings()
    kind = format_of(path, format)
    options = options or Qcow2Options()
    if backing is not None:
        if kind is DiskFormat.RAW:
            raise StorageError(
                f"disk {path} is raw and cannot be based on {backing}; make it qcow2"
            )
        backing_format = format_of(backing, backing_format)
        check_place(path, backing, around)
        base_bytes = _size_of(backing, backing_format, around)
        size_bytes = base_bytes if size_bytes is None else size_bytes
        name = backing_name(path, backing, around)
        options = replace(options, backing=name, backing_format=str(backing_format))
    if size_bytes is None:
        raise StorageError(f"disk {path} needs a size; add --size")
    check_disk_size(size_bytes)
    with new_file(path, around) as file:
        if kind is DiskFormat.RAW:
            file.truncate(size_bytes)
        else:
            make_qcow2(file, size_bytes, options)


def _size_of(path: Path, kind: DiskFormat, around: Surroundings) -> int:
    device = open_image(path, kind, around=around)
    try:
        return device.size_bytes
    finally:
        device.close()

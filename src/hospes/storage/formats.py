"""Which format a file has: what the user or a header says, else its name; never its content.

A guest writes the content of its disks. If that decided how a file is read, a guest could have its
raw disk taken for an image that names other files of the host.
"""

from pathlib import Path
from typing import Final

from hospes.spec.disk import DiskFormat
from hospes.storage.errors import StorageError

BY_SUFFIX: Final = {".raw": DiskFormat.RAW, ".qcow2": DiskFormat.QCOW2}
FOREIGN: Final = {".vmdk": "vmdk", ".vhdx": "vhdx", ".vdi": "vdi"}


def format_of(path: Path, told: DiskFormat | None = None) -> DiskFormat:
    """The format of a file; StorageError if neither the caller nor its name tells."""
    found = told or BY_SUFFIX.get(path.suffix.lower())
    if found is not None:
        return found
    if path.suffix.lower() in FOREIGN:
        raise StorageError(
            f"disk {path} is in a foreign format; convert it with 'hospes disk convert' first"
        )
    raise StorageError(f"the name of {path} does not tell its format; say raw or qcow2")


def backing_format_of(image: str, path: Path, named: str | None) -> DiskFormat:
    """The format of a backing file: what the image's header says, else by the file's name."""
    if named is None:
        try:
            return format_of(path)
        except StorageError as error:
            raise StorageError(
                f"disk {image} does not name the format of its backing file {path}; rebase it with "
                "--unsafe and --backing-format"
            ) from error
    try:
        return DiskFormat(named)
    except ValueError as error:
        raise StorageError(
            f"disk {image} has a backing file of format {named!r}, which Hospes does not use; "
            "convert it with qemu-img"
        ) from error

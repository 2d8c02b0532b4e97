"""Checking an image in a file, and mending what can be mended."""

from pathlib import Path

from hospes.spec.disk import DiskFormat
from hospes.storage.chain import Surroundings
from hospes.storage.errors import StorageError
from hospes.storage.formats import format_of
from hospes.storage.qcow2.check import CheckReport, Repair, check_qcow2


def check_image(
    path: Path,
    format: DiskFormat | None = None,
    *,
    repair: str | None = None,
    around: Surroundings | None = None,
) -> CheckReport:
    """Check a qcow2 image; while it is repaired nobody else may use it."""
    around = around or Surroundings()
    if format_of(path, format) is DiskFormat.RAW:
        raise StorageError(f"disk {path} is raw, so there is nothing in it to check")
    if repair is not None and repair not in tuple(Repair):
        raise StorageError(f"{repair!r} cannot be repaired; choose {' or '.join(Repair)}")
    wanted = Repair(repair) if repair else None
    file = around.files.open(around.files.resolve(path), writable=wanted is not None)
    try:
        return check_qcow2(file, wanted)
    finally:
        file.close()

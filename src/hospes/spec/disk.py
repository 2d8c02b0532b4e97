"""What a user asks for when asking for a disk: a file, its format, or a size for a new one."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from hospes.base.errors import HospesError
from hospes.spec.size import parse_size

SECTOR_BYTES: Final = 512
SERIAL_MAX_BYTES: Final = 20


class DiskFormat(StrEnum):
    """Formats of disk images that machines use."""

    RAW = "raw"
    QCOW2 = "qcow2"


class VirtioBus(StrEnum):
    """Where a virtio device is plugged in."""

    MMIO = "mmio"
    PCI = "pci"


@dataclass(frozen=True)
class DiskSpec:
    """One disk: an existing image, or without a path a new one for this run.

    A new one has size_bytes, or begins with what is on the image `base`, which is only read. An
    existing one may have its backing file beside `base`.
    """

    path: Path | None = None
    format: DiskFormat | None = None
    size_bytes: int | None = None
    read_only: bool = False
    serial: str = ""
    bus: VirtioBus | None = None
    base: Path | None = None

    def __post_init__(self) -> None:
        if self.path is None and self.size_bytes is None and self.base is None:
            raise HospesError("a disk needs a file or a size; write it like data.qcow2 or size=20G")
        if self.path is not None and self.size_bytes is not None:
            raise HospesError(
                f"disk {self.path} has a size of its own; change it with 'hospes disk resize'"
            )
        if self.size_bytes is not None:
            check_disk_size(self.size_bytes)
            if self.read_only:
                raise HospesError("a new disk that is read-only holds nothing; leave one out")
        if not self.serial.isprintable() or len(self.serial.encode()) > SERIAL_MAX_BYTES:
            raise HospesError(
                f"a disk cannot have the serial {self.serial!r}; use up to {SERIAL_MAX_BYTES} bytes"
            )


def parse_disk(text: str) -> DiskSpec:
    """A disk from texts such as `data.qcow2`, `old.img,format=raw,bus=pci` or `size=20G`."""
    path, size, kind, read_only, serial, bus = None, None, None, False, "", None
    for number, part in enumerate(text.split(",")):
        key, equals, value = part.partition("=")
        if key == "size" and equals:
            size = parse_size(value, "disk size")
        elif key == "format" and equals:
            kind = parse_format(value)
        elif key == "serial" and equals:
            serial = value
        elif key == "bus" and equals:
            bus = _parse_bus(value)
        elif part == "readonly":
            read_only = True
        elif number == 0 and part:
            path = Path(part)
        else:
            raise HospesError(
                f"disk {text!r} has {part!r}; write a file, then format=, size=, serial=, "
                "bus= or readonly"
            )
    return DiskSpec(path, kind, size, read_only, serial, bus)


def parse_format(text: str) -> DiskFormat:
    """The format a word names."""
    try:
        return DiskFormat(text.lower())
    except ValueError as error:
        names = " or ".join(DiskFormat)
        raise HospesError(f"{text!r} is not a format of disks; choose {names}") from error


def _parse_bus(text: str) -> VirtioBus:
    try:
        return VirtioBus(text.lower())
    except ValueError as error:
        names = " or ".join(VirtioBus)
        raise HospesError(f"{text!r} is not a bus of disks; choose {names}") from error


def check_disk_size(size_bytes: int) -> None:
    """HospesError unless a disk may have that size."""
    if size_bytes <= 0 or size_bytes % SECTOR_BYTES:
        raise HospesError(
            f"a disk cannot have {size_bytes} bytes; ask for a multiple of {SECTOR_BYTES}"
        )

"""A small FAT16 volume with a few files in its root, as firmware and cloud-init read them.

After "FAT: General Overview of On-Disk Format", version 1.03.
"""

import struct
import zlib
from collections.abc import Mapping
from typing import Final

from hospes.base.errors import HospesError

SECTOR_BYTES: Final = 512
SECTORS: Final = 8192
"""Fewer than 4085 clusters of one sector would make it a FAT12."""
FAT_SECTORS: Final = 32
FATS: Final = 2
ROOT_ENTRIES: Final = 512
ROOT_SECTORS: Final = ROOT_ENTRIES * 32 // SECTOR_BYTES
DATA_SECTOR: Final = 1 + FATS * FAT_SECTORS + ROOT_SECTORS
CLUSTERS: Final = SECTORS - DATA_SECTOR
CAPACITY_BYTES: Final = CLUSTERS * SECTOR_BYTES
FIRST_CLUSTER: Final = 2
FIXED_DISK: Final = 0xF8
LAST_CLUSTER: Final = 0xFFFF
LABEL_BYTES: Final = 11
LONG_NAME_UNITS: Final = 13
VOLUME_LABEL, ARCHIVE, LONG_NAME = 0x08, 0x20, 0x0F
LAST_LONG_ENTRY: Final = 0x40
DATE: Final = 1 << 5 | 1
"""1 January 1980: the same files give the same volume."""

_BOOT: Final = struct.Struct("<3s8sHBHBHHBHHHIIBBBI11s8s")
_ENTRY: Final = struct.Struct("<11sBBBHHHHHHHI")
_LONG: Final = struct.Struct("<B10sBBB12sH4s")


def make_fat(label: str, files: Mapping[str, bytes]) -> bytes:
    """A volume of 4 MiB with these files; HospesError if they do not fit in."""
    fat = [0xFF00 | FIXED_DISK, LAST_CLUSTER]
    root = [_entry(label.encode().ljust(LABEL_BYTES), VOLUME_LABEL, 0, 0)]
    data = bytearray()
    for number, (name, content) in enumerate(files.items(), 1):
        short = _short_name(name, number)
        clusters = -(-len(content) // SECTOR_BYTES)
        first = len(fat) if clusters else 0
        fat += [len(fat) + step for step in range(1, clusters)]
        fat += [LAST_CLUSTER] if clusters else []
        root += [*_long_entries(name, short), _entry(short, ARCHIVE, first, len(content))]
        data += content.ljust(clusters * SECTOR_BYTES, b"\0")
    if len(data) > CAPACITY_BYTES or len(root) > ROOT_ENTRIES:
        raise HospesError(
            f"{len(data)} bytes do not fit on a disk for {label}, which holds {CAPACITY_BYTES}; "
            "give less"
        )
    table = struct.pack(f"<{len(fat)}H", *fat).ljust(FAT_SECTORS * SECTOR_BYTES, b"\0")
    names = b"".join(root).ljust(ROOT_SECTORS * SECTOR_BYTES, b"\0")
    volume = _boot_sector(label, zlib.crc32(data)) + FATS * table + names + data
    return volume.ljust(SECTORS * SECTOR_BYTES, b"\0")


def _boot_sector(label: str, identity: int) -> bytes:
    fields = _BOOT.pack(
        b"\xeb\x3c\x90", b"hospes  ", SECTOR_BYTES, 1, 1, FATS, ROOT_ENTRIES, SECTORS, FIXED_DISK,
        FAT_SECTORS, 32, 64, 0, 0, 0x80, 0, 0x29, identity, label.encode().ljust(LABEL_BYTES),
        b"FAT16   ",
    )  # fmt: skip
    return fields.ljust(SECTOR_BYTES - 2, b"\0") + b"\x55\xaa"


def _entry(name: bytes, attributes: int, cluster: int, size: int) -> bytes:
    return _ENTRY.pack(name, attributes, 0, 0, 0, DATE, DATE, 0, 0, DATE, cluster, size)


def _short_name(name: str, number: int) -> bytes:
    """A name of the old kind, which differs for every number."""
    tail = f"~{number}"
    plain = "".join(c for c in name.upper() if c.isascii() and (c.isalnum() or c in "-_"))
    return (plain[: 8 - len(tail)] + tail).ljust(LABEL_BYTES).encode()


def _long_entries(name: str, short: bytes) -> list[bytes]:
    """The name itself in UTF-16, 13 units to an entry, the last part first."""
    checksum = 0
    for byte in short:
        checksum = ((checksum & 1) << 7 | checksum >> 1) + byte & 0xFF
    text = name.encode("utf-16-le")
    count = -(-len(text) // (2 * LONG_NAME_UNITS))
    if len(text) % (2 * LONG_NAME_UNITS):
        text = (text + bytes(2)).ljust(count * 2 * LONG_NAME_UNITS, b"\xff")
    entries = []
    for number in range(count, 0, -1):
        part = text[(number - 1) * 2 * LONG_NAME_UNITS :][: 2 * LONG_NAME_UNITS]
        order = number | (LAST_LONG_ENTRY if number == count else 0)
        entries.append(
            _LONG.pack(order, part[:10], LONG_NAME, 0, checksum, part[10:22], 0, part[22:])
        )
    return entries

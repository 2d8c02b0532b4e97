"""ISO 9660 images with one directory of files, read by a guest as a read-only disk (ECMA-119).

Long names are Rock Ridge's NM entries (IEEE P1282), which Linux prefers to the short ones.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO, Final

from hospes.base.errors import HospesError

SECTOR_BYTES: Final = 2048
FIRST_DESCRIPTOR: Final = 16
FIRST_DATA: Final = 18
DIRECTORY_FLAG: Final = 2
LONGEST_NAME: Final = 160
FILE_MAX_BYTES: Final = (1 << 32) - 1
NO_DATE: Final = bytes([70, 1, 1, 0, 0, 0, 0])
NO_TIME: Final = b"0" * 16 + b"\0"
DIRECTORY_MODE: Final = 0o40555
FILE_MODE: Final = 0o100444
# What says that Rock Ridge is in use: the entries SP and ER of the directory's own record.
ANNOUNCEMENT: Final = b"SP\x07\x01\xbe\xef\x00" + b"ER\x12\x01\x0a\0\0\x01RRIP_1991A"


@dataclass(frozen=True)
class Extent:
    """Where a file lies: its name, first sector and length."""

    name: str
    sector: int
    size: int


class IsoWriter:
    """Writes an image to an empty, seekable file: `add` the files, then `finish`."""

    def __init__(self, out: BinaryIO, label: str) -> None:
        self.out = out
        self.label = label
        self.files: list[Extent] = []
        self._sector = FIRST_DATA

    def add(self, name: str, write: Callable[[BinaryIO], object]) -> None:
        """Add a file whose content `write` puts out from where the output stands."""
        if len(name.encode()) > LONGEST_NAME or "/" in name:
            raise HospesError(f"The file {name!r} cannot be put on a disk image; rename it.")
        start = self._sector * SECTOR_BYTES
        self.out.seek(start)
        write(self.out)
        size = max(self.out.seek(0, 2), start) - start
        if size > FILE_MAX_BYTES:
            raise HospesError(f"The file {name!r} has {size} bytes and would need less than 4G.")
        self.files.append(Extent(name, self._sector, size))
        self._sector += _sectors(size)

    def finish(self) -> None:
        """Write what makes the files an image, and pad it to whole sectors."""
        tables = self._sector
        root = tables + 2
        records = self._records(root, 0)
        records = self._records(root, len(records))
        self._put(tables, _path_table("<", root))
        self._put(tables + 1, _path_table(">", root))
        self._put(root, records)
        sectors = root + _sectors(len(records))
        self.out.truncate(sectors * SECTOR_BYTES)
        own = _record(b"\0", root, len(records), DIRECTORY_FLAG)
        self._put(FIRST_DESCRIPTOR, _primary(self.label, sectors, tables, own))
        self._put(FIRST_DESCRIPTOR + 1, b"\xffCD001\x01")

    def _put(self, sector: int, data: bytes) -> None:
        self.out.seek(sector * SECTOR_BYTES)
        self.out.write(data)

    def _records(self, root: int, size: int) -> bytes:
        """The directory's content; no record crosses a sector's end (ECMA-119 6.8.1.1)."""
        all_records = [
            _record(b"\0", root, size, DIRECTORY_FLAG, ANNOUNCEMENT),
            _record(b"\1", root, size, DIRECTORY_FLAG),
        ]
        for number, file in enumerate(self.files):
            short = b"F%07d.;1" % number
            all_records.append(_record(short, file.sector, file.size, 0, _long_name(file.name)))
        data = b""
        for record in all_records:
            left = -len(data) % SECTOR_BYTES
            data += (bytes(left) if left < len(record) else b"") + record
        return data.ljust(_sectors(len(data)) * SECTOR_BYTES, b"\0")


def _sectors(size: int) -> int:
    return -(-size // SECTOR_BYTES)


def _both(format: str, value: int) -> bytes:
    """A number in both byte orders (ECMA-119 7.2.3, 7.3.3)."""
    return struct.pack(f"<{format}", value) + struct.pack(f">{format}", value)


def _long_name(name: str) -> bytes:
    raw = name.encode()
    return b"NM" + bytes([5 + len(raw), 1, 0]) + raw


def _attributes(flags: int) -> bytes:
    """Rock Ridge's PX: anyone may read, root owns."""
    mode, links = (DIRECTORY_MODE, 2) if flags & DIRECTORY_FLAG else (FILE_MODE, 1)
    return b"PX\x24\x01" + b"".join(_both("I", value) for value in (mode, links, 0, 0))


def _record(name: bytes, sector: int, size: int, flags: int, system: bytes = b"") -> bytes:
    """A directory record (ECMA-119 9.1)."""
    padding = b"" if len(name) % 2 else b"\0"
    if len(name) > 1 or system:
        system += _attributes(flags)
    body = b"\0" + _both("I", sector) + _both("I", size) + NO_DATE + bytes([flags, 0, 0])
    body += _both("H", 1) + bytes([len(name)]) + name + padding + system
    body += bytes(1 - len(body) % 2)
    return bytes([len(body) + 1]) + body


def _path_table(order: str, root: int) -> bytes:
    return struct.pack(f"{order}BBIH2s", 1, 0, root, 1, b"\0\0")


def _primary(label: str, sectors: int, tables: int, root: bytes) -> bytes:
    """The primary volume descriptor (ECMA-119 8.4)."""
    text = b"\x01CD001\x01\0" + b"LINUX".ljust(32) + label.upper().encode().ljust(32) + bytes(8)
    text += _both("I", sectors) + bytes(32) + _both("H", 1) + _both("H", 1)
    text += _both("H", SECTOR_BYTES) + _both("I", 10)
    text += struct.pack("<II", tables, 0) + struct.pack(">II", tables + 1, 0) + root
    text += b" " * (128 * 4 + 37 * 3) + NO_TIME * 4 + b"\x01\0"
    return text.ljust(SECTOR_BYTES, b"\0")

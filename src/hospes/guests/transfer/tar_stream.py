"""The entries of a tar stream that a guest sends, without I/O and within bounds.

Of the formats (POSIX.1-2001 pax, GNU) what `tar --format=pax` writes is understood, and the long
names of GNU; sparse entries and continued volumes are refused.
"""

import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Final

from hospes.base.errors import GuestError

BLOCK: Final = 512
LONGEST_EXTENSION_BYTES: Final = 1 << 20
LARGEST_FILE_BYTES: Final = 1 << 62
WHOLE: Final = re.compile(r"[0-9]{1,20}")
SECONDS: Final = re.compile(r"(-?)([0-9]{1,11})(?:\.([0-9]{1,20}))?")


class EntryKind(Enum):
    """What an entry is."""

    FILE = "file"
    DIRECTORY = "directory"
    SYMLINK = "symbolic link"
    HARD_LINK = "hard link"
    SPECIAL = "device or FIFO"


KINDS: Final = {
    tarfile.REGTYPE: EntryKind.FILE,
    tarfile.AREGTYPE: EntryKind.FILE,
    tarfile.CONTTYPE: EntryKind.FILE,
    tarfile.DIRTYPE: EntryKind.DIRECTORY,
    tarfile.SYMTYPE: EntryKind.SYMLINK,
    tarfile.LNKTYPE: EntryKind.HARD_LINK,
    tarfile.CHRTYPE: EntryKind.SPECIAL,
    tarfile.BLKTYPE: EntryKind.SPECIAL,
    tarfile.FIFOTYPE: EntryKind.SPECIAL,
}
EXTENSIONS: Final = frozenset(
    (tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK)
)


@dataclass(frozen=True)
class Entry:
    """The beginning of an entry; a file's bytes follow."""

    name: str
    kind: EntryKind
    mode: int
    time_ns: int
    link: str
    size_bytes: int


@dataclass(frozen=True)
class Data:
    """A piece of the latest entry's bytes."""

    data: bytes


@dataclass(frozen=True)
class EntryEnd:
    """All of the latest entry has come."""


Event = Entry | Data | EntryEnd


class TarStream:
    """`feed` it the stream; GuestError when it is not what tar writes."""

    def __init__(self) -> None:
        self.ended = False
        self._buffer = bytearray()
        self._left = 0
        self._padding = 0
        self._inside = False
        self._extension: tuple[bytes, int] | None = None
        self._records: dict[str, str] = {}

    @property
    def complete(self) -> bool:
        """Whether the stream may end here."""
        return self.ended and not self._inside

    def feed(self, data: bytes) -> Iterator[Event]:
        """What the bytes bring; the iterator is to be used up before the next call."""
        if self.ended:
            return
        self._buffer += data
        while True:
            if self._inside:
                yield from self._take_data()
                if self._left or len(self._buffer) < self._padding:
                    return
                del self._buffer[: self._padding]
                self._inside = False
                yield EntryEnd()
            if self._extension is not None and not self._take_extension(*self._extension):
                return
            if len(self._buffer) < BLOCK or self.ended:
                return
            block = bytes(self._buffer[:BLOCK])
            del self._buffer[:BLOCK]
            entry = self._header(block)
            if entry is not None:
                yield entry

    def _take_data(self) -> Iterator[Data]:
        piece = bytes(self._buffer[: self._left])
        del self._buffer[: len(piece)]
        self._left -= len(piece)
        if piece:
            yield Data(piece)

    def _header(self, block: bytes) -> Entry | None:
        """The entry that a block begins; None for what only tells of the next one, or the end."""
        if not any(block):
            self.ended = True
            self._buffer.clear()
            return None
        try:
            info = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
        except (tarfile.TarError, ValueError):
            raise GuestError("it sent a damaged header") from None
        if info.type in EXTENSIONS:
            if not 0 <= info.size <= LONGEST_EXTENSION_BYTES:
                raise GuestError(f"it sent an extended header of {info.size} bytes")
            self._extension = (info.type, info.size)
            return None
        return self._entry(info)

    def _entry(self, info: tarfile.TarInfo) -> Entry:
        kind = KINDS.get(info.type)
        if kind is None or any(name.startswith("GNU.sparse") for name in self._records):
            raise GuestError(f"it sent an entry of unknown type {info.type!r}")
        try:
            size = _whole(self._records.get("size", str(info.size)))
            time_ns = _nanoseconds(self._records.get("mtime", str(int(info.mtime))))
        except ValueError:
            raise GuestError("it sent a damaged extended header") from None
        name = self._records.get("path", info.name)
        link = self._records.get("linkpath", info.linkname)
        self._records = {}
        size = size if kind is EntryKind.FILE else 0
        if size > LARGEST_FILE_BYTES:
            raise GuestError(f"it sent an entry of {size} bytes")
        self._left, self._padding, self._inside = size, -size % BLOCK, True
        return Entry(name, kind, info.mode & 0o7777, time_ns, link, size)

    def _take_extension(self, kind: bytes, size: int) -> bool:
        """Read what tells of the next entry; False while more of it is to come."""
        if len(self._buffer) < size + -size % BLOCK:
            return False
        body = bytes(self._buffer[:size])
        del self._buffer[: size + -size % BLOCK]
        self._extension = None
        if kind == tarfile.GNUTYPE_LONGNAME:
            self._records["path"] = _text(body.rstrip(b"\0"))
        elif kind == tarfile.GNUTYPE_LONGLINK:
            self._records["linkpath"] = _text(body.rstrip(b"\0"))
        elif kind == tarfile.XHDTYPE:
            self._records = pax_records(body)
        return True


def pax_records(body: bytes) -> dict[str, str]:
    """The records of a pax header: "LENGTH KEYWORD=VALUE\\n", the length that of the whole."""
    records = {}
    while body:
        length, space, _ = body.partition(b" ")
        size = int(length) if length.isdigit() and len(length) < 8 else 0
        record = body[len(length) + 1 : size - 1]
        keyword, equals, value = record.partition(b"=")
        if not space or not equals or body[size - 1 : size] != b"\n":
            raise GuestError("it sent a damaged extended header")
        records[_text(keyword)] = _text(value)
        body = body[size:]
    return records


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")


def _whole(text: str) -> int:
    if not WHOLE.fullmatch(text):
        raise ValueError(text)
    return int(text)


def _nanoseconds(text: str) -> int:
    """A time of a pax header, in decimal seconds since 1970."""
    match = SECONDS.fullmatch(text)
    if match is None:
        raise ValueError(text)
    time_ns = int(match[2]) * 10**9 + int((match[3] or "").ljust(9, "0")[:9])
    return -time_ns if match[1] else time_ns

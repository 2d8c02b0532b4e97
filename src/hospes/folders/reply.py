"""The answers of 9P2000.L: their bodies, which follow the header."""

import struct
from collections.abc import Sequence
from typing import Final, NamedTuple

from hospes.folders.request import HEADER

ERROR: Final = 7
_QID: Final = struct.Struct("<BIQ")
_OPENED: Final = struct.Struct("<BIQI")
_ATTRIBUTES: Final = struct.Struct("<QBIQIII15Q")
_STATISTICS: Final = struct.Struct("<IIQQQQQQI")
_ENTRY: Final = struct.Struct("<BIQQBH")
_LOCK: Final = struct.Struct("<BQQIH")
_U32: Final = struct.Struct("<I")
_U64: Final = struct.Struct("<Q")

DIRECTORY, SYMLINK, FILE = 0x80, 0x02, 0x00
"""A qid's type."""
ENTRY_BYTES: Final = _ENTRY.size
DATA_BYTES: Final = HEADER.size + 4
"""What an answer with data has before them."""
ERROR_BYTES: Final = HEADER.size + 4
BASIC: Final = 0x7FF
"""Which attributes an answer has: those of stat(2)."""
FILE_SYSTEM: Final = 0x0102_1997
"""What Linux calls 9P in statfs(2)."""


class Qid(NamedTuple):
    """What names a file: its type, a number that changes with it, and one that is its own."""

    kind: int
    version: int
    path: int


class Entry(NamedTuple):
    """A line of a directory; `offset` is where the next begins, `kind` as in readdir(3)."""

    qid: Qid
    offset: int
    kind: int
    name: bytes


class Statistics(NamedTuple):
    """Sizes of a file system."""

    block_bytes: int
    blocks: int
    free: int
    available: int
    files: int
    files_free: int
    identity: int
    name_bytes: int


def whole(number: int, tag: int, body: bytes) -> bytes:
    """A message."""
    return HEADER.pack(HEADER.size + len(body), number, tag) + body


def error(number: int, tag: int) -> bytes:
    """The message that says what went wrong, as Linux counts errors."""
    return HEADER.pack(ERROR_BYTES, ERROR, tag) + _U32.pack(number)


def text(value: bytes) -> bytes:
    """A text with its length."""
    return len(value).to_bytes(2, "little") + value


def data(value: bytes) -> bytes:
    """Data with their length."""
    return _U32.pack(len(value)) + value


def count(value: int) -> bytes:
    """How many bytes were taken."""
    return _U32.pack(value)


def size(value: int) -> bytes:
    """How many bytes there are."""
    return _U64.pack(value)


def version(msize: int, name: bytes) -> bytes:
    """What was agreed on."""
    return _U32.pack(msize) + text(name)


def qid(value: Qid) -> bytes:
    """One qid."""
    return _QID.pack(*value)


def qids(values: Sequence[Qid]) -> bytes:
    """Several, with their number."""
    return len(values).to_bytes(2, "little") + b"".join(_QID.pack(*one) for one in values)


def opened(value: Qid, unit: int) -> bytes:
    """A qid, and how much is best read at once."""
    return _OPENED.pack(*value, unit)


def attributes(value: Qid, mode: int, uid: int, gid: int, numbers: Sequence[int]) -> bytes:
    """What stat(2) tells.

    The numbers are links, device, size, block size, blocks, and the seconds and nanoseconds of
    access, change of content and change of the inode.
    """
    return _ATTRIBUTES.pack(BASIC, *value, mode, uid, gid, *numbers, 0, 0, 0, 0)


def statistics(value: Statistics) -> bytes:
    """What statfs(2) tells."""
    return _STATISTICS.pack(FILE_SYSTEM, *value)


def entry(value: Entry) -> bytes:
    """A line of a directory."""
    return _ENTRY.pack(*value.qid, value.offset, value.kind, len(value.name)) + value.name


def lock(kind: int, start: int, length: int, process: int, client: bytes) -> bytes:
    """A lock that is in the way."""
    return _LOCK.pack(kind, start, length, process, len(client)) + client

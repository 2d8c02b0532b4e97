"""The requests of 9P2000.L, decoded (diod's protocol.md; Linux, include/net/9p/9p.h).

A message is size[4] type[1] tag[2] and its fields, all little-endian. Names and data are bytes:
what they mean, and whether they may be, is for others to say.
"""

import struct
from collections.abc import Callable, Iterator
from types import MappingProxyType
from typing import Any, Final, NamedTuple

HEADER: Final = struct.Struct("<IBH")
NO_FID: Final = 0xFFFF_FFFF
NO_UID: Final = 0xFFFF_FFFF
NO_TAG: Final = 0xFFFF
WALK_MAX: Final = 16
"""Names in one Twalk."""


class MalformedError(Exception):
    """A message that is not one."""


class Version(NamedTuple):
    """Begins a session."""

    msize: int
    version: bytes


class Attach(NamedTuple):
    """Makes `fid` the root, for a user of the guest."""

    fid: int
    afid: int
    user: bytes
    path: bytes
    uid: int


class Auth(NamedTuple):
    """Asks for a fid to authenticate with."""

    afid: int
    user: bytes
    path: bytes
    uid: int


class Flush(NamedTuple):
    """The request with this tag is of no interest any more."""

    old_tag: int


class Walk(NamedTuple):
    """Makes `new_fid` what is found from `fid` by the names."""

    fid: int
    new_fid: int
    names: tuple[bytes, ...]


class Read(NamedTuple):
    """Reads a file, or an attribute walked to."""

    fid: int
    offset: int
    limit: int


class Write(NamedTuple):
    """Writes a file, or an attribute to be created."""

    fid: int
    offset: int
    data: bytes


class Clunk(NamedTuple):
    """Gives a fid back."""

    fid: int


class Remove(NamedTuple):
    """Removes what a fid is, and gives the fid back."""

    fid: int


class StatFs(NamedTuple):
    """Asks for the file system's sizes."""

    fid: int


class Open(NamedTuple):
    """Opens what a fid is; the flags are Linux's, for all processors the same."""

    fid: int
    flags: int


class Create(NamedTuple):
    """Makes a file in the directory `fid`, which becomes the file, open."""

    fid: int
    name: bytes
    flags: int
    mode: int
    gid: int


class Symlink(NamedTuple):
    """Makes a symbolic link."""

    fid: int
    name: bytes
    target: bytes
    gid: int


class MakeNode(NamedTuple):
    """Makes a device node, a FIFO, a socket or a regular file."""

    fid: int
    name: bytes
    mode: int
    major: int
    minor: int
    gid: int


class Rename(NamedTuple):
    """Gives what `fid` is another place."""

    fid: int
    directory: int
    name: bytes


class ReadLink(NamedTuple):
    """Asks where a symbolic link leads."""

    fid: int


class GetAttributes(NamedTuple):
    """Asks what stat(2) tells."""

    fid: int
    wanted: int


class SetAttributes(NamedTuple):
    """Changes those attributes that `valid` names."""

    fid: int
    valid: int
    mode: int
    uid: int
    gid: int
    size: int
    atime_s: int
    atime_ns: int
    mtime_s: int
    mtime_ns: int


class XattrWalk(NamedTuple):
    """Makes `new_fid` an extended attribute's value, or without a name the list of their names."""

    fid: int
    new_fid: int
    name: bytes


class XattrCreate(NamedTuple):
    """Makes `fid` an attribute to be written; it is set when the fid is given back."""

    fid: int
    name: bytes
    size: int
    flags: int


class ReadDirectory(NamedTuple):
    """Asks for entries of an open directory."""

    fid: int
    offset: int
    limit: int


class Sync(NamedTuple):
    """Makes what was written safe."""

    fid: int
    data_only: int


class SetLock(NamedTuple):
    """Takes or gives back a lock, as fcntl(2); never waits."""

    fid: int
    kind: int
    flags: int
    start: int
    length: int
    process: int
    client: bytes


class GetLock(NamedTuple):
    """Asks for a lock that is in the way."""

    fid: int
    kind: int
    start: int
    length: int
    process: int
    client: bytes


class Link(NamedTuple):
    """Gives what `fid` is another name, in `directory`."""

    directory: int
    fid: int
    name: bytes


class MakeDirectory(NamedTuple):
    """Makes a directory."""

    fid: int
    name: bytes
    mode: int
    gid: int


class RenameAt(NamedTuple):
    """Moves a name of one directory to another."""

    directory: int
    name: bytes
    new_directory: int
    new_name: bytes


class UnlinkAt(NamedTuple):
    """Removes a name of a directory."""

    directory: int
    name: bytes
    flags: int


# Fields in order: numbers as in `struct`, s a text, n texts with their count, d data.
_LAYOUTS: Final[tuple[tuple[int, type[Any], str], ...]] = (
    (8, StatFs, "I"),
    (12, Open, "II"),
    (14, Create, "IsIII"),
    (16, Symlink, "IssI"),
    (18, MakeNode, "IsIIII"),
    (20, Rename, "IIs"),
    (22, ReadLink, "I"),
    (24, GetAttributes, "IQ"),
    (26, SetAttributes, "IIIIIQQQQQ"),
    (30, XattrWalk, "IIs"),
    (32, XattrCreate, "IsQI"),
    (40, ReadDirectory, "IQI"),
    (50, Sync, "II"),
    (52, SetLock, "IBIQQIs"),
    (54, GetLock, "IBQQIs"),
    (70, Link, "IIs"),
    (72, MakeDirectory, "IsII"),
    (74, RenameAt, "IsIs"),
    (76, UnlinkAt, "IsI"),
    (100, Version, "Is"),
    (102, Auth, "IssI"),
    (104, Attach, "IIssI"),
    (108, Flush, "H"),
    (110, Walk, "IIn"),
    (116, Read, "IQI"),
    (118, Write, "IQd"),
    (120, Clunk, "I"),
    (122, Remove, "I"),
)
NUMBERS: Final = MappingProxyType({kind: number for number, kind, _ in _LAYOUTS})
"""A request's type; its answer's is one more."""

_Take = Callable[[bytes, int], tuple[Any, int]]


def _text(message: bytes, at: int) -> tuple[bytes, int]:
    end = at + 2 + int.from_bytes(message[at : at + 2], "little")
    if at + 2 > len(message) or end > len(message):
        raise MalformedError("a text goes on past its message")
    return message[at + 2 : end], end


def _texts(message: bytes, at: int) -> tuple[tuple[bytes, ...], int]:
    count = int.from_bytes(message[at : at + 2], "little")
    if at + 2 > len(message) or count > WALK_MAX:
        raise MalformedError(f"{count} names at once")
    at += 2
    found = []
    for _ in range(count):
        text, at = _text(message, at)
        found.append(text)
    return tuple(found), at


def _data(message: bytes, at: int) -> tuple[bytes, int]:
    end = at + 4 + int.from_bytes(message[at : at + 4], "little")
    if at + 4 > len(message) or end > len(message):
        raise MalformedError("data goes on past its message")
    return message[at + 4 : end], end


_VARIABLE: Final[MappingProxyType[str, _Take]] = MappingProxyType(
    {"s": _text, "n": _texts, "d": _data}
)


def _pieces(layout: str) -> Iterator[struct.Struct | _Take]:
    """Numbers that follow each other are unpacked at once."""
    numbers = ""
    for letter in layout:
        if letter in _VARIABLE:
            if numbers:
                yield struct.Struct("<" + numbers)
            yield _VARIABLE[letter]
            numbers = ""
        else:
            numbers += letter
    if numbers:
        yield struct.Struct("<" + numbers)


_DECODERS: Final = MappingProxyType(
    {number: (kind, tuple(_pieces(layout))) for number, kind, layout in _LAYOUTS}
)


def tag_of(message: bytes) -> int:
    """A message's tag; MalformedError if its header is not one."""
    if len(message) < HEADER.size:
        raise MalformedError(f"a message of {len(message)} bytes")
    tag: int = HEADER.unpack_from(message)[2]
    return tag


def decode(message: bytes) -> Any:
    """A request as one of the classes here, None if its type is not known."""
    size, number, _ = HEADER.unpack_from(message)
    if not HEADER.size <= size <= len(message):
        raise MalformedError(f"a message of {size} bytes in {len(message)}")
    decoder = _DECODERS.get(number)
    if decoder is None:
        return None
    kind, pieces = decoder
    fields: list[Any] = []
    at = HEADER.size
    for piece in pieces:
        if isinstance(piece, struct.Struct):
            if at + piece.size > size:
                raise MalformedError(f"{kind.__name__} is too short")
            fields += piece.unpack_from(message, at)
            at += piece.size
        else:
            value, at = piece(message, at)
            fields.append(value)
    if at > size:
        raise MalformedError(f"{kind.__name__} is too short")
    return kind(*fields)


def encode(request: Any, tag: int) -> bytes:
    """A request as a message, for those who are the client."""
    number = NUMBERS[type(request)]
    layout = next(one[2] for one in _LAYOUTS if one[0] == number)
    out = bytearray()
    for letter, value in zip(layout, request, strict=True):
        if letter == "n":
            out += struct.pack("<H", len(value))
        texts = value if letter == "n" else (value,) if letter == "s" else ()
        for text in texts:
            out += struct.pack("<H", len(text)) + text
        if letter == "d":
            out += struct.pack("<I", len(value)) + value
        elif letter not in _VARIABLE:
            out += struct.pack("<" + letter, value)
    return HEADER.pack(HEADER.size + len(out), number, tag) + bytes(out)

"""What is read of messages of FUSE on their way (Linux, include/uapi/linux/fuse.h)."""

import os
import struct
from collections.abc import Iterable
from enum import IntEnum
from typing import Final, NamedTuple

REQUEST_HEADER: Final = struct.Struct("<IIQQIIIHH")
"""fuse_in_header: length, opcode, unique, nodeid, uid, gid, pid, total_extlen, padding."""
ANSWER_HEADER: Final = struct.Struct("<IiQ")
"""fuse_out_header: length, an error number below zero, unique."""
_FLAGS: Final = struct.Struct("<I")
_WRITING: Final = os.O_WRONLY | os.O_RDWR | os.O_TRUNC
"""The numbers of a guest's open are those of Linux's generic architecture. O_TMPFILE, which makes a
file in a directory, has to be joined by one of the first two (open(2))."""


class Opcode(IntEnum):
    """The messages that change nothing, and OPEN and OPENDIR, which may by their flags."""

    LOOKUP = 1
    FORGET = 2
    GETATTR = 3
    READLINK = 5
    OPEN = 14
    READ = 15
    STATFS = 17
    RELEASE = 18
    FSYNC = 20
    GETXATTR = 22
    LISTXATTR = 23
    FLUSH = 25
    INIT = 26
    OPENDIR = 27
    READDIR = 28
    RELEASEDIR = 29
    FSYNCDIR = 30
    GETLK = 31
    SETLK = 32
    SETLKW = 33
    ACCESS = 34
    INTERRUPT = 36
    DESTROY = 38
    POLL = 40
    BATCH_FORGET = 42
    READDIRPLUS = 44
    LSEEK = 46
    SYNCFS = 50
    STATX = 52


class Head(NamedTuple):
    """Of a message: what it asks for and what its answer is known by."""

    opcode: int
    unique: int


def head(message: bytes | memoryview) -> Head:
    """From a message's first REQUEST_HEADER.size bytes."""
    _, opcode, unique, *_ = REQUEST_HEADER.unpack_from(message)
    return Head(opcode, unique)


def head_of(parts: Iterable[memoryview]) -> Head:
    """Of a message in parts, which together have REQUEST_HEADER.size bytes or more."""
    found = b""
    for part in parts:
        found += part[: REQUEST_HEADER.size - len(found)]
    return head(found)


def only_reads(message: bytes | memoryview) -> bool:
    """Whether a message changes no file and no directory; what is not known here may do so."""
    opcode = head(message).opcode
    if opcode not in (Opcode.OPEN, Opcode.OPENDIR):
        return opcode in Opcode.__members__.values()
    if len(message) < REQUEST_HEADER.size + _FLAGS.size:
        return False
    (flags,) = _FLAGS.unpack_from(message, REQUEST_HEADER.size)
    return not flags & _WRITING


def failure(unique: int, error: int, room: int) -> bytes:
    """The answer to a message that was not carried out; "" if there is no room for one.

    Messages that are not answered, such as FORGET, come without.
    """
    if room < ANSWER_HEADER.size:
        return b""
    return ANSWER_HEADER.pack(ANSWER_HEADER.size, -error, unique)

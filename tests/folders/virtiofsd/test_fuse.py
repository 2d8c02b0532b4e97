"""Which messages of FUSE change nothing, by the protocol's own numbers, and how others fail."""

import struct
from errno import ENOTCONN, EROFS

import pytest

from hospes.folders.virtiofsd.fuse import ANSWER_HEADER, REQUEST_HEADER, failure, head, only_reads

OPEN, OPENDIR = 14, 27
CHANGING = {
    4: "SETATTR", 6: "SYMLINK", 8: "MKNOD", 9: "MKDIR", 10: "UNLINK", 11: "RMDIR", 12: "RENAME",
    13: "LINK", 16: "WRITE", 21: "SETXATTR", 24: "REMOVEXATTR", 35: "CREATE", 39: "IOCTL",
    43: "FALLOCATE", 45: "RENAME2", 47: "COPY_FILE_RANGE", 48: "SETUPMAPPING",
    49: "REMOVEMAPPING", 51: "TMPFILE",
}  # fmt: skip
NOT_SERVED = {37: "BMAP", 41: "NOTIFY_REPLY"}
"""They change nothing either, but no virtiofsd does them."""
UNKNOWN = {0, 7, 19, *range(53, 61), 4096, 0x8000_0000, 0xFFFF_FFFF}
READING = set(range(61)) - CHANGING.keys() - NOT_SERVED.keys() - UNKNOWN

READ_ONLY, WRITE_ONLY, READ_WRITE, NEITHER = range(4)
TRUNCATE, APPEND, DIRECT, DIRECTORY, TEMPORARY = 0o1000, 0o2000, 0o40000, 0o200000, 0o20200000


def message(opcode: int, body: bytes = bytes(8), unique: int = 1) -> bytes:
    return struct.pack("<IIQQIIIHH", 40 + len(body), opcode, unique, 1, 0, 0, 0, 0, 0) + body


def opening(opcode: int, flags: int) -> bytes:
    return message(opcode, struct.pack("<II", flags, 0))


@pytest.mark.parametrize("opcode", sorted(READING))
def test_what_only_reads(opcode: int) -> None:
    assert only_reads(message(opcode))
    assert only_reads(memoryview(message(opcode)))


@pytest.mark.parametrize("opcode", sorted({*CHANGING, *NOT_SERVED, *UNKNOWN}))
def test_what_may_change_something(opcode: int) -> None:
    assert not only_reads(message(opcode))


def test_every_number_is_looked_at() -> None:
    assert len(READING) == 61 - 19 - 2 - 11
    assert {1, 3, 5, OPEN, 15, 17, 18, 26, OPENDIR, 28, 38, 44, 52} < READING


@pytest.mark.parametrize("opcode", [OPEN, OPENDIR])
@pytest.mark.parametrize("more", [0, APPEND, DIRECT, DIRECTORY, 0o2000000, 0x8000])
def test_opening(opcode: int, more: int) -> None:
    assert only_reads(opening(opcode, READ_ONLY | more))
    for access in (WRITE_ONLY, READ_WRITE, NEITHER):
        assert not only_reads(opening(opcode, access | more))
        assert not only_reads(opening(opcode, access | more | TRUNCATE))
    assert not only_reads(opening(opcode, READ_ONLY | more | TRUNCATE))
    assert not only_reads(opening(opcode, READ_WRITE | more | TEMPORARY))


@pytest.mark.parametrize("opcode", [OPEN, OPENDIR])
@pytest.mark.parametrize("length", range(4))
def test_opening_without_all_of_its_flags(opcode: int, length: int) -> None:
    assert not only_reads(message(opcode, bytes(length)))
    assert only_reads(message(opcode, bytes(4)))


def test_head() -> None:
    assert REQUEST_HEADER.size == 40
    assert head(message(26, b"", 0x1234_5678_9ABC_DEF0)) == (26, 0x1234_5678_9ABC_DEF0)
    assert head(memoryview(message(0xFFFF_FFFF, b"", (1 << 64) - 1))) == (0xFFFF_FFFF, 2**64 - 1)


@pytest.mark.parametrize("error", [EROFS, ENOTCONN])
@pytest.mark.parametrize("room", [16, 17, 1 << 20])
def test_a_failure(error: int, room: int) -> None:
    answer = failure((1 << 64) - 2, error, room)
    assert struct.unpack("<IiQ", answer) == (16, -error, (1 << 64) - 2)
    assert len(answer) == ANSWER_HEADER.size


@pytest.mark.parametrize("room", [0, 1, 15])
def test_a_failure_without_room(room: int) -> None:
    assert failure(1, EROFS, room) == b""

"""Directories: names and the inodes they stand for, in lists and in hashed trees."""

import struct
from collections.abc import Iterator
from typing import Final

from hospes.guests.ext4.checksum import crc32c
from hospes.guests.ext4.errors import FileSystemError, damaged

HEADER_BYTES: Final = 8
TAIL_BYTES: Final = 12
TAIL_KIND: Final = 0xDE
INLINE_PARENT_BYTES: Final = 4
BLOCK_64K: Final = 65536

_ENTRY: Final = struct.Struct("<IHBB")


def block_entries(data: bytes, name: str) -> Iterator[tuple[str, int]]:
    """Names and inodes in a directory's block, `.` and `..` included.

    Nodes of a hashed tree look like blocks without entries, or with just these two.
    """
    at = 0
    while at < len(data):
        if at + HEADER_BYTES > len(data):
            raise _wrong(name)
        inode, told, length, _ = _ENTRY.unpack_from(data, at)
        step = _step(told, len(data))
        if step < HEADER_BYTES + length or step % 4 or at + step > len(data):
            raise _wrong(name)
        if inode and length:
            raw = data[at + HEADER_BYTES : at + HEADER_BYTES + length]
            yield raw.decode("utf-8", "surrogateescape"), inode
        at += step


def check_block(data: bytes, seed: int, first: bool, indexed: bool, name: str) -> None:
    """FileSystemError unless the checksum of a directory's block is right."""
    node = _node_entries(data, first) if indexed else None
    if node is not None:
        _check_node(data, node, seed, name)
        return
    at = len(data) - TAIL_BYTES
    inode, step, length, kind = _ENTRY.unpack_from(data, at)
    if (inode, step, length, kind) != (0, TAIL_BYTES, 0, TAIL_KIND):
        raise damaged(name, "a directory's block has no checksum")
    if crc32c(data[:at], seed) != int.from_bytes(data[-4:], "little"):
        raise damaged(name, "the checksum of a directory's block is wrong")


def _node_entries(data: bytes, first: bool) -> int | None:
    """Where a tree's node keeps its entries; None if the block is a leaf."""
    if first:
        return 0x18 + data[0x1D]
    inode, step, _, _ = _ENTRY.unpack_from(data)
    return HEADER_BYTES if inode == 0 and _step(step, len(data)) == len(data) else None


def _check_node(data: bytes, at: int, seed: int, name: str) -> None:
    """A node's first eight bytes of entries hold their limit and count instead."""
    limit, count = struct.unpack_from("<HH", data, at)
    tail = at + 8 * limit
    if count > limit or tail + 8 > len(data):
        raise _wrong(name)
    crc = crc32c(data[: at + 8 * count], seed)
    crc = crc32c(data[tail : tail + 4] + bytes(4), crc)
    if crc != int.from_bytes(data[tail + 4 : tail + 8], "little"):
        raise damaged(name, "the checksum of a directory's tree is wrong")


def _step(told: int, block_bytes: int) -> int:
    """The distance to the next entry; 16 bits do not hold the size of the largest blocks."""
    if block_bytes < BLOCK_64K:
        return told
    if told in (0, 0xFFFF):
        return block_bytes
    return told & 0xFFFC | (told & 3) << 16


def _wrong(name: str) -> FileSystemError:
    return damaged(name, "a directory's entries do not fit its block")

"""Inodes: what kind of file, how long, and where its content is."""

import stat
from dataclasses import dataclass
from enum import IntFlag
from typing import Final

from hospes.guests.ext4.blocks import Blocks
from hospes.guests.ext4.checksum import crc32c
from hospes.guests.ext4.errors import damaged, unsupported
from hospes.guests.ext4.groups import inode_table
from hospes.guests.ext4.superblock import INODE_BYTES_OLD, Superblock

ROOT: Final = 2
MAP: Final = slice(0x28, 0x64)
ATTRIBUTES_MAGIC: Final = (0xEA02_0000).to_bytes(4, "little")
SYSTEM_INDEX: Final = 7
ENTRY_BYTES: Final = 16

_LOW: Final = slice(0x7C, 0x7E)
_HIGH: Final = slice(0x82, 0x84)


class Flag(IntFlag):
    """Flags of inodes that matter for reading."""

    COMPRESSED = 0x4
    ENCRYPTED = 0x800
    INDEXED = 0x1000
    EXTENTS = 0x8_0000
    INLINE_DATA = 0x1000_0000


@dataclass(frozen=True)
class Inode:
    """One inode; `map` is the 60 bytes that say where the content is, or are it."""

    number: int
    mode: int
    size_bytes: int
    flags: int
    map: bytes
    seed: int
    extra: bytes

    @property
    def is_directory(self) -> bool:
        """Whether it is a directory."""
        return stat.S_ISDIR(self.mode)

    @property
    def is_link(self) -> bool:
        """Whether it is a symbolic link."""
        return stat.S_ISLNK(self.mode)

    @property
    def is_regular(self) -> bool:
        """Whether it is an ordinary file."""
        return stat.S_ISREG(self.mode)


def read_inode(blocks: Blocks, super_: Superblock, number: int) -> Inode:
    """Find, check and read an inode."""
    if not 0 < number <= super_.inodes:
        raise damaged(blocks.name, f"it refers to inode {number} of {super_.inodes}")
    group, index = divmod(number - 1, super_.inodes_per_group)
    block, at = divmod(index * super_.inode_bytes, super_.block_bytes)
    raw = blocks.read(inode_table(blocks, super_, group) + block)[at : at + super_.inode_bytes]
    generation = raw[0x64:0x68]
    seed = crc32c(generation, crc32c(number.to_bytes(4, "little"), super_.seed))
    if super_.has_checksums and not _is_sound(raw, seed):
        raise damaged(blocks.name, f"the checksum of inode {number} is wrong")
    flags = int.from_bytes(raw[0x20:0x24], "little")
    for flag, word in ((Flag.ENCRYPTED, "an encrypted"), (Flag.COMPRESSED, "a compressed")):
        if flags & flag:
            raise unsupported(blocks.name, f"{word} file (inode {number})")
    mode = int.from_bytes(raw[0:2], "little")
    size = int.from_bytes(raw[4:8], "little") | int.from_bytes(raw[0x6C:0x70], "little") << 32
    return Inode(number, mode, size, flags, raw[MAP], seed, raw[INODE_BYTES_OLD:])


def _is_sound(raw: bytes, seed: int) -> bool:
    """Whether the checksum is right; small inodes keep only half of it."""
    wide = len(raw) > INODE_BYTES_OLD and int.from_bytes(raw[0x80:0x82], "little") >= 4
    zeroed, told = bytearray(raw), int.from_bytes(raw[_LOW], "little")
    zeroed[_LOW] = bytes(2)
    if wide:
        told |= int.from_bytes(raw[_HIGH], "little") << 16
        zeroed[_HIGH] = bytes(2)
    crc = crc32c(zeroed, seed)
    return told == (crc if wide else crc & 0xFFFF)


def inline_data(inode: Inode, name: str) -> tuple[bytes, bytes]:
    """Content kept in the inode: 60 bytes of its map, and an attribute that holds the rest."""
    return inode.map, _system_data(inode, name)


def _system_data(inode: Inode, name: str) -> bytes:
    """The attribute `system.data`, in the room behind the inode's fields; empty if there is none.

    An entry has the name's length, its prefix, the value's place and size; the name follows.
    """
    extra = inode.extra
    start = int.from_bytes(extra[0:2], "little")
    if extra[start : start + 4] != ATTRIBUTES_MAGIC:
        return b""
    values = start + 4
    at = values
    while at + ENTRY_BYTES <= len(extra) and extra[at : at + 4] != bytes(4):
        length, prefix = extra[at], extra[at + 1]
        if prefix == SYSTEM_INDEX and extra[at + ENTRY_BYTES :][:length] == b"data":
            place = values + int.from_bytes(extra[at + 2 : at + 4], "little")
            size = int.from_bytes(extra[at + 8 : at + 12], "little")
            if place + size > len(extra):
                raise damaged(name, f"inode {inode.number} has its content outside of itself")
            return extra[place : place + size]
        at += ENTRY_BYTES + length + -length % 4
    return b""

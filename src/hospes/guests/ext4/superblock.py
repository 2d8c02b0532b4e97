"""The superblock: which features a file system has, and where everything lies."""

import struct
import uuid
from dataclasses import dataclass
from enum import IntFlag
from typing import Final

from hospes.guests.ext4.checksum import START, crc32c
from hospes.guests.ext4.errors import damaged, unsupported

OFFSET: Final = 1024
SIZE: Final = 1024
MAGIC: Final = 0xEF53
CRC32C_TYPE: Final = 1
BLOCK_BYTES_MAX: Final = 65536
INODE_BYTES_OLD: Final = 128
DESCRIPTOR_BYTES_OLD: Final = 32

_MAGIC_AT: Final = 0x38
_CHECKSUM_AT: Final = 0x3FC


class Incompatible(IntFlag):
    """Features without which a file system cannot be read."""

    FILETYPE = 0x2
    RECOVER = 0x4
    META_BG = 0x10
    EXTENTS = 0x40
    BITS64 = 0x80
    MMP = 0x100
    FLEX_BG = 0x200
    EA_INODE = 0x400
    CHECKSUM_SEED = 0x2000
    LARGE_DIRECTORY = 0x4000
    INLINE_DATA = 0x8000
    ENCRYPT = 0x1_0000
    CASEFOLD = 0x2_0000


class Compatible(IntFlag):
    """Features of no concern to who does not know them."""

    HAS_JOURNAL = 0x4
    SPARSE_SUPER2 = 0x200


class ReadOnlyCompatible(IntFlag):
    """Features that only writing has to know."""

    SPARSE_SUPER = 0x1
    GROUP_CHECKSUM = 0x10
    METADATA_CHECKSUM = 0x400


READ: Final = sum(Incompatible)
NAMES: Final = {
    0x1: "compression",
    0x8: "an external journal",
    0x1000: "dirdata",
}


@dataclass(frozen=True)
class Superblock:
    """What a superblock says; sizes in bytes, places in blocks."""

    inodes: int
    blocks: int
    first_data_block: int
    block_bytes: int
    blocks_per_group: int
    inodes_per_group: int
    inode_bytes: int
    descriptor_bytes: int
    compatible: int
    incompatible: int
    read_only_compatible: int
    uuid: uuid.UUID
    journal_inode: int
    first_meta_group: int
    backup_groups: tuple[int, int]
    seed: int

    @property
    def groups(self) -> int:
        """How many block groups there are."""
        return -(-(self.blocks - self.first_data_block) // self.blocks_per_group)

    @property
    def own_block(self) -> int:
        """The block that the superblock is in."""
        return int(self.block_bytes == OFFSET)

    @property
    def has_checksums(self) -> bool:
        """Whether metadata carries CRC-32C."""
        return bool(self.read_only_compatible & ReadOnlyCompatible.METADATA_CHECKSUM)

    def holds_backup(self, group: int) -> bool:
        """Whether a block group begins with a copy of the superblock."""
        if group == 0:
            return True
        if self.compatible & Compatible.SPARSE_SUPER2:
            return group in self.backup_groups
        if group == 1 or not self.read_only_compatible & ReadOnlyCompatible.SPARSE_SUPER:
            return True
        return any(_is_power(group, base) for base in (3, 5, 7))


def is_ext(data: bytes) -> bool:
    """Whether these first 2048 bytes of a volume are those of an ext2, ext3 or ext4."""
    return int.from_bytes(data[OFFSET + _MAGIC_AT : OFFSET + _MAGIC_AT + 2], "little") == MAGIC


def parse_superblock(data: bytes, name: str, volume_bytes: int) -> Superblock:
    """Check and read the 1024 bytes of a superblock."""
    if len(data) < SIZE or int.from_bytes(data[_MAGIC_AT : _MAGIC_AT + 2], "little") != MAGIC:
        raise damaged(name, "there is no superblock")
    found = _fields(data)
    _check_features(found, name)
    _check_checksum(data, found, name)
    _check_geometry(found, name, volume_bytes)
    return found


def _fields(data: bytes) -> Superblock:
    def u32(at: int) -> int:
        return int.from_bytes(data[at : at + 4], "little")

    dynamic = u32(0x4C) > 0
    compatible, incompatible, read_only = struct.unpack_from("<III", data, 0x5C)
    if not dynamic:
        compatible = incompatible = read_only = 0
    wide = incompatible & Incompatible.BITS64
    identity = data[0x68:0x78]
    seeded = incompatible & Incompatible.CHECKSUM_SEED
    size, descriptor = int.from_bytes(data[0x58:0x5A], "little"), data[0xFE:0x100]
    return Superblock(
        inodes=u32(0),
        blocks=u32(4) | (u32(0x150) << 32 if wide else 0),
        first_data_block=u32(0x14),
        block_bytes=1024 << min(u32(0x18), 31),
        blocks_per_group=u32(0x20),
        inodes_per_group=u32(0x28),
        inode_bytes=size if dynamic else INODE_BYTES_OLD,
        descriptor_bytes=int.from_bytes(descriptor, "little") if wide else DESCRIPTOR_BYTES_OLD,
        compatible=compatible,
        incompatible=incompatible,
        read_only_compatible=read_only,
        uuid=uuid.UUID(bytes=identity),
        journal_inode=u32(0xE0),
        first_meta_group=u32(0x104) if incompatible & Incompatible.META_BG else 1 << 32,
        backup_groups=(u32(0x24C), u32(0x250)),
        seed=u32(0x270) if seeded else crc32c(identity, START),
    )


def _check_features(found: Superblock, name: str) -> None:
    unknown = found.incompatible & ~READ
    if unknown:
        bit = unknown & -unknown
        raise unsupported(name, NAMES.get(bit, f"the feature {bit:#x}"))


def _check_checksum(data: bytes, found: Superblock, name: str) -> None:
    if not found.has_checksums:
        return
    if data[0x175] != CRC32C_TYPE:
        raise unsupported(name, f"checksums of type {data[0x175]}")
    if crc32c(data[:_CHECKSUM_AT]) != int.from_bytes(data[_CHECKSUM_AT:SIZE], "little"):
        raise damaged(name, "its superblock's checksum is wrong")


def _check_geometry(found: Superblock, name: str, volume_bytes: int) -> None:
    """What the other modules rely on: no divisor is zero, everything lies inside the volume."""
    size = found.block_bytes
    sound = (
        size <= BLOCK_BYTES_MAX
        and found.first_data_block <= (size == OFFSET)
        and found.first_data_block < found.blocks
        and 0 < found.blocks_per_group <= 8 * size * (1 << 16)
        and INODE_BYTES_OLD <= found.inode_bytes <= size
        and found.inode_bytes & (found.inode_bytes - 1) == 0
        and 0 < found.inodes_per_group <= 8 * size
        and found.inodes <= found.groups * found.inodes_per_group
        and DESCRIPTOR_BYTES_OLD <= found.descriptor_bytes <= 1024
        and found.descriptor_bytes & (found.descriptor_bytes - 1) == 0
    )
    if not sound:
        raise damaged(name, "its superblock contradicts itself")
    if found.blocks * size > volume_bytes:
        raise damaged(name, f"it has {found.blocks * size} bytes on a volume of {volume_bytes}")


def _is_power(number: int, base: int) -> bool:
    while number % base == 0:
        number //= base
    return number == 1

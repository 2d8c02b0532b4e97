"""Block groups: where each one's inodes lie."""

from typing import Final

from hospes.guests.ext4.blocks import Blocks
from hospes.guests.ext4.checksum import START, crc16, crc32c
from hospes.guests.ext4.errors import damaged
from hospes.guests.ext4.superblock import DESCRIPTOR_BYTES_OLD, ReadOnlyCompatible, Superblock

_CHECKSUM: Final = slice(0x1E, 0x20)


def inode_table(blocks: Blocks, super_: Superblock, group: int) -> int:
    """The first block of a group's inodes."""
    raw = _descriptor(blocks, super_, group)
    if _checksum(raw, super_, group) not in (None, int.from_bytes(raw[_CHECKSUM], "little")):
        raise damaged(blocks.name, f"the checksum of block group {group} is wrong")
    low = int.from_bytes(raw[0x8:0xC], "little")
    return low | int.from_bytes(raw[0x28:0x2C], "little") << 32


def _descriptor(blocks: Blocks, super_: Superblock, group: int) -> bytes:
    per_block = super_.block_bytes // super_.descriptor_bytes
    index, within = divmod(group, per_block)
    if index < super_.first_meta_group:
        block = super_.own_block + 1 + index
    else:
        first = index * per_block
        block = super_.first_data_block + first * super_.blocks_per_group
        block += super_.holds_backup(first)
    at = within * super_.descriptor_bytes
    return blocks.read(block)[at : at + super_.descriptor_bytes]


def _checksum(raw: bytes, super_: Superblock, group: int) -> int | None:
    """What a descriptor's checksum has to be; None if there is none."""
    number = group.to_bytes(4, "little")
    if super_.has_checksums:
        zeroed = raw[: _CHECKSUM.start] + bytes(2) + raw[_CHECKSUM.stop :]
        return crc32c(zeroed, crc32c(number, super_.seed)) & 0xFFFF
    if super_.read_only_compatible & ReadOnlyCompatible.GROUP_CHECKSUM:
        rest = raw[_CHECKSUM.stop :] if len(raw) > DESCRIPTOR_BYTES_OLD else b""
        return crc16(super_.uuid.bytes + number + raw[: _CHECKSUM.start] + rest, START & 0xFFFF)
    return None

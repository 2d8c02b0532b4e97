"""A file system's blocks, with those in place that its journal still holds."""

from typing import Final, Protocol

from hospes.guests.ext4.errors import damaged
from hospes.guests.partitions import Volume

PIECE_BYTES: Final = 4 << 20


class Newer(Protocol):
    """Contents of blocks that are newer than the volume's own."""

    def __contains__(self, block: int, /) -> bool: ...

    def content(self, block: int, /) -> bytes:
        """A whole block that it contains."""
        ...


class Nothing:
    """No newer contents."""

    def __contains__(self, block: int, /) -> bool:
        return False

    def content(self, block: int, /) -> bytes:
        return b""


class Blocks:
    """A volume addressed in blocks; what `newer` contains takes the place of the volume's own."""

    def __init__(self, volume: Volume, block_bytes: int, count: int) -> None:
        self.volume, self.block_bytes, self.count = volume, block_bytes, count
        self.newer: Newer = Nothing()

    @property
    def name(self) -> str:
        """The volume's name, for messages."""
        return self.volume.name

    def read(self, block: int, count: int = 1) -> bytes:
        """The content of so many blocks, at most PIECE_BYTES."""
        if block <= 0 or count <= 0 or block + count > self.count:
            raise damaged(self.name, f"it refers to block {block} of {self.count}")
        data = self.volume.read(block * self.block_bytes, count * self.block_bytes)
        newer = [n for n in range(block, block + count) if n in self.newer]
        if not newer:
            return data
        changed = bytearray(data)
        for number in newer:
            at = (number - block) * self.block_bytes
            changed[at : at + self.block_bytes] = self.newer.content(number)
        return bytes(changed)

    def superblock(self, offset: int, size: int) -> bytes:
        """The bytes of the superblock, which may lie inside of block 0."""
        block, within = divmod(offset, self.block_bytes)
        if block in self.newer:
            return self.newer.content(block)[within : within + size]
        return self.volume.read(offset, size)

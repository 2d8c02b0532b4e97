"""Random histories of a disk, with a model of what it must hold."""

import random
from dataclasses import dataclass, field

from hospes.storage.block import BlockDevice

SECTOR = 512


@dataclass
class Model:
    """The bytes a disk must hold."""

    content: bytearray = field(default_factory=bytearray)

    def resize(self, size: int) -> None:
        """Zeros are added, or the end is lost."""
        del self.content[size:]
        self.content.extend(bytes(size - len(self.content)))


def some_data(chance: random.Random, length: int) -> bytes:
    """Bytes, rarely all zero, often easy to compress."""
    kind = chance.random()
    if kind < 0.1:
        return bytes(length)
    if kind < 0.5:
        return bytes([chance.randrange(1, 256)]) * length
    return chance.randbytes(length)


def some_range(chance: random.Random, size: int, align: int = 1) -> tuple[int, int]:
    """(offset, length) within a disk, of very different lengths."""
    length = min(size, chance.choice((1, 8, 512, 4096, size // 8, size // 2)) or 1)
    length = max(align, chance.randrange(1, length + 1) // align * align)
    offset = chance.randrange(0, max(1, size - length + 1)) // align * align
    return offset, min(length, size - offset)


def step(chance: random.Random, disk: BlockDevice, model: Model, align: int = 1) -> str:
    """One random request to the disk and the model; returns what it was."""
    size = len(model.content)
    offset, length = some_range(chance, size, align)
    kind = chance.choices(
        ("write", "read", "discard", "zero", "flush", "resize"), (40, 20, 10, 12, 12, 3)
    )[0]
    if kind == "write":
        data = some_data(chance, length)
        disk.write(offset, data)
        model.content[offset : offset + length] = data
    elif kind == "read":
        content = model.content[offset : offset + length]
        for found in (read_at_once(chance, disk, offset, length), disk.read(offset, length)):
            assert found in (None, content)
    elif kind == "zero":
        disk.write_zeroes(offset, length, unmap=chance.random() < 0.5)
        model.content[offset : offset + length] = bytes(length)
    elif kind == "discard":
        _discard(disk, model, offset, length)
    elif kind == "flush":
        disk.flush()
    else:
        size = max(SECTOR, size + SECTOR * chance.randrange(-size // 2048 - 1, size // 2048 + 2))
        disk.resize(size)
        model.resize(size)
    return kind


def read_at_once(
    chance: random.Random, disk: BlockDevice, offset: int, length: int
) -> bytes | None:
    """What is read into some buffers without waiting, if that is possible."""
    memory = bytearray(chance.randbytes(length))
    cuts = sorted(chance.randrange(length + 1) for _ in range(chance.randrange(4)))
    places = zip([0, *cuts], [*cuts, length], strict=True)
    buffers = [memoryview(memory)[start:end] for start, end in places]
    return bytes(memory) if disk.read_at_once(offset, buffers) else None


def _discard(disk: BlockDevice, model: Model, offset: int, length: int) -> None:
    """Afterwards every byte is what it was or zero, and stays so."""
    disk.discard(offset, length)
    found = disk.read(offset, length)
    old = model.content[offset : offset + length]
    assert all(new in (0, was) for new, was in zip(found, old, strict=True))
    model.content[offset : offset + length] = found

"""Raw images: the file is the disk."""

import random
from pathlib import Path

import pytest
from tests.storage.history import Model, step
from tests.storage.memory_files import MemoryFile
from tests.storage.qemu import needs_qemu, qemu_img

from hospes.storage.block import Kind
from hospes.storage.chain import open_image
from hospes.storage.create import create_image
from hospes.storage.errors import OutOfRangeError, ReadOnlyImageError
from hospes.storage.raw import RawImage


@pytest.mark.parametrize("seed", range(4))
def test_random_histories(seed: int) -> None:
    chance = random.Random(seed)
    file = MemoryFile("raw", bytes(512 * chance.randrange(1, 500)))
    image, model = RawImage(file, writable=True), Model(bytearray(file.data))
    for _ in range(200):
        step(chance, image, model)
    assert file.data == model.content


def test_a_host_without_holes_gets_zeros() -> None:
    file = MemoryFile("raw", b"x" * 5000)
    file.punch = lambda offset, length, /: False  # type: ignore[method-assign]
    image = RawImage(file, writable=True)
    image.write_zeroes(100, 4000, unmap=True)
    assert file.data == b"x" * 100 + bytes(4000) + b"x" * 900


def test_the_end_of_the_disk_is_the_end() -> None:
    image = RawImage(MemoryFile("raw", b"x" * 1024), writable=True)
    for offset, length in ((1020, 5), (-1, 1), (2000, 1)):
        with pytest.raises(OutOfRangeError):
            image.read(offset, length)
        with pytest.raises(OutOfRangeError):
            image.write_zeroes(offset, length, unmap=True)
    with pytest.raises(ReadOnlyImageError):
        RawImage(MemoryFile("raw"), writable=False).resize(512)


@needs_qemu
def test_holes_are_mapped_as_qemu_maps_them(tmp_path: Path) -> None:
    path = tmp_path / "a.raw"
    create_image(path, 8 << 20)
    image = open_image(path, writable=True)
    image.write(1 << 20, b"x" * (1 << 20))
    image.write(5 << 20, b"y" * 4096)
    image.flush()
    kinds = [(e.offset, e.length, e.kind) for e in image.extents(0, 8 << 20)]
    image.close()
    assert (1 << 20, 1 << 20, Kind.DATA) in kinds
    assert sum(length for _, length, _ in kinds) == 8 << 20
    qemu_img("compare", "-f", "raw", "-F", "raw", path, path)
    assert path.stat().st_blocks * 512 < 3 << 20

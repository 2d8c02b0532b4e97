"""Converting: the same content in every format, compressed or not, read back by QEMU."""

import random
from pathlib import Path

import pytest
from tests.storage.history import Model, step
from tests.storage.qemu import assert_sound, needs_qemu, qemu_check, qemu_img, qemu_read

from hospes.spec.disk import DiskFormat
from hospes.storage.chain import open_image
from hospes.storage.check import check_image
from hospes.storage.convert import convert_image
from hospes.storage.create import create_image
from hospes.storage.errors import DamagedImageError, StorageError
from hospes.storage.qcow2.header import Compression
from hospes.storage.qcow2.making import Qcow2Options

SIZE = 3 << 20


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """An image over another, not a whole number of clusters long."""
    chance = random.Random(1)
    create_image(tmp_path / "base.raw", SIZE // 2)
    create_image(tmp_path / "top.qcow2", SIZE + 512, backing=tmp_path / "base.raw")
    for name in ("base.raw", "top.qcow2"):
        image = open_image(tmp_path / name, writable=True)
        model = Model(bytearray(image.read(0, image.size_bytes)))
        for _ in range(25):
            offset = chance.randrange(image.size_bytes - 200_000)
            image.write(offset, chance.choice((b"text ", b"\0\1")) * chance.randrange(30_000))
            image.write(offset, chance.randbytes(chance.randrange(20_000)))
        assert len(model.content) == image.size_bytes
        image.close()
    return tmp_path / "top.qcow2"


@needs_qemu
@pytest.mark.parametrize("cluster_bytes", [512, 4096, 65536])
@pytest.mark.parametrize("compression", [None, *Compression])
def test_to_qcow2(
    compression: Compression | None, cluster_bytes: int, source: Path, tmp_path: Path
) -> None:
    target = tmp_path / "new.qcow2"
    options = Qcow2Options(cluster_bytes, compression or Compression.ZLIB)
    compressed = compression is not None
    convert_image(source, target, compressed=compressed, options=options)
    assert_sound(target)
    qemu_img("compare", source, target)
    assert check_image(target).corruptions == 0
    assert (qemu_check(target).get("compressed-clusters", 0) > 0) == compressed
    change(target)


def change(path: Path) -> None:
    """A compressed image can be written to like any other."""
    image, chance = open_image(path, writable=True), random.Random(2)
    model = Model(bytearray(image.read(0, image.size_bytes)))
    for _ in range(20):
        step(chance, image, model, 512)
    image.close()
    assert qemu_read(path) == model.content
    assert_sound(path)


@needs_qemu
def test_to_raw_and_back(source: Path, tmp_path: Path) -> None:
    raw, back = tmp_path / "a.raw", tmp_path / "b.qcow2"
    convert_image(source, raw)
    convert_image(raw, back)
    qemu_img("compare", "-f", "qcow2", "-F", "raw", source, raw)
    qemu_img("compare", source, back)


def test_zeros_take_no_room(tmp_path: Path) -> None:
    raw = tmp_path / "a.raw"
    create_image(raw, 64 << 20)
    image = open_image(raw, writable=True)
    image.write(0, bytes(5 << 20))
    image.write(40 << 20, b"x" * 100)
    image.close()
    convert_image(raw, tmp_path / "a.qcow2")
    assert (tmp_path / "a.qcow2").stat().st_size < 500_000
    convert_image(tmp_path / "a.qcow2", tmp_path / "b.raw")
    assert (tmp_path / "b.raw").stat().st_blocks * 512 < 500_000


def test_refusals(source: Path, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="cannot be compressed"):
        convert_image(source, tmp_path / "a.raw", compressed=True)
    with pytest.raises(StorageError, match="exists already"):
        convert_image(source, source)
    with pytest.raises(StorageError, match="say raw or qcow2"):
        convert_image(source, tmp_path / "a.img")
    convert_image(source, tmp_path / "a.img", target_format=DiskFormat.RAW)


def test_a_damaged_source_leaves_no_target(source: Path, tmp_path: Path) -> None:
    with source.open("r+b") as file:
        file.seek(3 << 16)
        file.write(b"\x80\xff\xff\xff\xff\xff\0\0")
    before = sorted(tmp_path.iterdir())
    with pytest.raises(DamagedImageError, match="ends within a table"):
        convert_image(source, tmp_path / "new.qcow2")
    assert sorted(tmp_path.iterdir()) == before


def test_progress_is_told(source: Path, tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    convert_image(source, tmp_path / "a.raw", progress=lambda *step: told.append(step))
    assert told[-1] == ("Copying", SIZE + 512, SIZE + 512)

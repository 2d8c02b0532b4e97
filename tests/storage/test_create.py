"""New images: how they look to QEMU, and what is refused."""

from pathlib import Path

import pytest
from tests.storage.qemu import assert_sound, needs_qemu, qemu_img

from hospes.base.errors import HospesError
from hospes.spec.disk import DiskFormat
from hospes.storage.chain import Surroundings, open_image
from hospes.storage.create import create_image
from hospes.storage.info import ImageInfo, image_info
from hospes.storage.qcow2.header import Compression
from hospes.storage.qcow2.making import Qcow2Options


@needs_qemu
@pytest.mark.parametrize(
    "options",
    [
        Qcow2Options(),
        Qcow2Options(512),
        Qcow2Options(2 << 20),
        Qcow2Options(compression=Compression.ZSTD),
        Qcow2Options(1 << 14, extended=True),
    ],
    ids=str,
)
@pytest.mark.parametrize("size", [512, 10 << 20, 100 << 30])
def test_qemu_finds_new_images_sound(options: Qcow2Options, size: int, tmp_path: Path) -> None:
    path = tmp_path / "a.qcow2"
    create_image(path, size, options=options)
    assert_sound(path)
    assert f'"virtual-size": {size}' in qemu_img("info", "--output=json", path)
    assert path.stat().st_blocks * 512 < 5 << 20


def test_information_about_an_overlay(tmp_path: Path) -> None:
    create_image(tmp_path / "base.raw", 3 << 20)
    create_image(tmp_path / "top.qcow2", None, backing=tmp_path / "base.raw")
    found = image_info(tmp_path / "top.qcow2")
    assert isinstance(found, ImageInfo)
    assert found.virtual_bytes == 3 << 20
    assert (found.backing, found.backing_format) == ("base.raw", "raw")
    assert (found.version, found.cluster_bytes, found.compression) == (3, 65536, "zlib")
    raw = image_info(tmp_path / "base.raw")
    assert (raw.format, raw.virtual_bytes, raw.backing) == (DiskFormat.RAW, 3 << 20, None)


@pytest.mark.parametrize(
    ("name", "size", "options", "sentence"),
    [
        ("a.qcow2", None, Qcow2Options(), "needs a size; add --size"),
        ("a.qcow2", 0, Qcow2Options(), "cannot have 0 bytes"),
        ("a.qcow2", 1000, Qcow2Options(), "multiple of 512"),
        ("a.qcow2", 1 << 40, Qcow2Options(512), "use larger clusters"),
        ("a.qcow2", 1 << 20, Qcow2Options(1000), "a power of two from 512 to"),
        ("a.qcow2", 1 << 20, Qcow2Options(4 << 20), "a power of two from 512 to"),
        ("a.qcow2", 1 << 20, Qcow2Options(4096, extended=True), "a power of two from 16384"),
        ("a.img", 1 << 20, Qcow2Options(), "say raw or qcow2"),
        ("no/a.raw", 1 << 20, Qcow2Options(), "there is no such file"),
        ("a.raw", 1 << 62, Qcow2Options(), "cannot be resized"),
    ],
)
def test_what_cannot_be_made(
    name: str, size: int | None, options: Qcow2Options, sentence: str, tmp_path: Path
) -> None:
    with pytest.raises(HospesError, match=sentence):
        create_image(tmp_path / name, size, options=options)
    assert list(tmp_path.iterdir()) == []


def test_a_raw_image_has_no_backing_file(tmp_path: Path) -> None:
    create_image(tmp_path / "base.raw", 1 << 20)
    with pytest.raises(HospesError, match="make it qcow2"):
        create_image(tmp_path / "a.raw", None, backing=tmp_path / "base.raw")


def test_a_backing_file_has_to_be_there(tmp_path: Path) -> None:
    with pytest.raises(HospesError, match="there is no such file"):
        create_image(tmp_path / "a.qcow2", None, backing=tmp_path / "base.raw")


def test_the_name_of_a_backing_file_has_to_fit_the_first_cluster(tmp_path: Path) -> None:
    base = tmp_path
    for _ in range(3):
        base /= "d" * 150
    base.mkdir(parents=True)
    create_image(base / "b.raw", 1 << 20)
    around = Surroundings(places=(tmp_path,))
    with pytest.raises(HospesError, match="no room for a backing file name"):
        create_image(
            tmp_path / "a.qcow2",
            None,
            backing=base / "b.raw",
            options=Qcow2Options(512),
            around=around,
        )
    create_image(tmp_path / "a.qcow2", None, backing=base / "b.raw", around=around)
    open_image(tmp_path / "a.qcow2", around=around).close()

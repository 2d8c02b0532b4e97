"""Images with features QEMU writes: read right, kept when we write, or refused in a sentence."""

import random
import subprocess
from pathlib import Path

import pytest
from tests.storage.history import Model, step
from tests.storage.qemu import (
    assert_sound,
    needs_qemu,
    qemu_check,
    qemu_img,
    qemu_io,
    qemu_read,
)

from hospes.storage.block import Kind
from hospes.storage.chain import open_image
from hospes.storage.check import check_image
from hospes.storage.errors import DamagedImageError, StorageError, UnsupportedImageError
from hospes.storage.os_file import OsFiles
from hospes.storage.qcow2 import layout
from hospes.storage.qcow2.header import BITMAPS, Header, read_header
from hospes.storage.qcow2.snapshots import read_snapshots

pytestmark = needs_qemu

SIZE = 2 << 20


def header_of(path: Path) -> Header:
    file = OsFiles().open(path, writable=False)
    try:
        return read_header(file)
    finally:
        file.close()


def ours(path: Path) -> bytes:
    """The disk's content as we see it."""
    image = open_image(path)
    try:
        return image.read(0, image.size_bytes)
    finally:
        image.close()


def make(path: Path, options: str = "", size: int = SIZE) -> None:
    words = ["-o", options] if options else []
    qemu_img("create", "-f", "qcow2", *words, path, size)


def fill(path: Path, seed: int = 1) -> None:
    """Data here and there, with zeros, whole and partial clusters."""
    chance = random.Random(seed)
    for _ in range(20):
        offset = 512 * chance.randrange(SIZE // 512)
        length = min(SIZE - offset, 512 * chance.choice((1, 3, 128, 300)))
        kind = chance.choice(("write -P 7", "write -P 9", "write -z", "write -z -u", "discard"))
        qemu_io(path, f"{kind} {offset} {length}")


def change(path: Path, seed: int = 2) -> Model:
    """A history of ours on top of what is there; checked from both sides."""
    chance, image = random.Random(seed), open_image(path, writable=True)
    model = Model(bytearray(image.read(0, image.size_bytes)))
    for _ in range(60):
        step(chance, image, model, 512)
    image.close()
    assert qemu_read(path) == model.content == ours(path)
    return model


@pytest.mark.parametrize(
    "options",
    [
        "compat=0.10",
        "compat=1.1",
        "cluster_size=512",
        "cluster_size=2M",
        "refcount_bits=1",
        "refcount_bits=2",
        "refcount_bits=8",
        "refcount_bits=64",
        "lazy_refcounts=on",
        "preallocation=metadata",
        "preallocation=falloc",
        "extended_l2=on",
        "extended_l2=on,cluster_size=16k",
    ],
)
def test_what_qemu_wrote_is_read(options: str, tmp_path: Path) -> None:
    path = tmp_path / "a.qcow2"
    make(path, options)
    fill(path)
    assert ours(path) == qemu_read(path)
    report, found = check_image(path), qemu_check(path)
    assert (report.corruptions, report.leaks) == (0, 0)
    assert report.allocated_clusters == found.get("allocated-clusters", 0)


@pytest.mark.parametrize(
    "options", ["preallocation=metadata", "extended_l2=on", "lazy_refcounts=on"]
)
def test_what_qemu_wrote_is_changed(options: str, tmp_path: Path) -> None:
    path = tmp_path / "a.qcow2"
    make(path, options)
    fill(path)
    change(path)
    assert_sound(path)


@pytest.mark.parametrize("options", ["compat=0.10", "refcount_bits=1", "refcount_bits=64"])
def test_layouts_only_read_are_refused_for_writing(options: str, tmp_path: Path) -> None:
    path = tmp_path / "a.qcow2"
    make(path, options)
    with pytest.raises(UnsupportedImageError, match="convert it first"):
        open_image(path, writable=True)


@pytest.fixture(params=["zlib", "zstd"])
def compressed(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """An image of compressed clusters, made by QEMU."""
    chance = random.Random(3)
    parts = [chance.randbytes(20_000) + bytes(range(256)) * 300 for _ in range(20)]
    raw, path = tmp_path / "a.raw", tmp_path / "a.qcow2"
    raw.write_bytes(b"".join(parts)[:SIZE].ljust(SIZE, b"\0"))
    options = f"compression_type={request.param}"
    qemu_img("convert", "-c", "-f", "raw", "-O", "qcow2", "-o", options, raw, path)
    return path


def test_compressed_clusters_are_read_and_overwritten(compressed: Path) -> None:
    image = open_image(compressed)
    kinds = {extent.kind for extent in image.extents(0, SIZE)}
    image.close()
    assert Kind.COMPRESSED in kinds
    assert ours(compressed) == qemu_read(compressed)
    change(compressed)
    assert_sound(compressed)


@pytest.mark.parametrize("options", ["", "extended_l2=on"])
def test_snapshots_are_kept(options: str, tmp_path: Path) -> None:
    path, out = tmp_path / "a.qcow2", tmp_path / "snapshot.raw"
    make(path, options)
    fill(path, 1)
    qemu_img("snapshot", "-c", "one", path)
    first = qemu_read(path)
    fill(path, 2)
    qemu_img("snapshot", "-c", "two", path)
    file = OsFiles().open(path, writable=False)
    assert [s.name for s in read_snapshots(file, read_header(file)).snapshots] == ["one", "two"]
    file.close()
    image = open_image(path, writable=True)
    with pytest.raises(StorageError, match="2 internal snapshots"):
        image.resize(SIZE // 2)
    image.resize(SIZE * 2)
    chance, model = random.Random(5), Model(bytearray(image.read(0, image.size_bytes)))
    for _ in range(80):
        offset = chance.randrange(SIZE)
        image.write(offset, b"new" * 1000)
        model.content[offset : offset + 3000] = b"new" * 1000
    image.discard(0, 300_000)
    model.content[:300_000] = image.read(0, 300_000)
    image.close()
    assert qemu_read(path) == model.content
    assert_sound(path)
    assert check_image(path).leaks == 0
    qemu_img("convert", "-f", "qcow2", "-l", "one", "-O", "raw", path, out)
    # QEMU gives a snapshot today's length.
    assert out.read_bytes() == first.ljust(2 * SIZE, b"\0")


def test_bitmaps_lose_their_validity_when_we_write(tmp_path: Path) -> None:
    path = tmp_path / "a.qcow2"
    make(path)
    fill(path)
    qemu_img("bitmap", "--add", path, "b0")
    qemu_io(path, "write 0 100k")
    before = header_of(path)
    assert before.autoclear & layout.AUTOCLEAR_BITMAPS
    assert check_image(path).leaks == 0
    ours(path)
    assert header_of(path) == before
    change(path)
    after = header_of(path)
    assert after.autoclear == 0
    assert after.extension(BITMAPS) == before.extension(BITMAPS)
    assert qemu_check(path).get("corruptions", 0) == 0


def killed_while_writing(path: Path) -> None:
    """QEMU is gone in the middle, with reference counts it has not written."""
    words = ["qemu-io", "-c", "write -P 5 0 1M", "-c", "write -P 6 100k 1M", "-c", "sigraise 9"]
    done = subprocess.run([*words, str(path)], capture_output=True, check=False, timeout=60)
    assert done.returncode != 0


def test_a_dirty_image_is_refused_for_writing_until_it_is_repaired(tmp_path: Path) -> None:
    path = tmp_path / "a.qcow2"
    make(path, "lazy_refcounts=on")
    killed_while_writing(path)
    assert header_of(path).is_dirty
    content = ours(path)
    assert check_image(path).corruptions
    with pytest.raises(DamagedImageError, match="check --repair all"):
        open_image(path, writable=True)
    report = check_image(path, repair="all")
    assert report.corruptions == 0
    assert report.corruptions_repaired > 0
    assert not header_of(path).is_dirty
    assert_sound(path)
    assert ours(path) == content
    change(path)
    assert_sound(path)


def with_bytes(path: Path, offset: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(data)


def test_a_corrupt_image_is_only_read_until_it_is_repaired(tmp_path: Path) -> None:
    path = tmp_path / "a.qcow2"
    make(path)
    fill(path)
    with_bytes(path, 79, bytes([layout.CORRUPT]))
    content = ours(path)
    with pytest.raises(DamagedImageError, match="marked as corrupt"):
        open_image(path, writable=True)
    check_image(path, repair="all")
    assert not header_of(path).is_corrupt
    change(path)
    assert len(content) == SIZE


BAD_HEADERS = [
    (0, b"QFX\xfb", "not a qcow2 image"),
    (4, b"\0\0\0\x04", "version 4"),
    (20, b"\0\0\0\x08", "2\\*\\*8"),
    (20, b"\0\0\0\x3f", "2\\*\\*63"),
    (32, b"\0\0\0\x01", "encrypted"),
    (36, b"\0\0\0\0", "too few"),
    (40, bytes(7) + b"\x01", "L1 table"),
    (48, b"\x01" + bytes(7), "refcount table"),
    (72, b"\x80" + bytes(7), "bits 63"),
    (79, b"\x04", "in another file"),
    (79, b"\x08", "compressed by method 0"),
    (79, b"\x20", "bits 5"),
    (96, b"\0\0\0\x07", "order 7"),
    (100, b"\0\0\0\x69", "length 105"),
    (104, b"\x02", "method 2"),
]


@pytest.mark.parametrize(("offset", "data", "sentence"), BAD_HEADERS)
def test_headers_that_cannot_be_used(
    offset: int, data: bytes, sentence: str, tmp_path: Path
) -> None:
    path = tmp_path / "a.qcow2"
    make(path)
    with_bytes(path, offset, data)
    with pytest.raises(StorageError, match=sentence) as caught:
        open_image(path)
    assert "\n" not in str(caught.value)


def test_unknown_compatible_features_do_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "a.qcow2"
    make(path)
    with_bytes(path, 80, b"\x80")
    change(path)
    assert header_of(path).compatible == 1 << 63


def test_metadata_is_never_given_away(tmp_path: Path) -> None:
    """A count of zero on the L1 table: writing notices, marks the image and destroys nothing."""
    path = tmp_path / "a.qcow2"
    make(path)
    with_bytes(path, (2 << 16) + 2 * 3, b"\0\0")
    image = open_image(path, writable=True)
    with pytest.raises(DamagedImageError, match="which holds metadata"):
        image.write(0, b"x" * (1 << 20))
    before = path.read_bytes()
    for request in (image.flush, lambda: image.write(0, b"x"), lambda: image.discard(0, SIZE)):
        with pytest.raises(DamagedImageError, match="which holds metadata"):
            request()
    assert image.read(0, SIZE) == bytes(SIZE)
    image.close()
    assert path.read_bytes() == before
    assert header_of(path).is_corrupt
    assert ours(path) == bytes(SIZE)
    check_image(path, repair="all")
    change(path)
    assert_sound(path)

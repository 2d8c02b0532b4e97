"""Rebasing: another image behind, the same content in front."""

import random
from pathlib import Path

import pytest
from tests.storage.cut_operations import after_cuts
from tests.storage.memory_files import MemoryFiles
from tests.storage.qemu import assert_sound, needs_qemu, qemu_img, qemu_io, qemu_read

from hospes.spec.disk import DiskFormat
from hospes.storage.chain import Surroundings, open_image
from hospes.storage.check import check_image
from hospes.storage.create import create_image
from hospes.storage.errors import StorageError
from hospes.storage.info import image_info
from hospes.storage.os_file import OsFiles
from hospes.storage.qcow2.header import BITMAPS, Extension, read_header
from hospes.storage.qcow2.making import Qcow2Options
from hospes.storage.rebase import rebase_image

SIZE = 200 * 1024
NAMES = ("old.qcow2", "new.qcow2", "top.qcow2")


def three(directory: Path, around: Surroundings | None = None, cluster_bytes: int = 4096) -> None:
    """Two images of different content, and one on top of the first."""
    old, new, top = (directory / name for name in NAMES)
    options, chance = Qcow2Options(cluster_bytes), random.Random(1)
    create_image(old, SIZE, options=options, around=around)
    create_image(new, SIZE // 2, options=options, around=around)
    create_image(top, SIZE, backing=old, options=options, around=around)
    for path in (old, new, top):
        image = open_image(path, writable=True, around=around)
        for _ in range(5):
            offset = chance.randrange(image.size_bytes - 9000)
            image.write(offset, chance.randbytes(9000))
        image.close()


def content(path: Path, around: Surroundings | None = None) -> bytes:
    image = open_image(path, around=around)
    try:
        return image.read(0, image.size_bytes)
    finally:
        image.close()


@needs_qemu
@pytest.mark.parametrize("cluster_bytes", [512, 65536])
@pytest.mark.parametrize("name", ["new.qcow2", None])
def test_the_content_stays(name: str | None, cluster_bytes: int, tmp_path: Path) -> None:
    three(tmp_path, cluster_bytes=cluster_bytes)
    top = tmp_path / "top.qcow2"
    before = qemu_read(top)
    rebase_image(top, tmp_path / name if name else None)
    assert content(top) == qemu_read(top) == before
    assert_sound(top)
    found = image_info(top)
    assert (found.backing, found.backing_format) == (name, "qcow2" if name else None)
    assert check_image(top).leaks == 0


@needs_qemu
def test_an_image_of_qemus_keeps_its_extensions(tmp_path: Path) -> None:
    three(tmp_path)
    top = tmp_path / "q.qcow2"
    qemu_img("create", "-f", "qcow2", "-b", "old.qcow2", "-F", "qcow2", top)
    qemu_img("bitmap", "--add", top, "b0")
    before, extensions = content(top), others(top)
    for backing in ("new.qcow2", None, "old.qcow2"):
        rebase_image(top, tmp_path / backing if backing else None)
        assert others(top) == extensions
        assert content(top) == qemu_read(top) == before
    assert BITMAPS in {extension.kind for extension in extensions}


def others(path: Path) -> list[Extension]:
    """All extensions but the one that names the backing file's format."""
    file = OsFiles().open(path, writable=False)
    found = [e for e in read_header(file).extensions if e.data != b"qcow2"]
    file.close()
    return found


def test_by_name_only(tmp_path: Path) -> None:
    three(tmp_path)
    top = tmp_path / "top.qcow2"
    before = content(top)
    (tmp_path / "old.qcow2").rename(tmp_path / "moved.qcow2")
    with pytest.raises(StorageError, match="there is no such file"):
        rebase_image(top, tmp_path / "moved.qcow2")
    rebase_image(top, tmp_path / "moved.qcow2", unsafe=True)
    assert content(top) == before
    rebase_image(top, tmp_path / "new.qcow2", unsafe=True)
    assert content(top) != before


@needs_qemu
def test_a_missing_format_can_be_supplied(tmp_path: Path) -> None:
    three(tmp_path)
    (tmp_path / "old.qcow2").rename(tmp_path / "old.img")
    top = tmp_path / "top.qcow2"
    rebase_image(top, tmp_path / "old.img", unsafe=True, backing_format=DiskFormat.QCOW2)
    assert image_info(top).backing == "old.img"
    qemu_io(top, "read 0 100k")


def make_files() -> MemoryFiles:
    files = MemoryFiles()
    three(Path("/disks"), Surroundings(files))
    return files


@pytest.mark.parametrize("name", ["new.qcow2", None])
def test_a_power_cut_at_any_moment_changes_nothing(name: str | None) -> None:
    top = Path("/disks/top.qcow2")
    before = content(top, Surroundings(make_files()))

    def action(around: Surroundings) -> None:
        rebase_image(top, Path("/disks") / name if name else None, around=around)

    backings = set()
    for around in after_cuts(make_files, action, 60):
        assert check_image(top, around=around).corruptions == 0
        assert content(top, around) == before
        backings.add(image_info(top, around=around).backing)
    assert backings == {"old.qcow2", name}


@needs_qemu
def test_a_power_cut_while_a_long_header_changes(tmp_path: Path) -> None:
    """QEMU's feature names make the extensions longer than a sector."""
    old, top = Path("/disks/old.qcow2"), Path("/disks/top.qcow2")
    qemu_img("create", "-f", "qcow2", tmp_path / "old.qcow2", SIZE)
    words = ["-b", "old.qcow2", "-F", "qcow2", "-o", "cluster_size=4k"]
    qemu_img("create", "-f", "qcow2", *words, tmp_path / "top.qcow2")

    def make() -> MemoryFiles:
        files = MemoryFiles()
        for name in ("old.qcow2", "top.qcow2"):
            files.add(name, (tmp_path / name).read_bytes())
        return files

    def action(around: Surroundings) -> None:
        rebase_image(top, None, around=around)
        rebase_image(top, old, around=around)

    backings = set()
    for around in after_cuts(make, action, 200):
        assert check_image(top, around=around).corruptions == 0
        backings.add(image_info(top, around=around).backing)
    assert backings == {"old.qcow2", None}


def test_a_raw_image_is_based_on_nothing(tmp_path: Path) -> None:
    create_image(tmp_path / "a.raw", SIZE)
    with pytest.raises(StorageError, match="convert it to qcow2 first"):
        rebase_image(tmp_path / "a.raw", None)

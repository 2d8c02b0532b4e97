"""Committing: content goes down one image, and nothing looks different meanwhile."""

import random
from pathlib import Path

import pytest
from tests.storage.cut_operations import after_cuts
from tests.storage.history import Model, step
from tests.storage.memory_files import MemoryFiles
from tests.storage.qemu import assert_sound, needs_qemu, qemu_img, qemu_io, qemu_read

from hospes.storage.chain import Surroundings, open_image
from hospes.storage.check import check_image
from hospes.storage.commit import commit_image
from hospes.storage.create import create_image
from hospes.storage.errors import StorageError
from hospes.storage.qcow2.making import Qcow2Options

SIZE = 200 * 1024
BASE, TOP = Path("/disks/base.qcow2"), Path("/disks/top.qcow2")


def changed(path: Path, seed: int, around: Surroundings | None = None) -> bytes:
    """The content after a history on top of what was there."""
    chance, image = random.Random(seed), open_image(path, writable=True, around=around)
    model = Model(bytearray(image.read(0, image.size_bytes)))
    for _ in range(30):
        step(chance, image, model, 512)
    image.close()
    return bytes(model.content)


@needs_qemu
@pytest.mark.parametrize("suffix", ["qcow2", "raw"])
def test_the_backing_image_has_everything_afterwards(suffix: str, tmp_path: Path) -> None:
    base, top = tmp_path / f"base.{suffix}", tmp_path / "top.qcow2"
    create_image(base, SIZE)
    changed(base, 1)
    create_image(top, 2 * SIZE, backing=base)
    content = changed(top, 2)
    commit_image(top)
    assert qemu_read(base, suffix)[: len(content)] == content
    assert qemu_read(top) == content
    assert_sound(top)
    assert check_image(top).allocated_clusters == 0
    if suffix == "qcow2":
        assert_sound(base)
    assert changed(top, 3) == qemu_read(top)


@needs_qemu
def test_compressed_clusters_and_snapshots_of_qemus(tmp_path: Path) -> None:
    base, top = tmp_path / "base.qcow2", tmp_path / "top.qcow2"
    create_image(base, SIZE)
    qemu_img("create", "-f", "qcow2", "-b", base.name, "-F", "qcow2", top)
    qemu_io(top, "write -c -P 3 0 64k", "write -P 4 70k 20k")
    qemu_img("snapshot", "-c", "kept", top)
    qemu_io(top, "write -P 5 80k 20k")
    content = qemu_read(top)
    commit_image(top)
    assert qemu_read(base) == qemu_read(top) == content
    assert_sound(top)


def files_to_commit() -> MemoryFiles:
    files = MemoryFiles()
    around, options = Surroundings(files), Qcow2Options(1024)
    create_image(BASE, SIZE, options=options, around=around)
    changed(BASE, 4, around)
    create_image(TOP, SIZE, backing=BASE, options=options, around=around)
    changed(TOP, 5, around)
    return files


def test_a_power_cut_at_any_moment_changes_nothing() -> None:
    image = open_image(TOP, around=Surroundings(files_to_commit()))
    content = image.read(0, image.size_bytes)
    for around in after_cuts(files_to_commit, lambda around: commit_image(TOP, around=around), 60):
        assert check_image(TOP, around=around).corruptions == 0
        assert check_image(BASE, around=around).corruptions == 0
        image = open_image(TOP, around=around)
        assert image.read(0, image.size_bytes) == content


def test_an_image_based_on_nothing(tmp_path: Path) -> None:
    create_image(tmp_path / "a.qcow2", SIZE)
    with pytest.raises(StorageError, match="nowhere to commit"):
        commit_image(tmp_path / "a.qcow2")

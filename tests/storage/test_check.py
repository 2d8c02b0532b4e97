"""Checks and repairs, against QEMU's judgement of the same damage."""

import random
import struct
from pathlib import Path

import pytest
from tests.storage.memory_files import MemoryFiles
from tests.storage.qemu import assert_sound, needs_qemu, qemu_check

from hospes.spec.disk import DiskFormat
from hospes.storage.chain import Surroundings, open_image
from hospes.storage.check import check_image
from hospes.storage.create import create_image
from hospes.storage.errors import StorageError
from hospes.storage.qcow2.making import Qcow2Options

SIZE = 1 << 20
CLUSTER = 4096
BLOCK = 2 * CLUSTER
L1 = 3 * CLUSTER


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A sound image of 4 KiB clusters: header, refcount table, its block, L1 table, the rest."""
    path, chance = tmp_path / "a.qcow2", random.Random(1)
    create_image(path, SIZE, options=Qcow2Options(CLUSTER))
    image = open_image(path, writable=True)
    for _ in range(20):
        image.write(chance.randrange(SIZE - 20_000), chance.randbytes(20_000))
    image.close()
    return path


def patch(path: Path, offset: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(data)


def word(path: Path, offset: int) -> int:
    return int.from_bytes(path.read_bytes()[offset : offset + 8])


def l2(path: Path) -> int:
    """Where the first L2 table is."""
    return word(path, L1) & 0x00FF_FFFF_FFFF_FE00


def count_too_high(path: Path) -> None:
    patch(path, BLOCK + 2 * 10, struct.pack(">H", 3))


def count_too_low(path: Path) -> None:
    patch(path, BLOCK + 2 * 10, struct.pack(">H", 0))


def leaked_clusters(path: Path) -> None:
    patch(path, BLOCK + 2 * 400, struct.pack(">3H", 1, 1, 1))
    patch(path, 410 * CLUSTER, b"leaked")


def wrong_flag(path: Path) -> None:
    at = next(at for at in range(l2(path), l2(path) + CLUSTER, 8) if word(path, at))
    patch(path, at, struct.pack(">Q", word(path, at) ^ 1 << 63))


def shared_cluster(path: Path) -> None:
    used = [at for at in range(l2(path), l2(path) + CLUSTER, 8) if word(path, at)]
    patch(path, used[0], struct.pack(">Q", word(path, used[1])))


def everything(path: Path) -> None:
    for damage in (count_too_high, leaked_clusters, wrong_flag, shared_cluster):
        damage(path)


DAMAGES = [count_too_high, count_too_low, leaked_clusters, wrong_flag, shared_cluster, everything]


@needs_qemu
@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_qemu_finds_the_same_and_nothing_after_a_repair(damage, path: Path) -> None:
    content = open_and_read(path)
    damage(path)
    ours, theirs = check_image(path), qemu_check(path)
    assert ours.leaks == theirs.get("leaks", 0)
    assert (ours.corruptions > 0) == (theirs.get("corruptions", 0) > 0)
    assert ours.exit_code == (2 if ours.corruptions else 3)
    repaired = check_image(path, repair="all")
    assert (repaired.corruptions, repaired.leaks, repaired.exit_code) == (0, 0, 0)
    assert repaired.corruptions_repaired == ours.corruptions
    assert_sound(path)
    if damage not in (shared_cluster, everything):
        assert open_and_read(path) == content


def open_and_read(path: Path) -> bytes:
    image = open_image(path)
    try:
        return image.read(0, image.size_bytes)
    finally:
        image.close()


@needs_qemu
def test_leaks_alone_may_be_repaired(path: Path) -> None:
    count_too_high(path)
    leaked_clusters(path)
    before = check_image(path)
    report = check_image(path, repair="leaks")
    assert (before.leaks, report.leaks, report.leaks_repaired) == (4, 0, 4)
    assert_sound(path)


def test_a_repair_of_leaks_leaves_corruption_alone(path: Path) -> None:
    """A count too low is one, and so is what the cluster's entry says of it."""
    count_too_low(path)
    before = path.read_bytes()
    assert check_image(path, repair="leaks").corruptions == 2
    assert path.read_bytes() == before


@pytest.mark.parametrize("entry", [0x1234 << 9, 1 << 50, (1 << 63) | 0x600])
def test_tables_that_cannot_be_are_told_and_left_alone(entry: int, path: Path) -> None:
    patch(path, L1, struct.pack(">Q", entry))
    report = check_image(path, repair="all")
    assert report.corruptions
    assert "names an L2 table at" in report.problems[0]


def test_a_missing_refcount_block_is_made(path: Path) -> None:
    content = open_and_read(path)
    patch(path, CLUSTER, bytes(8))
    assert check_image(path).corruptions
    assert check_image(path, repair="all").corruptions == 0
    assert open_and_read(path) == content


def test_what_cannot_be_checked() -> None:
    files = MemoryFiles()
    around = Surroundings(files)
    create_image(Path("a.raw"), SIZE, around=around)
    with pytest.raises(StorageError, match="nothing in it to check"):
        check_image(Path("/disks/a.raw"), around=around)
    create_image(Path("a.img"), SIZE, DiskFormat.QCOW2, around=around)
    with pytest.raises(StorageError, match="'some' cannot be repaired; choose leaks or all"):
        check_image(Path("/disks/a.img"), DiskFormat.QCOW2, repair="some", around=around)
    assert check_image(Path("/disks/a.img"), DiskFormat.QCOW2, around=around).exit_code == 0

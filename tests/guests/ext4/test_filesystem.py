"""File systems of every kind that mke2fs makes, read file by file and compared with the tree."""

import os
import random
from pathlib import Path

import pytest
from tests.guests.ext4.images import content, file_system, make_ext4, needs_e2fsprogs, program

from hospes.base.errors import HospesError
from hospes.guests.ext4.errors import AbsentError, FileSystemError
from hospes.guests.ext4.filesystem import FileSystem

pytestmark = needs_e2fsprogs

KINDS = {
    "usual": [],
    "1k": ["-b", "1024"],
    "64k": ["-b", "65536", "-O", "^has_journal"],
    "ext2": ["-t", "ext2"],
    "ext3": ["-t", "ext3", "-b", "2048"],
    "block maps": ["-b", "1024", "-O", "^extent,^64bit"],
    "no checksums": ["-O", "^metadata_csum,^64bit"],
    "group checksums": ["-O", "^metadata_csum,uninit_bg"],
    "seeded": ["-O", "metadata_csum_seed,casefold,encrypt"],
    "inline": ["-O", "inline_data,^has_journal"],
    "large directories": ["-O", "large_dir"],
    "meta groups": ["-b", "1024", "-O", "meta_bg,^resize_inode"],
    "clusters": ["-b", "1024", "-O", "bigalloc", "-C", "4096"],
    "sparse": ["-O", "sparse_super2"],
    "small inodes": ["-I", "128"],
}


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files of every size and shape."""
    root, chance = tmp_path_factory.mktemp("tree"), random.Random(0)
    for folder in ("boot", "many", "deep/er"):
        (root / folder).mkdir(parents=True)
    for number in range(600):
        (root / f"many/a-name-for-file-{number}").write_text(f"{number}")
    for size in (0, 1, 59, 60, 61, 120, 1023, 4096, 70_000, 700_000):
        (root / f"boot/{size}").write_bytes(chance.randbytes(size))
    (root / "deep/er/up").symlink_to("../../boot/60")
    (root / "deep/from-the-root").symlink_to("/boot/61")
    (root / "deep/out").symlink_to("../../../../boot/59")
    (root / "long").symlink_to("x" * 100)
    (root / "round").symlink_to("deep/../round")
    with (root / "sparse").open("wb") as file:
        for place in (0, 333_333, 1_500_000):
            file.seek(place)
            file.write(chance.randbytes(5000))
        file.truncate(2_000_000)
    return root


def compare(system: FileSystem, tree: Path, folder: Path) -> int:
    """Assert that a directory holds what the tree's does; returns the number of files."""
    names = system.names(system.resolve(str(folder.relative_to(tree))))
    assert set(names) - {"lost+found"} == set(os.listdir(folder))
    count = 0
    for path in folder.iterdir():
        file = system.resolve(str(path.relative_to(tree)), follow=False)
        if path.is_symlink():
            assert system.target(file) == os.readlink(path)
        elif path.is_dir():
            count += compare(system, tree, path)
        else:
            wanted = dumped(Path(system.name), path.name) if path.name == "sparse" else None
            assert system.read(file) == (wanted or path.read_bytes()), path
        count += 1
    return count


def dumped(image: Path, name: str) -> bytes:
    """A file as debugfs reads it: mke2fs forgets a hole at the end when data may be inline."""
    out = image.with_suffix(".out")
    program("debugfs", "-R", f"dump {name} {out}", image)
    return out.read_bytes()


@pytest.mark.parametrize("options", KINDS.values(), ids=KINDS.keys())
def test_everything_is_read(options: list[str], tree: Path, tmp_path: Path) -> None:
    path = tmp_path / "fs"
    make_ext4(path, tree, *options, size="64M")
    assert compare(file_system(path), tree, tree) == 620
    program("e2fsck", "-f", "-y", "-D", path, codes=(0, 1))  # turns directories into hashed trees
    assert compare(file_system(path), tree, tree) == 620


@pytest.fixture(scope="module")
def image(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file system of the usual kind."""
    path = tmp_path_factory.mktemp("image") / "fs"
    make_ext4(path, tree, "-b", "4096", "-U", "00010203-0405-0607-0809-0a0b0c0d0e0f")
    return path


def test_links_stay_inside(image: Path, tree: Path) -> None:
    system = file_system(image)
    for path, target in (
        ("deep/er/up", "60"),
        ("deep/from-the-root", "61"),
        ("/deep/out", "59"),
        ("/../many/.././boot//59", "59"),
    ):
        assert content(system, path) == (tree / "boot" / target).read_bytes()
    assert system.real_path("deep/er/up") == "boot/60"
    assert system.real_path("nowhere/x") == "nowhere/x"
    with pytest.raises(FileSystemError, match="links at 'round' do not end"):
        system.resolve("round")
    for absent in ("nowhere", "boot/60/x", "long"):
        with pytest.raises(AbsentError, match=f"no file '{absent}'"):
            system.resolve(absent)


def test_refusals(image: Path, tmp_path: Path) -> None:
    system = file_system(image)
    assert system.uuid == "00010203-0405-0607-0809-0a0b0c0d0e0f"
    with pytest.raises(FileSystemError, match="has 700000 bytes, more than the 1000"):
        system.read(system.resolve("boot/700000"), limit=1000)
    with pytest.raises(FileSystemError, match="no ordinary file"):
        system.read(system.resolve("boot"))
    with pytest.raises(FileSystemError, match="no directory"):
        system.names(system.resolve("boot/59"))


@pytest.mark.parametrize(
    ("field", "sentence"),
    [
        ("feature_incompat 0x1", "has compression, which Hospes does not read"),
        ("feature_incompat 0x100000", "has the feature 0x100000, which"),
        ("inodes_per_group 0", "its superblock contradicts itself"),
        ("blocks_count 999999", "bytes on a volume of"),
    ],
)
def test_a_superblock_that_cannot_be(
    image: Path, tmp_path: Path, field: str, sentence: str
) -> None:
    path = tmp_path / "fs"
    path.write_bytes(image.read_bytes())
    program("debugfs", "-w", "-R", f"set_super_value {field}", path)
    with pytest.raises(HospesError, match=sentence):
        file_system(path)


@pytest.mark.parametrize(
    ("what", "sentence"),
    [
        ("superblock", "superblock's checksum is wrong"),
        ("group", "checksum of block group 0 is wrong"),
        ("inode", "checksum of inode 2 is wrong"),
        ("directory", "checksum of a directory's block is wrong"),
    ],
)
def test_a_flipped_bit_is_noticed(image: Path, tmp_path: Path, what: str, sentence: str) -> None:
    path = tmp_path / "fs"
    data = bytearray(image.read_bytes())
    table = int(program("debugfs", "-R", "imap <2>", image).split("at block ")[1].split(",")[0])
    block = int(program("debugfs", "-R", "bmap <2> 0", image))
    places = {"superblock": 1024 + 0x78, "group": 4096 + 12, "inode": 4096 * table + 256 + 20}
    data[places.get(what, 4096 * block + 2000)] ^= 1
    path.write_bytes(data)
    with pytest.raises(FileSystemError, match=sentence):
        file_system(path).names(file_system(path).resolve(""))

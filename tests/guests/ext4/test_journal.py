"""Journals left by a crash: what is read is what e2fsck's own replay leaves on the disk."""

from pathlib import Path

import pytest
from tests.guests.ext4.images import content, file_system, make_ext4, needs_e2fsprogs, program

from hospes.guests.ext4.errors import FileSystemError

pytestmark = needs_e2fsprogs

BLOCKS = 10
JOURNAL_MAGIC = bytes.fromhex("c03b3998")
KINDS = {"no checksums": "", "checksums 2": "-c -v 2", "checksums 3": "-c -v 3"}


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    """A file system with one file of ten blocks."""
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "file").write_bytes(b"old " * (1024 * BLOCKS // 4))
    make_ext4(tmp_path / "fs", tree, "-b", "1024", "-J", "size=1")
    return tmp_path / "fs"


def journalled(plain: Path, options: str) -> Path:
    """The file system with three transactions in its journal, of which one revokes."""
    path, first = plain.with_name("left"), int(program("debugfs", "-R", "bmap file 0", plain))
    path.write_bytes(plain.read_bytes())
    contents = [bytes([number]) * 1024 for number in range(BLOCKS)]
    contents[4] = JOURNAL_MAGIC + contents[4][4:]  # looks like the journal's own
    (plain.parent / "many").write_bytes(b"".join(contents))
    (plain.parent / "one").write_bytes(b"last" * 256)
    commands = [
        f"jo {options}",
        f"jw -b {first}-{first + BLOCKS - 1} {plain.parent}/many",
        f"jw -r {first + 2}",
        f"jw -b {first + 3} {plain.parent}/one",
        "jc",
    ]
    (plain.parent / "commands").write_text("".join(f"{line}\n" for line in commands))
    program("debugfs", "-w", "-f", plain.parent / "commands", path)
    return path


@pytest.mark.parametrize("options", KINDS.values(), ids=KINDS.keys())
def test_replay(plain: Path, options: str) -> None:
    left = journalled(plain, options)
    before = left.read_bytes()
    seen = content(file_system(left), "file")
    assert left.read_bytes() == before
    program("e2fsck", "-f", "-y", left, codes=(0, 1))
    assert content(file_system(left), "file") == seen
    pieces = [seen[at : at + 4] for at in range(0, len(seen), 1024)]
    assert pieces[:6] == [bytes(4), b"\1" * 4, b"old ", b"last", JOURNAL_MAGIC, b"\5" * 4]


def journal_block(image: Path, number: int) -> int:
    return int(program("debugfs", "-R", f"bmap <8> {number}", image)) * 1024


@pytest.mark.parametrize(
    ("block", "seen"),
    [(12, b"old "), (17, b"\3\3\3\3")],
    ids=["the first commit", "the last commit"],
)
def test_what_was_not_finished_is_left_out(plain: Path, block: int, seen: bytes) -> None:
    left = journalled(plain, "-c")
    with left.open("r+b") as file:
        file.seek(journal_block(left, block) + 30)
        file.write(b"?")
    assert content(file_system(left), "file")[3 * 1024 :][:4] == seen


def test_a_damaged_block_in_the_journal_is_noticed(plain: Path) -> None:
    left = journalled(plain, "-c")
    with left.open("r+b") as file:
        file.seek(journal_block(left, 3))
        file.write(b"?")
    with pytest.raises(FileSystemError, match="journal has a wrong checksum for block"):
        content(file_system(left), "file")


def test_a_damaged_superblock_of_the_journal_is_noticed(plain: Path) -> None:
    left = journalled(plain, "-c")
    with left.open("r+b") as file:
        file.seek(journal_block(left, 0) + 0x20)
        file.write(b"?")
    with pytest.raises(FileSystemError, match="superblock with a wrong checksum"):
        file_system(left)

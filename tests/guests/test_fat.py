"""The volumes that seeds are, read by the programs that everyone reads them with."""

import random
from pathlib import Path

import pytest
from tests.guests.ext4.images import have, program

from hospes.base.errors import HospesError
from hospes.guests.fat import CAPACITY_BYTES, make_fat

FILES = {
    "user-data": b"#cloud-config\n" + random.Random(1).randbytes(100_000),
    "meta-data": b"instance-id: 1\n",
    "network-config": b"x" * 512,
    "exactly-26-characters-long": b"",
    "thirteen-long": b"13",
    "umlaut-\N{LATIN SMALL LETTER U WITH DIAERESIS}": b"u",
}


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    path = tmp_path / "volume"
    path.write_bytes(make_fat("CIDATA", FILES))
    return path


@pytest.mark.skipif(not have("fsck.fat"), reason="fsck.fat is not installed (package dosfstools)")
def test_fsck_finds_nothing(volume: Path) -> None:
    said = program("fsck.fat", "-n", "-v", volume)
    assert said.endswith("7 files, 200/8095 clusters\n")  # the label counts as a file


@pytest.mark.skipif(not have("mcopy", "mdir"), reason="mtools are not installed")
@pytest.mark.parametrize("name", [name for name in FILES if name.isascii()])
def test_mtools_reads_the_files(volume: Path, name: str) -> None:
    copy = volume.with_name("copy")
    program("mcopy", "-n", "-i", volume, f"::{name}", copy)
    assert copy.read_bytes() == FILES[name]


@pytest.mark.skipif(not have("blkid"), reason="blkid is not installed")
def test_its_label_and_type_are_seen(volume: Path) -> None:
    said = program("blkid", "-p", "-o", "export", volume)
    assert {"LABEL=CIDATA", "TYPE=vfat"} <= set(said.splitlines())


def test_the_same_files_give_the_same_volume() -> None:
    assert make_fat("A", FILES) == make_fat("A", dict(FILES))
    assert len(make_fat("A", {})) == 4 << 20


def test_all_the_room_is_used_and_no_more(tmp_path: Path) -> None:
    make_fat("A", {"full": bytes(CAPACITY_BYTES)})
    with pytest.raises(HospesError, match="do not fit on a disk for A"):
        make_fat("A", {"full": bytes(CAPACITY_BYTES), "more": b"1"})

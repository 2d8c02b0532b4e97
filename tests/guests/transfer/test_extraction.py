"""What a guest sends stays in the place of the copy, whatever it is."""

import contextlib
import os
import stat
import tarfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.guests.transfer.archives import archive, member

from hospes.base.errors import GuestError, HospesError
from hospes.guests.transfer.extraction import Extraction
from hospes.guests.transfer.placement import Placement
from hospes.guests.transfer.tar_stream import TarStream

Members = list[tuple[tarfile.TarInfo, bytes]]
TOP = (member("./top", tarfile.DIRTYPE), b"")


def extract(data: bytes, where: Path, name: str = "copy") -> Extraction:
    """Extract a stream as `where/name`."""
    moved: list[int] = []
    extraction = Extraction(lambda entry: Placement(str(where), name), moved.append)
    stream = TarStream()
    try:
        for at in range(0, len(data), 1000):
            for event in stream.feed(data[at : at + 1000]):
                extraction.take(event)
        if stream.complete:
            extraction.finish()
    finally:
        extraction.abandon()
    return extraction


def everything(path: Path) -> dict[str, str]:
    """What there is under a path, by name."""
    found = {}
    for directory, names, files in os.walk(path):
        for name in [*names, *files]:
            entry = Path(directory, name)
            found[str(entry.relative_to(path))] = stat.filemode(entry.lstat().st_mode)
    return found


def test_a_tree(tmp_path: Path) -> None:
    members: Members = [
        (member("./top", tarfile.DIRTYPE, mode=0o555, mtime=7), b""),
        (member("./top/a", mode=0o640, pax_headers={"mtime": "8.123456789"}), b"text"),
        (member("./top/d", tarfile.DIRTYPE, mode=0o500, mtime=9), b""),
        (member("./top/d/b", mode=0o777), b"x" * 100_000),
        (member("./top/d/h", tarfile.LNKTYPE, linkname="./top/a"), b""),
        (member("./top/l", tarfile.SYMTYPE, linkname="/etc/passwd", mtime=10), b""),
    ]
    extraction = extract(archive(members), tmp_path)
    copy = tmp_path / "copy"
    assert everything(tmp_path) == {
        "copy": "dr-xr-xr-x", "copy/a": "-rw-r-----", "copy/d": "dr-x------",
        "copy/d/b": "-rwxrwxrwx", "copy/d/h": "-rw-r-----", "copy/l": "lrwxrwxrwx",
    }  # fmt: skip
    assert (copy / "a").read_text() == "text"
    assert (copy / "d/b").read_bytes() == b"x" * 100_000
    assert (copy / "d/h").stat().st_ino == (copy / "a").stat().st_ino
    assert os.readlink(copy / "l") == "/etc/passwd"
    times = [(copy / name).lstat().st_mtime_ns for name in (".", "a", "d", "l")]
    assert times == [7 * 10**9, 8_123_456_789, 9 * 10**9, 10 * 10**9]
    assert not extraction.skipped


def test_one_file(tmp_path: Path) -> None:
    (tmp_path / "copy").write_text("old")
    os.link(tmp_path / "copy", tmp_path / "other")
    extract(archive([(member("./top"), b"new")]), tmp_path)
    assert (tmp_path / "copy").read_text() == "new"
    assert (tmp_path / "other").read_text() == "old"


def test_contents_go_into_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir(0o700)
    (tmp_path / "d/kept").touch()
    members: Members = [
        (member("./", tarfile.DIRTYPE), b""),
        (member("./a"), b"1"),
        (member("./d", tarfile.DIRTYPE, mode=0o777), b""),
        (member("./d/b"), b"2"),
    ]
    extract(archive(members), tmp_path, name="")
    assert set(everything(tmp_path)) == {"a", "d", "d/b", "d/kept"}
    assert stat.S_IMODE((tmp_path / "d").stat().st_mode) == 0o700


def test_zeros_become_holes(tmp_path: Path) -> None:
    body = b"a" + bytes(1_000_000) + b"b" + bytes(500_000)
    extract(archive([(member("./top"), body)]), tmp_path)
    status = (tmp_path / "copy").stat()
    assert (tmp_path / "copy").read_bytes() == body
    assert status.st_blocks * 512 < 100_000


def test_no_rights_of_others_come_along(tmp_path: Path) -> None:
    extract(archive([(member("./top", mode=0o6755), b"x")]), tmp_path)
    status = (tmp_path / "copy").stat()
    assert stat.S_IMODE(status.st_mode) == 0o755
    assert status.st_uid == os.getuid()


def test_devices_are_skipped(tmp_path: Path) -> None:
    kinds = (tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE)
    members = [TOP, *((member(f"./top/{n}", kind), b"") for n, kind in enumerate(kinds))]
    assert extract(archive(members), tmp_path).skipped == ["copy/0", "copy/1", "copy/2"]
    assert set(everything(tmp_path)) == {"copy"}


@pytest.mark.parametrize(
    "members",
    [
        [(member("../top"), b"x")],
        [(member("/top"), b"x")],
        [(member("./top/a"), b"x")],
        [TOP, (member("./top/../../escaped"), b"x")],
        [TOP, (member("/etc/escaped"), b"x")],
        [TOP, (member("./escaped"), b"x")],
        [TOP, (member("./top/" + "a/" * 2100 + "b"), b"x")],
        [TOP, (member("./top/l", tarfile.LNKTYPE, linkname="../outside/file"), b"")],
        [TOP, (member("./top/l", tarfile.LNKTYPE, linkname="/etc/passwd"), b"")],
        [TOP, (member("./top/l", tarfile.LNKTYPE, linkname="./top"), b"")],
        [TOP, (member("./top/l", tarfile.LNKTYPE, linkname="./top/l"), b"")],
        [TOP, (member("./top/s", tarfile.SYMTYPE, linkname=""), b"")],
        [
            TOP,
            (member("./top/s", tarfile.SYMTYPE, linkname="/etc/passwd"), b""),
            (member("./top/h", tarfile.LNKTYPE, linkname="./top/s"), b""),
        ],
        [TOP, (member("./top/x", pax_headers={"path": "./top/a\0b"}), b"x")],
    ],
)
def test_names_that_lead_away_are_errors_of_the_guest(tmp_path: Path, members: Members) -> None:
    outside, place = tmp_path / "outside", tmp_path / "place"
    outside.mkdir()
    (outside / "file").touch()
    place.mkdir()
    with pytest.raises(GuestError, match=r"it (sent|began with)"):
        extract(archive(members), place)
    assert set(everything(outside)) == {"file"}
    assert not (tmp_path / "escaped").exists()


@pytest.mark.parametrize("link", ["../outside", "{}/outside", "."])
@pytest.mark.parametrize(
    "member_through",
    [
        member("./top/l/file"),
        member("./top/l/new"),
        member("./top/l/d", tarfile.DIRTYPE),
        member("./top/l", tarfile.DIRTYPE),
        member("./top/l/s", tarfile.SYMTYPE, linkname="x"),
        member("./top/h", tarfile.LNKTYPE, linkname="./top/l/file"),
    ],
)
def test_no_link_is_followed(tmp_path: Path, link: str, member_through: tarfile.TarInfo) -> None:
    """Neither one that the guest sent nor one that was there before."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_text("mine")
    place = tmp_path / "place"
    place.mkdir()
    target = link.format(tmp_path)
    sent = [TOP, (member("./top/l", tarfile.SYMTYPE, linkname=target), b"")]
    with pytest.raises(HospesError, match="is no directory here"):
        extract(archive([*sent, (member_through, b"")]), place)
    with pytest.raises(HospesError, match="is no directory here"):
        extract(archive([TOP, (member_through, b"")]), place)
    assert everything(outside) == {"file": everything(outside)["file"]}
    assert (outside / "file").read_text() == "mine"


def test_a_file_takes_the_place_of_a_link_and_not_of_what_it_points_to(tmp_path: Path) -> None:
    (tmp_path / "outside").write_text("mine")
    members = [
        TOP,
        (member("./top/l", tarfile.SYMTYPE, linkname="../outside"), b""),
        (member("./top/l"), b"theirs"),
    ]
    extract(archive(members), tmp_path)
    assert (tmp_path / "outside").read_text() == "mine"
    assert (tmp_path / "copy/l").read_text() == "theirs"
    assert not (tmp_path / "copy/l").is_symlink()


def test_a_file_in_the_place_of_a_directory(tmp_path: Path) -> None:
    (tmp_path / "copy").mkdir()
    with pytest.raises(HospesError, match=r"'copy' cannot be written: Is a directory"):
        extract(archive([(member("./top"), b"x")]), tmp_path)
    assert list(everything(tmp_path)) == ["copy"]


def test_a_copy_that_is_cut_off_leaves_no_half_file(tmp_path: Path) -> None:
    (tmp_path / "copy").write_text("old")
    extract(archive([(member("./top"), b"x" * 100_000)])[:50_000], tmp_path)
    assert everything(tmp_path) == {"copy": everything(tmp_path)["copy"]}
    assert (tmp_path / "copy").read_text() == "old"


def test_a_host_that_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(HospesError, match="'copy' cannot be written: No space left on device"):
        extract(archive([(member("./top"), b"x")]), tmp_path)
    assert not everything(tmp_path)


NAMES = st.lists(st.sampled_from(["top", "a", "b", "..", ".", ""]), min_size=1, max_size=4)
TYPES = st.sampled_from([tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE])


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.tuples(NAMES, TYPES, NAMES), max_size=8))
def test_no_order_of_members_leads_away(
    tmp_path_factory: pytest.TempPathFactory, wanted: list[tuple[list[str], bytes, list[str]]]
) -> None:
    base = tmp_path_factory.mktemp("hostile")
    for name in ("a", "b", "place"):
        (base / name).mkdir()
    (base / "a/b").write_text("mine")
    before = everything(base)
    members = [
        (member("./" + "/".join(name), kind, linkname="/".join(link)), b"")
        for name, kind, link in wanted
    ]
    with contextlib.suppress(GuestError, HospesError):
        extract(archive([TOP, *members]), base / "place")
    after = everything(base)
    assert {name for name in after if not name.startswith("place/")} == set(before)
    assert (base / "a/b").read_text() == "mine"

"""Tar streams of files of this host, read back by Python's tarfile and by tar."""

import io
import os
import subprocess
import tarfile
from pathlib import Path

import pytest

from hospes.base.errors import HospesError
from hospes.guests.transfer.packing import Packing


def pack(path: Path, name: str = "./top") -> tuple[bytes, Packing, int]:
    moved: list[int] = []
    packing = Packing(path, name, moved.append)
    return b"".join(packing.pieces()), packing, sum(moved)


def test_a_tree_is_what_tar_makes_of_it_again(tmp_path: Path) -> None:
    source, copy = tmp_path / "source", tmp_path / "copy"
    (source / "d" / ("long" * 50)).mkdir(parents=True)
    (source / "a").write_bytes(os.urandom(200_000))
    (source / "a").chmod(0o640)
    os.utime(source / "a", ns=(5, 1_600_000_000_123_456_789))
    os.link(source / "a", source / "d" / "same")
    (source / "l").symlink_to("../nowhere " + "x" * 150)
    (source / "ünï \n").touch()
    Path(os.fsdecode(os.fsencode(source) + b"/\xff\xfe")).touch()
    os.mkfifo(source / "fifo")
    (source / "d").chmod(0o555)
    data, packing, moved = pack(source)
    copy.mkdir()
    subprocess.run(["tar", "-xpf", "-", "-C", copy], input=data, check=True)
    (source / "fifo").unlink()
    subprocess.run(["diff", "-r", "--no-dereference", source, copy / "top"], check=True)
    assert packing.skipped == [str(source / "fifo")]
    assert moved == 200_000
    assert (copy / "top/a").stat().st_mtime_ns == 1_600_000_000_123_456_789
    assert (copy / "top/a").stat().st_ino == (copy / "top/d/same").stat().st_ino
    modes = [(copy / "top" / name).stat().st_mode & 0o7777 for name in ("a", "d")]
    assert modes == [0o640, 0o555]


def test_everything_belongs_to_root_and_is_in_order(tmp_path: Path) -> None:
    for name in "cab":
        (tmp_path / name).write_text(name)
    data, _, _ = pack(tmp_path, ".")
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        assert tar.getnames() == [".", "./a", "./b", "./c"]
        assert {(info.uid, info.gid, info.uname) for info in tar} == {(0, 0, "root")}
    assert len(data) % 512 == 0
    assert data == pack(tmp_path, ".")[0]


def test_a_file_that_shrinks_is_told_of(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(bytes(200_000))
    pieces = Packing(path, "log", lambda count: None).pieces()
    next(pieces)
    next(pieces)
    path.write_bytes(b"")
    with pytest.raises(HospesError, match="log' shrank while it was copied"):
        list(pieces)


def test_a_file_that_grows_is_copied_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"x" * 100)
    pieces = Packing(path, "log", lambda count: None).pieces()
    data = next(pieces)
    with path.open("ab") as file:
        file.write(b"y" * 100)
    data += b"".join(pieces)
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        assert tar.extractfile("log").read() == b"x" * 100  # type: ignore[union-attr]


@pytest.mark.skipif(os.getuid() == 0, reason="root reads everything")
def test_a_file_that_cannot_be_read_is_told_of(tmp_path: Path) -> None:
    (tmp_path / "secret").touch(0o000)
    with pytest.raises(HospesError, match="secret' cannot be read: Permission denied"):
        pack(tmp_path)

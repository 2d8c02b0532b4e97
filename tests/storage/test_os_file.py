"""Files of the host: what reaches the disk, what is refused, and how errors read."""

import errno
import os
from pathlib import Path

import pytest

from hospes.storage import os_file
from hospes.storage.errors import HostFileError, StorageError
from hospes.storage.os_file import OsFile, OsFiles

FILES = OsFiles()


def opened(path: Path, *, writable: bool = True) -> OsFile:
    return FILES.open(FILES.resolve(path), writable=writable)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "disk"
    path.write_bytes(bytes(range(256)) * 64)
    return path


def test_reading_and_writing(path: Path) -> None:
    file = opened(path)
    assert (file.name, file.size()) == (str(path), 16384)
    assert file.read(250, 10) == bytes([250, 251, 252, 253, 254, 255, 0, 1, 2, 3])
    assert len(file.read(16380, 100)) == 4
    assert file.read(20000, 10) == b""
    file.write(16380, memoryview(b"abcdefgh"))
    file.truncate(20000)
    file.sync()
    file.close()
    assert path.read_bytes()[16380:16390] == b"abcdefgh\0\0"
    assert path.stat().st_size == 20000


def test_reading_at_once_is_all_or_nothing(path: Path, monkeypatch) -> None:
    file, memory = opened(path), bytearray(600)
    buffers = [memoryview(memory)[:100], memoryview(memory)[100:]]
    asked: list[tuple[int, int]] = []

    def preadv(fd: int, into: list[memoryview], offset: int, flags: int) -> int:
        asked.append((offset, flags))
        done = os.preadv(fd, into, offset)
        return done if offset < 8192 else done // 2

    class Os:
        def __getattr__(self, name: str) -> object:
            return preadv if name == "preadv" else getattr(os, name)

    monkeypatch.setattr(os_file, "os", Os())
    assert file.read_at_once(250, buffers)
    assert memory == (bytes(range(256)) * 4)[250:850]
    assert not file.read_at_once(8192, buffers)
    assert asked == [(250, os.RWF_NOWAIT), (8192, os.RWF_NOWAIT)]
    file.close()


@pytest.mark.parametrize(
    ("number", "again"), [(errno.EAGAIN, 2), (errno.EIO, 2), (errno.EOPNOTSUPP, 1)]
)
def test_what_cannot_be_read_at_once(path: Path, monkeypatch, number: int, again: int) -> None:
    file, asked = opened(path), []

    def preadv(*arguments: object) -> int:
        asked.append(arguments)
        raise OSError(number, "no")

    monkeypatch.setattr(os, "preadv", preadv)
    for _ in range(2):
        assert not file.read_at_once(0, [memoryview(bytearray(10))])
    assert len(asked) == again
    file.close()


def test_a_write_during_a_sync_is_not_taken_for_synced(path: Path, monkeypatch) -> None:
    file, synced, pwrite = opened(path), [], os.pwrite
    monkeypatch.setattr(os, "fdatasync", synced.append)

    def slow(fd: int, data: bytes, offset: int) -> int:
        file.sync()
        return pwrite(fd, data, offset)

    file.write(0, b"first")
    monkeypatch.setattr(os, "pwrite", slow)
    file.write(0, b"A")
    assert len(synced) == 1
    file.sync()
    assert len(synced) == 2
    file.close()


def test_holes(tmp_path: Path) -> None:
    path = tmp_path / "sparse"
    path.write_bytes(b"")
    file = opened(path)
    file.truncate(1 << 30)
    file.write(1 << 20, b"x" * 65536)
    start, end = file.next_data(0)
    assert start <= 1 << 20 < (1 << 20) + 65536 <= end
    assert file.next_data(1 << 29) == (1 << 30, 1 << 30)
    if not file.punch(1 << 20, 65536):
        pytest.skip("the file system of the temporary directory has no holes")
    assert file.read(1 << 20, 65536) == bytes(65536)
    assert file.allocated() < 65536


def test_a_failed_sync_is_remembered(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The host marks the pages clean, so a second sync would succeed without having written."""

    def fails(fd: int) -> None:
        raise OSError(errno.EIO, "broken")

    file = opened(path)
    file.sync()
    file.write(0, b"x")
    monkeypatch.setattr(os, "fdatasync", fails)
    with pytest.raises(HostFileError, match="cannot be written"):
        file.sync()
    monkeypatch.undo()
    with pytest.raises(HostFileError):
        file.sync()
    with pytest.raises(HostFileError):
        file.write(0, b"y")
    assert file.read(0, 1) == b"x"


def test_a_sync_without_changes_costs_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    monkeypatch.setattr(os, "fdatasync", calls.append)
    file = opened(path)
    file.sync()
    file.write(0, b"x")
    file.sync()
    file.sync()
    assert len(calls) == 1


def test_a_full_disk_is_told(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(fd: int, data: bytes, offset: int) -> int:
        raise OSError(errno.ENOSPC, "full")

    file = opened(path)
    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(HostFileError, match="the host's disk is full; free some space") as caught:
        file.write(0, b"x")
    assert caught.value.is_full


def test_a_short_write_is_continued(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda fd, data, at: real(fd, bytes(data)[:3], at))
    file = opened(path)
    file.write(5, b"0123456789")
    assert file.read(5, 10) == b"0123456789"


def test_offsets_beyond_what_the_host_counts(path: Path) -> None:
    file = opened(path)
    with pytest.raises(HostFileError):
        file.read(1 << 64, 10)
    with pytest.raises(HostFileError):
        file.write(1 << 64, b"x")


def test_without_fallocate(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os_file, "_fallocate", None)
    assert not opened(path).punch(0, 4096)


@pytest.mark.parametrize(
    ("name", "sentence"), [("absent", "there is no such file"), (".", "it is a directory")]
)
def test_files_that_cannot_be_opened(name: str, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(HostFileError, match=sentence):
        opened(tmp_path / name)


def test_a_fifo_does_not_hold_us_up(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(StorageError, match="is not a file"):
        opened(tmp_path / "pipe", writable=False)


def test_a_link_put_in_place_after_the_path_was_resolved_is_not_followed(
    path: Path, tmp_path: Path
) -> None:
    (tmp_path / "link").symlink_to(path)
    assert opened(tmp_path / "link").read(1, 1) == b"\1"
    with pytest.raises(HostFileError, match="links"):
        FILES.open(tmp_path / "link", writable=False)


def test_links_in_a_circle(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(HostFileError, match="circle"):
        opened(tmp_path / "a")


def test_a_new_file_is_seen_when_it_is_complete(tmp_path: Path) -> None:
    file = FILES.create(tmp_path / "new")
    file.write(0, b"content")
    assert not (tmp_path / "new").exists()
    file.publish()
    file.close()
    assert [entry.name for entry in tmp_path.iterdir()] == ["new"]
    assert (tmp_path / "new").read_bytes() == b"content"


def test_an_abandoned_file_leaves_nothing(tmp_path: Path) -> None:
    file = FILES.create(tmp_path / "new")
    file.abandon()
    file.close()
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten(path: Path) -> None:
    with pytest.raises(HostFileError, match="exists already"):
        FILES.create(path)


def test_nothing_made_meanwhile_is_overwritten(tmp_path: Path) -> None:
    file = FILES.create(tmp_path / "new")
    (tmp_path / "new").write_bytes(b"other")
    with pytest.raises(HostFileError, match="exists already"):
        file.publish()
    file.abandon()
    assert (tmp_path / "new").read_bytes() == b"other"
    assert len(list(tmp_path.iterdir())) == 1

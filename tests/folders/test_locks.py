"""Locks among the guest's processes, and against programs of the host."""

import fcntl
import os
import struct
from errno import ENOLCK
from pathlib import Path

from tests.folders.client import READ, READ_WRITE, Client
from tests.folders.conftest import Serve
from tests.folders.test_server import refused

from hospes.folders import request as t
from hospes.folders.locks import END, EXCLUSIVE, LOCKS_MAX, NONE, SHARED, Lock, LockTable, Range

GOT, BLOCKED = 0, 1


def taken(path: Path, kind: int, start: int = 0, length: int = 0, *, whole: bool = False) -> bool:
    """Whether a program of the host gets a lock, which it gives back at once."""
    with path.open("rb+") as file:
        try:
            if whole:
                fcntl.flock(file, kind | fcntl.LOCK_NB)
            else:
                fcntl.lockf(file, kind | fcntl.LOCK_NB, length, start)
        except OSError:
            return False
    return True


def test_pieces_that_are_needed() -> None:
    table = LockTable()
    for lock in (
        Lock(0, 100, SHARED, (b"", 1), 1), Lock(50, 150, SHARED, (b"", 2), 2),
        Lock(200, END, EXCLUSIVE, (b"", 1), 1),
    ):  # fmt: skip
        table = table.having(lock)
    assert table.needed(0, END) == [
        Range(0, 150, SHARED), Range(150, 200, NONE), Range(200, END, EXCLUSIVE),
    ]  # fmt: skip
    table = table.having(Lock(20, 70, NONE, (b"", 1), 1))
    assert table.needed(0, 100) == [
        Range(0, 20, SHARED), Range(20, 50, NONE), Range(50, 100, SHARED),
    ]  # fmt: skip
    assert table.in_the_way(Lock(60, 61, EXCLUSIVE, (b"", 1), 1)).owner == (b"", 2)
    assert table.in_the_way(Lock(60, 61, SHARED, (b"", 1), 1)) is None
    assert table.without_fid(1).locks == (Lock(50, 150, SHARED, (b"", 2), 2),)


def test_processes_of_the_guest(client: Client) -> None:
    client.put("f", b"")
    one, two = client.open("f", READ_WRITE), client.open("f", READ_WRITE)
    assert client.lock(one, EXCLUSIVE, 1) == GOT
    assert client.lock(two, EXCLUSIVE, 2) == BLOCKED
    assert client.lock(two, SHARED, 2) == BLOCKED
    # The same process through another file has it already.
    assert client.lock(two, EXCLUSIVE, 1) == GOT
    kind, start, length = client.send(t.GetLock(one, SHARED, 5, 1, 2, b"guest"))[:1], 0, 0
    assert kind == bytes((EXCLUSIVE,))
    assert (start, length) == (0, 0)
    assert client.lock(two, NONE, 1) == GOT
    assert client.lock(two, SHARED, 2) == GOT
    assert client.lock(one, SHARED, 1) == GOT
    assert client.lock(one, EXCLUSIVE, 1) == BLOCKED
    client.clunk(two)
    assert client.lock(one, EXCLUSIVE, 1) == GOT
    body = client.send(t.GetLock(one, EXCLUSIVE, 5, 1, 1, b"guest"))
    assert body[0] == NONE


def test_programs_of_the_host_see_the_guests(client: Client, folder: Path) -> None:
    client.put("f", b"0123456789")
    fid = client.open("f", READ_WRITE)
    assert client.lock(fid, EXCLUSIVE, 1, 2, 3) == GOT
    assert not taken(folder / "f", fcntl.LOCK_SH, 2, 1)
    assert taken(folder / "f", fcntl.LOCK_EX, 5, 5)
    assert client.lock(fid, SHARED, 2, 6, 2) == GOT
    assert client.lock(fid, NONE, 1, 2, 3) == GOT
    assert taken(folder / "f", fcntl.LOCK_EX, 0, 6)
    assert not taken(folder / "f", fcntl.LOCK_EX, 6, 1)
    assert taken(folder / "f", fcntl.LOCK_SH, 6, 1)
    client.clunk(fid)
    assert taken(folder / "f", fcntl.LOCK_EX)


def test_the_guest_sees_those_of_the_host(client: Client, folder: Path) -> None:
    client.put("f", b"0123456789")
    fid = client.open("f", READ_WRITE)
    with (folder / "f").open("rb+") as file:
        # Not lockf: such a lock ends when this process, the server included, closes the file.
        wanted = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 4, 4, 0)
        fcntl.fcntl(file, fcntl.F_OFD_SETLK, wanted)
        assert client.lock(fid, SHARED, 1, 0, 5) == BLOCKED
        assert client.lock(fid, SHARED, 1, 0, 4) == GOT
        body = client.send(t.GetLock(fid, SHARED, 0, 0, 1, b"guest"))
        assert (body[0], int.from_bytes(body[1:9], "little")) == (EXCLUSIVE, 4)
    assert client.lock(fid, EXCLUSIVE, 1) == GOT


def test_locks_of_whole_files_exclude_flock_of_the_host(client: Client, folder: Path) -> None:
    client.put("f", b"")
    fid = client.open("f", READ_WRITE)
    assert client.lock(fid, EXCLUSIVE, 1) == GOT
    assert not taken(folder / "f", fcntl.LOCK_SH, whole=True)
    assert client.lock(fid, NONE, 1) == GOT
    assert taken(folder / "f", fcntl.LOCK_EX, whole=True)
    with (folder / "f").open("rb+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert client.lock(fid, SHARED, 1) == BLOCKED
    assert client.lock(fid, SHARED, 1) == GOT
    assert taken(folder / "f", fcntl.LOCK_SH, whole=True)


def test_a_folder_that_is_read_only_has_locks_too(serve: Serve, folder: Path) -> None:
    (folder / "f").touch(0o644)
    (folder / "d").mkdir()
    client = Client(serve(read_only=True))
    fid = client.open("f", READ)
    assert client.lock(fid, SHARED, 1) == GOT
    assert client.lock(client.open("d"), EXCLUSIVE, 1) == GOT


def test_locks_have_an_end(client: Client) -> None:
    client.put("f", b"")
    fid = client.open("f", READ_WRITE)
    for number in range(LOCKS_MAX):
        assert client.lock(fid, SHARED, 1, 2 * number, 1) == GOT
    refused(ENOLCK, client.lock, fid, SHARED, 1, 2 * LOCKS_MAX, 1)

"""The server as a user without privileges: what root in the guest does works all the same."""

import ctypes
import os
import stat
import tempfile
import traceback
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tests.folders.client import Client

from hospes.folders import request as t
from hospes.folders.changing import GID, MODE, UID
from hospes.folders.host_tree import HostTree
from hospes.folders.ownership import OVERFLOW, Owners
from hospes.folders.server import Server

USER = 12345
PR_SET_DUMPABLE = 4


def as_user(act: Callable[[], None]) -> None:
    """Do something in a process of another user; fails if that fails."""
    child = os.fork()
    if child:
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        return
    try:
        os.setgroups([])
        os.setresgid(USER, USER, USER)
        os.setresuid(USER, USER, USER)
        # Its own /proc/self, which a process that has changed its user gets only by exec.
        ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 1)
        act()
        os._exit(0)
    except BaseException:
        traceback.print_exc()
        os._exit(1)


@pytest.fixture
def shared() -> Iterator[Path]:
    """A folder of the user's, with some things in it that are not; others' users can reach it."""
    if os.geteuid() != 0:
        pytest.skip("becoming another user needs root")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "theirs").write_text("1")
        (folder / "private").touch(0o600)
        (folder / "others").mkdir(0o755)
        (folder / "others/x").touch()
        os.chown(folder, USER, USER)
        yield folder


def client_of(shared: Path) -> Client:
    return Client(Server(HostTree(shared, Owners.of_this_process(0, 0))))


def test_what_tar_does_as_root_works(shared: Path) -> None:
    """Modes that keep everybody out, owners, devices, set-user-ID programs, capabilities."""

    def act() -> None:
        client = client_of(shared)
        assert (client.look("").uid, client.look("").gid) == (0, 0)
        client.mkdir("d", 0o555)
        client.put("d/file", b"1", 0o000)
        assert client.content("d/file") == b"1"
        assert stat.S_IMODE(client.look("d").mode) == 0o555
        assert client.look("d/file").mode == stat.S_IFREG
        client.change("d/file", UID | GID, uid=1000, gid=1000)
        client.change("d/file", MODE, mode=0o6755)
        client.send(t.MakeNode(0, b"sda", stat.S_IFBLK | 0o660, 8, 0, 6))
        client.symlink("link", b"target")
        client.change("link", UID | GID, uid=7, gid=7)
        client.clunk(client.create("service", uid=100, gid=101))
        client.set_xattr("d/file", b"security.capability", b"12345")
        seen, host = client.look("d/file"), (shared / "d/file").stat()
        assert (seen.uid, seen.gid, stat.S_IMODE(seen.mode)) == (1000, 1000, 0o6755)
        assert (host.st_uid, stat.S_IMODE(host.st_mode)) == (USER, 0o755)
        assert (client.look("service").uid, client.look("service").gid) == (100, 101)
        assert (client.look("sda").device, client.look("sda").gid) == (os.makedev(8, 0), 6)
        assert client.xattr("d/file", b"security.capability") == b"12345"

    as_user(act)


def test_what_the_user_may_not_do_the_guest_may_not(shared: Path) -> None:
    def act() -> None:
        client = client_of(shared)
        theirs = client.look("theirs")
        assert (theirs.uid, theirs.gid) == (OVERFLOW, OVERFLOW)
        assert client.content("theirs") == b"1"
        for forbidden in (
            lambda: client.content("private"), lambda: client.create("others/new"),
            lambda: client.change("theirs", MODE, mode=0o777), lambda: client.unlink("others/x"),
        ):  # fmt: skip
            with pytest.raises(PermissionError):
                forbidden()

    as_user(act)


def test_a_server_that_ends_gives_all_back(shared: Path) -> None:
    def act() -> None:
        before = len(os.listdir("/proc/self/fd"))
        with closing(client_of(shared).server):
            pass
        assert len(os.listdir("/proc/self/fd")) == before

    as_user(act)

"""A client that wants out of the folder, or more than there is."""

import os
import random
import resource
import stat
import subprocess
import threading
from errno import EBADF, EINVAL, EMFILE, ENAMETOOLONG, ENOSPC, ENOTDIR, EOPNOTSUPP
from pathlib import Path

import pytest
from tests.folders.client import READ_WRITE, RLERROR, Client
from tests.folders.conftest import Serve
from tests.folders.test_server import refused

from hospes.folders import fids
from hospes.folders import request as t
from hospes.folders.descriptors import Descriptors
from hospes.folders.request import HEADER, encode

OUTSIDE = [
    b"..", b".", b"", b"/", b"/etc", b"a/b", b"../secret", b"a\0", b"x" * 256, b"../../etc/passwd",
]  # fmt: skip


def error_of(client: Client, message: bytes, room: int = 1 << 20) -> int:
    """The error that a message is answered with."""
    number, _, body = client.exchange(message, room)
    assert number == RLERROR
    return int.from_bytes(body, "little")


def test_dotdot_ends_at_the_root(client: Client, folder: Path) -> None:
    (folder / "d").mkdir()
    root = client.look("").qid
    assert client.look("../../..").qid == root
    assert client.look("d/../..").qid == root
    assert client.look("d/..").qid == root
    with pytest.raises(FileNotFoundError):
        client.look("../secret")


@pytest.mark.parametrize("name", OUTSIDE)
def test_a_name_is_one_component(client: Client, folder: Path, name: bytes) -> None:
    (folder / "f").write_text("1")
    fid = client.walk("f")
    for request in (
        t.Create(client.walk(""), name, 2, 0o644, 0), t.MakeDirectory(0, name, 0o755, 0),
        t.Symlink(0, name, b"x", 0), t.MakeNode(0, name, 0o644, 0, 0, 0), t.Link(0, fid, name),
        t.Rename(fid, 0, name), t.RenameAt(0, b"f", 0, name), t.RenameAt(0, name, 0, b"x"),
        t.UnlinkAt(0, name, 0), t.UnlinkAt(0, name, 0x200),
    ):  # fmt: skip
        expected = ENAMETOOLONG if len(name) > 255 else EINVAL
        refused(expected, client.send, request)
    if name != b"..":
        refused(expected, client.send, t.Walk(0, 77, (name,)))
    assert [path.name for path in folder.iterdir()] == ["f"]
    assert sorted(path.name for path in folder.parent.iterdir()) == ["folder", "secret"]


def test_a_link_is_never_followed(client: Client, folder: Path) -> None:
    (folder / "out").symlink_to(folder.parent)
    (folder / "etc").symlink_to("/etc")
    (folder / "file").symlink_to("/etc/passwd")
    for name in ("out", "etc", "file"):
        refused(ENOTDIR, client.send, t.Walk(client.walk(name), 60, (b"passwd",)))
        with pytest.raises(OSError, match="symbolic links"):
            client.open(name)
        with pytest.raises(OSError, match=r"."):
            client.create(f"{name}/new")
        with pytest.raises(OSError, match=r"."):
            client.mkdir(f"{name}/new")
    with pytest.raises(OSError, match=r"."):
        client.create("file")
    with pytest.raises(OSError, match=r"."):
        client.change("file", 8, size=0)
    client.change("out", 1 | 2, mode=0, uid=5)
    client.rename("file", "renamed")
    assert os.readlink(folder / "renamed") == "/etc/passwd"
    assert Path("/etc/passwd").stat().st_size > 0
    client.unlink("out")
    assert folder.parent.is_dir()


def test_a_directory_that_becomes_a_link_meanwhile(client: Client, folder: Path) -> None:
    """What was walked to before stays what it was, and nothing outside is ever reached."""
    outside = folder.parent / "outside"
    outside.mkdir()
    (outside / "target").write_text("outside")
    (folder / "d").mkdir()
    (folder / "d/target").write_text("inside")
    stop = threading.Event()

    def swap() -> None:
        while not stop.is_set():
            os.rename(folder / "d", folder / "kept")
            os.symlink(outside, folder / "d")
            os.unlink(folder / "d")
            os.rename(folder / "kept", folder / "d")
            stop.wait(0.0005)

    thread = threading.Thread(target=swap)
    thread.start()
    found = set()
    try:
        for number in range(1500):
            try:
                found.add(client.content("d/target"))
            except OSError:
                found.add(b"")
            try:
                client.put(f"d/new{number % 7}", b"guest")
                client.unlink(f"d/new{number % 7}")
            except OSError:
                continue
    finally:
        stop.set()
        thread.join()
    assert found <= {b"inside", b""}
    assert b"inside" in found
    assert client.content("d/target") == b"inside"
    assert [path.name for path in outside.iterdir()] == ["target"]
    assert (outside / "target").read_text() == "outside"


def test_a_directory_that_is_moved_out_has_no_way_back_up(client: Client, folder: Path) -> None:
    (folder / "d").mkdir()
    fid = client.walk("d")
    os.rename(folder / "d", folder.parent / "moved")
    client.send(t.Walk(fid, 90, (b"..", b"..")))
    assert client.attributes(90).qid == client.look("").qid
    with pytest.raises(FileNotFoundError):
        client.send(t.Walk(90, 91, (b"secret",)))


def test_devices_of_the_host_are_not_opened(client: Client, folder: Path) -> None:
    os.mkfifo(folder / "fifo")
    kinds = ["fifo"]
    if os.geteuid() == 0:
        os.mknod(folder / "null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
        kinds.append("null")
    for name in kinds:
        for flags in (0, 1, 2, 0o1002):
            with pytest.raises(PermissionError):
                client.open(name, flags)
        with pytest.raises(PermissionError):
            client.change(name, 8, size=0)
        with pytest.raises(PermissionError):
            client.create(name)
        client.clunk(client.walk(name))


def test_programs_of_the_guest_get_no_rights_of_the_host(client: Client, folder: Path) -> None:
    client.put("su", b"", 0o6777)
    client.change("su", 1, mode=0o6755)
    client.set_xattr("su", b"security.capability", bytes(20))
    host = (folder / "su").stat()
    assert stat.S_IMODE(host.st_mode) == 0o755
    assert not [name for name in os.listxattr(folder / "su") if not name.startswith("user.")]


def test_messages_that_are_none(client: Client) -> None:
    assert error_of(client, b"") == EINVAL
    assert error_of(client, b"123456") == EINVAL
    assert error_of(client, bytes.fromhex("07000000 ff 0100")) == EOPNOTSUPP
    assert error_of(client, bytes.fromhex("07000000 6e 0100")) == EINVAL
    assert error_of(client, bytes.fromhex("ffffffff 6e 0100")) == EINVAL
    walk = encode(t.Walk(0, 5, (b"a", b"b")), 1)
    for size in range(7, len(walk)):
        assert error_of(client, walk[:size]) == EINVAL
    chance = random.Random(1)
    for number in range(256):
        data = chance.randbytes(chance.randrange(60))
        client.exchange(HEADER.pack(7 + len(data), number, 3) + data)


def test_numbers_beyond_all_bounds(client: Client, folder: Path) -> None:
    client.put("f", b"1")
    fid = client.open("f", READ_WRITE)
    high = (1 << 64) - 1
    for request in (
        t.Read(fid, high, 10), t.Write(fid, high, b"x"), t.Read(fid, 1 << 63, 1),
        t.SetLock(fid, 1, 0, high, high, 1, b""), t.GetLock(fid, 9, 0, 0, 1, b""),
        t.SetLock(fid, 7, 0, 0, 0, 1, b""),
        t.SetAttributes(fid, 8, 0, 0, 0, high, 0, 0, 0, 0),
        t.SetAttributes(fid, 0x120, 0, 0, 0, 0, 0, 0, high, high),
        t.ReadDirectory(client.open(""), high, 4096),
    ):  # fmt: skip
        with pytest.raises(OSError, match=r"."):
            client.send(request)
    assert client.read(fid, 0, 0xFFFF_FFFF) == b"1"
    assert len(client.content("f")) == 1


def test_fids_that_are_in_use_or_none(client: Client, folder: Path) -> None:
    (folder / "f").write_text("1")
    fid = client.walk("f")
    refused(EINVAL, client.send, t.Walk(0, fid, ()))
    refused(EINVAL, client.send, t.Attach(fid, t.NO_FID, b"", b"", 0))
    refused(EBADF, client.send, t.Walk(999, 1000, ()))
    refused(EBADF, client.clunk, 999)
    with pytest.raises(FileNotFoundError):
        client.send(t.Attach(500, t.NO_FID, b"", b"/etc", 0))
    root = client.walk("")
    for request in (t.Remove(root), t.Rename(0, 0, b"x")):
        with pytest.raises(OSError, match="busy"):
            client.send(request)


def test_fids_are_bounded(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fids, "FIDS_MAX", 100)

    def fill() -> None:
        for number in range(200):
            client.send(t.Walk(0, 1000 + number, ()))

    refused(EMFILE, fill)
    client.clunk(1000)
    client.send(t.Walk(0, 2000, ()))


def test_attributes_in_memory_are_bounded(client: Client, folder: Path) -> None:
    (folder / "f").touch()

    def fill() -> None:
        for _ in range(1000):
            client.send(t.XattrCreate(client.walk("f"), b"user.x", 1 << 16, 0))

    refused(ENOSPC, fill)
    fid = client.walk("f")
    refused(EOPNOTSUPP, client.send, t.XattrCreate(fid, b"user.x", 1 << 20, 0))
    client.send(t.Version(1 << 19, b"9P2000.L"))
    client.send(t.Attach(0, t.NO_FID, b"", b"", 0))
    fid = client.walk("f")
    client.send(t.XattrCreate(fid, b"user.x", 4, 0))
    refused(ENOSPC, client.write, fid, b"12345")
    refused(ENOSPC, client.write, fid, b"1", 3)
    client.write(fid, b"12")
    refused(EINVAL, client.clunk, fid)


def test_many_open_files_need_few_descriptors(serve: Serve, folder: Path) -> None:
    client = Client(serve(descriptors=40))
    before = len(os.listdir("/proc/self/fd"))
    opened = []
    for number in range(300):
        fid = client.create(f"f{number}")
        client.write(fid, b"%d" % number)
        opened.append(fid)
    assert len(os.listdir("/proc/self/fd")) <= before + 41
    os.rename(folder / "f3", folder / "elsewhere")
    client.rename("f5", "five")
    for number, fid in enumerate(opened):
        if number == 3:  # Moved by the host while it was closed: it is not found any more.
            with pytest.raises(FileNotFoundError):
                client.read(fid)
        else:
            assert client.read(fid) == b"%d" % number

    def unlink_all() -> None:
        for number in range(6, 300):
            client.unlink(f"f{number}")

    # Files without a name cannot be closed, so there is an end to them.
    refused(EMFILE, unlink_all)
    for fid in opened:
        client.clunk(fid)
    client.unlink("f299")


def test_a_deep_tree_is_found_again(serve: Serve, folder: Path) -> None:
    client = Client(serve(descriptors=8))
    fid = client.walk("")
    for _ in range(1050):
        client.send(t.MakeDirectory(fid, b"d", 0o755, 0))
        client.send(t.Walk(fid, fid, (b"d",)))
    client.send(t.MakeDirectory(fid, b"last", 0o755, 0))
    for number in range(20):
        client.put(f"x{number}", b"")
    client.send(t.Walk(fid, 5000, (b"last",)))
    client.clunk(5000)
    client.clunk(fid)
    # Too deep for pytest to clear away.
    subprocess.run(["rm", "-r", folder / "d"], check=True)


def test_everything_is_given_back(serve: Serve, folder: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    server = serve()
    client = Client(server)
    client.mkdir("d")
    for number in range(50):
        client.put(f"d/{number}", b"1")
        client.lock(client.open(f"d/{number}", READ_WRITE), 1, number)
    client.unlink("d/7")
    server.close()
    assert len(os.listdir("/proc/self/fd")) == before


def test_the_descriptors_are_those_that_are_known(client: Client, folder: Path) -> None:
    held: Descriptors = client.server._tree._held
    (folder / "a/b").mkdir(parents=True)
    for _ in range(10):
        client.look("a/b")
    assert len(held) == 0
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert held._limit <= soft or soft == resource.RLIM_INFINITY

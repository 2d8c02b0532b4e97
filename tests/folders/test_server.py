"""What a client can do in a folder, compared with what is on the host then."""

import os
import stat
import struct
from errno import (
    EBADF,
    EEXIST,
    EINVAL,
    EISDIR,
    EMSGSIZE,
    ENODATA,
    ENOENT,
    ENOTDIR,
    ENOTEMPTY,
    EOPNOTSUPP,
    EROFS,
)
from pathlib import Path

import pytest
from tests.folders.client import EXCLUSIVE, READ, READ_WRITE, TRUNCATE, WRITE, Client
from tests.folders.conftest import Serve

from hospes.folders import request as t
from hospes.folders.changing import ATIME, GID, MODE, MTIME, MTIME_SET, SIZE, UID


def refused(number: int, use, *arguments, **options) -> None:
    with pytest.raises(OSError, match=r".") as caught:
        use(*arguments, **options)
    assert caught.value.errno == number, caught.value


def test_a_file_is_made_written_read_and_removed(client: Client, folder: Path) -> None:
    client.put("a", b"hello\n", 0o640)
    assert (folder / "a").read_bytes() == b"hello\n"
    assert stat.S_IMODE((folder / "a").stat().st_mode) == 0o640
    fid = client.open("a", READ_WRITE)
    assert client.write(fid, b"J") == 1
    assert client.read(fid) == b"Jello\n"
    assert client.read(fid, 4, 1) == b"o"
    assert client.read(fid, 100) == b""
    client.clunk(fid)
    assert client.content("a") == b"Jello\n"
    client.unlink("a")
    assert list(folder.iterdir()) == []


def test_much_at_once(client: Client, folder: Path) -> None:
    data = os.urandom((1 << 19) - 100)
    client.put("big", data)
    fid = client.open("big")
    assert client.read(fid, 0, 1 << 20) == data
    # No more than there is room for.
    assert client.read(fid, 0, 1 << 20) == data
    assert len(client.send(t.Read(fid, 0, 1 << 20), room=1011)) == 4 + 1000


def test_names_are_found_and_moved(client: Client, folder: Path) -> None:
    client.mkdir("d")
    client.mkdir("d/e", 0o700)
    client.put("d/e/f", b"1")
    assert client.names("d/e") == [b"f"]
    open_fid = client.open("d/e/f", READ_WRITE)
    client.rename("d", "g")
    assert (folder / "g/e/f").read_text() == "1"
    client.write(open_fid, b"2")
    assert client.content("g/e/f") == b"2"
    client.put("new", b"3")
    client.rename("new", "g/e/f")
    # The file that lost its name lives on for who has it open.
    client.write(open_fid, b"4")
    assert client.read(open_fid) == b"4"
    assert client.content("g/e/f") == b"3"
    refused(ENOTEMPTY, client.unlink, "g", 0x200)
    refused(ENOTDIR, client.unlink, "g/e/f", 0x200)
    refused(EISDIR, client.unlink, "g/e")
    fid = client.walk("g/e/f")
    target = client.walk("")
    client.send(t.Rename(fid, target, b"top"))
    assert (folder / "top").read_text() == "3"
    client.send(t.Remove(fid))
    assert not (folder / "top").exists()
    refused(EBADF, client.clunk, fid)


def test_a_walk_goes_as_far_as_it_can(client: Client) -> None:
    client.mkdir("d")
    body = client.send(t.Walk(0, 50, (b"d", b"none", b"more")))
    assert body[:2] == b"\1\0"
    refused(EBADF, client.clunk, 50)
    refused(ENOENT, client.send, t.Walk(0, 50, (b"none",)))
    client.put("f", b"")
    refused(ENOTDIR, client.send, t.Walk(client.walk("f"), 51, (b"x",)))


def test_directories_in_pieces(client: Client, folder: Path) -> None:
    names = sorted(b"%d" % number * (number % 40 + 1) for number in range(300))
    for name in names:
        (folder / os.fsdecode(name)).touch()
    for count in (200, 4096, 1 << 16):
        assert client.names("", count) == names
    fid = client.open("")
    refused(EINVAL, client.send, t.ReadDirectory(fid, 0, 20))


def test_the_entries_name_files_as_attributes_do(client: Client, folder: Path) -> None:
    (folder / "x").touch()
    body = client.send(t.ReadDirectory(client.open(""), 0, 4096))[4:]
    found, at = {}, 0
    while at < len(body):
        _, _, path, _, _, length = struct.unpack_from("<BIQQBH", body, at)
        found[body[at + 24 : at + 24 + length]] = path
        at += 24 + length
    root = client.look("").qid[2]
    assert found == {b".": root, b"..": root, b"x": client.look("x").qid[2]}


def test_links(client: Client, folder: Path) -> None:
    client.put("a", b"1")
    fid = client.walk("a")
    client.send(t.Link(0, fid, b"b"))
    assert (folder / "b").samefile(folder / "a")
    assert client.look("b").links == 2
    refused(EEXIST, client.send, t.Link(0, fid, b"b"))
    client.symlink("l", b"../secret")
    assert os.readlink(folder / "l") == "../secret"
    fid = client.walk("l")
    assert client.send(t.ReadLink(fid))[2:] == b"../secret"
    assert stat.S_ISLNK(client.attributes(fid).mode)
    client.send(t.Link(0, fid, b"m"))
    assert os.readlink(folder / "m") == "../secret"
    refused(EINVAL, client.send, t.ReadLink(client.walk("a")))


def test_attributes(client: Client, folder: Path) -> None:
    client.put("a", b"12345")
    client.change("a", SIZE, size=3)
    assert (folder / "a").read_bytes() == b"123"
    client.change("a", MTIME | MTIME_SET, mtime_s=1_000_000_000, mtime_ns=5)
    assert (folder / "a").stat().st_mtime_ns == 1_000_000_000_000_000_005
    assert client.look("a").mtime_ns == 1_000_000_000_000_000_005
    before = (folder / "a").stat().st_atime_ns
    client.change("a", ATIME)
    assert (folder / "a").stat().st_atime_ns >= before
    client.symlink("l", b"nowhere")
    client.change("l", MTIME | MTIME_SET, mtime_s=1_000_000_000)
    assert (folder / "l").lstat().st_mtime_ns == 10**18
    seen = client.look("a")
    assert (seen.size, seen.uid, seen.gid) == (3, 0, 0)


def test_a_file_that_changes_has_another_version(client: Client, folder: Path) -> None:
    client.put("a", b"1")
    before = client.look("a").qid
    os.utime(folder / "a", ns=(1, 1))
    after = client.look("a").qid
    assert after[1] not in {0, before[1]}
    assert after[2] == before[2] == (folder / "a").stat().st_ino


def test_creating_what_is_there(client: Client, folder: Path) -> None:
    client.put("a", b"123")
    refused(EEXIST, client.create, "a", flags=READ_WRITE | EXCLUSIVE)
    fid = client.create("a")
    assert client.read(fid) == b"123"
    client.clunk(client.create("a", flags=WRITE | TRUNCATE))
    assert (folder / "a").read_bytes() == b""
    os.mkfifo(folder / "fifo")
    with pytest.raises(PermissionError):
        client.create("fifo")


def test_a_file_is_open_for_what_was_asked(client: Client) -> None:
    client.put("a", b"123")
    reading, writing = client.open("a", READ), client.open("a", WRITE)
    refused(EBADF, client.write, reading, b"x")
    refused(EBADF, client.read, writing)
    refused(EBADF, client.read, client.walk("a"))
    refused(EISDIR, client.open, "", READ_WRITE)
    refused(EISDIR, client.read, client.open(""))
    refused(EINVAL, client.send, t.Open(reading, READ))
    refused(EINVAL, client.send, t.Walk(reading, reading, ()))
    client.send(t.Sync(writing, 0))
    client.send(t.Sync(reading, 1))


def test_a_folder_that_is_read_only(serve: Serve, folder: Path) -> None:
    (folder / "a").write_text("1")
    (folder / "d").mkdir()
    client = Client(serve(read_only=True))
    assert client.content("a") == b"1"
    fid = client.walk("a")
    for request in (
        t.Open(fid, WRITE), t.Open(fid, READ_WRITE), t.Open(fid, READ | TRUNCATE),
        t.Create(0, b"x", 2, 0o644, 0), t.Symlink(0, b"x", b"y", 0),
        t.MakeNode(0, b"x", 0o20644, 1, 3, 0), t.MakeDirectory(0, b"x", 0o755, 0),
        t.Link(0, fid, b"x"), t.Rename(fid, 0, b"x"), t.RenameAt(0, b"a", 0, b"x"),
        t.UnlinkAt(0, b"a", 0), t.UnlinkAt(0, b"d", 0x200), t.Remove(client.walk("a")),
        t.SetAttributes(fid, MODE, 0, 0, 0, 0, 0, 0, 0, 0), t.XattrCreate(fid, b"user.x", 1, 0),
        t.Write(fid, 0, b"x"),
    ):  # fmt: skip
        refused(EROFS, client.send, request)
    assert sorted(path.name for path in folder.iterdir()) == ["a", "d"]


def test_extended_attributes(client: Client, folder: Path) -> None:
    client.put("a", b"")
    refused(ENODATA, client.xattr, "a", b"user.x")
    client.set_xattr("a", b"user.x", b"1" * 300)
    client.set_xattr("a", b"security.capability", b"\1\2")
    client.set_xattr("a", b"user.empty", b"")
    assert client.xattr("a", b"user.x") == b"1" * 300
    assert client.xattr("a", b"security.capability") == b"\1\2"
    assert sorted(client.xattr("a", b"").split(b"\0")[:-1]) == [
        b"security.capability", b"user.empty", b"user.x",
    ]  # fmt: skip
    assert os.getxattr(folder / "a", "user.x") == b"1" * 300
    with pytest.raises(OSError, match="No data"):
        os.getxattr(folder / "a", "security.capability")
    client.set_xattr("a", b"user.x", b"", 2)
    refused(ENODATA, client.xattr, "a", b"user.x")
    refused(EOPNOTSUPP, client.set_xattr, "a", b"system.posix_acl_access", b"1")
    with pytest.raises(PermissionError):
        client.set_xattr("a", b"user.hospes.guest", b"0 0 20666 600 259")


def test_owners_and_devices_are_the_guests_only(client: Client, folder: Path) -> None:
    client.put("a", b"", 0o4755)
    client.change("a", UID | GID, uid=1000, gid=100)
    seen, host = client.look("a"), (folder / "a").stat()
    assert (seen.uid, seen.gid, stat.S_IMODE(seen.mode)) == (1000, 100, 0o4755)
    assert (host.st_uid, host.st_gid, host.st_mode) == (os.geteuid(), os.getegid(), 0o100755)
    client.change("a", MODE, mode=0o444)
    assert stat.S_IMODE(client.look("a").mode) == 0o444
    assert stat.S_IMODE((folder / "a").stat().st_mode) == 0o644
    (folder / "a").chmod(0o711)
    assert stat.S_IMODE(client.look("a").mode) == 0o711
    client.change("a", UID | GID | MODE, uid=0, gid=0, mode=0o600)
    assert "user.hospes.guest" not in os.listxattr(folder / "a")

    client.send(t.MakeNode(0, b"null", stat.S_IFCHR | 0o666, 1, 3, 0))
    seen, host = client.look("null"), (folder / "null").stat()
    assert (seen.mode, seen.device) == (stat.S_IFCHR | 0o666, os.makedev(1, 3))
    assert stat.S_ISREG(host.st_mode)
    with pytest.raises(PermissionError):
        client.open("null")
    for kind in (stat.S_IFIFO, stat.S_IFSOCK):
        client.send(t.MakeNode(0, b"special", kind | 0o600, 0, 0, 0))
        assert (folder / "special").stat().st_mode == kind | 0o600
        with pytest.raises(PermissionError):
            client.open("special")
        client.change("special", UID | MODE, uid=5, mode=0o640)
        assert (folder / "special").stat().st_mode == kind | 0o640
        client.unlink("special")


def test_new_files_belong_to_who_made_them(serve: Serve, folder: Path) -> None:
    client = Client(serve(1000, 1000))
    client.put("ours", b"")
    client.clunk(client.create("theirs", uid=7, gid=8))
    client.clunk(client.create("mine", uid=1000, gid=1000))
    found = {name: client.look(name) for name in ("ours", "theirs", "mine")}
    assert {name: (one.uid, one.gid) for name, one in found.items()} == {
        "ours": (1000, 0), "theirs": (7, 8), "mine": (1000, 1000),
    }  # fmt: skip
    assert os.listxattr(folder / "mine") == []


def test_a_new_session_forgets_the_old(client: Client) -> None:
    client.put("a", b"1")
    fid = client.open("a")
    client.send(t.Version(8192, b"9P2000.L"))
    refused(EBADF, client.read, fid)
    client.send(t.Attach(0, t.NO_FID, b"", b"/", 0))
    assert client.send(t.Version(1 << 30, b"9P2000.L"))[:4] == (1 << 20).to_bytes(4, "little")
    assert client.send(t.Version(8192, b"9P2000.u"))[6:] == b"unknown"
    refused(EINVAL, client.send, t.Version(1000, b"9P2000.L"))


def test_answers_fit_their_room(client: Client, folder: Path) -> None:
    refused(EMSGSIZE, client.send, t.GetAttributes(0, 0), room=100)
    os.symlink("x" * 300, folder / "l")
    refused(EMSGSIZE, client.send, t.ReadLink(client.walk("l")), room=11)


def test_sizes(client: Client, folder: Path) -> None:
    kind, block, blocks = struct.unpack_from("<IIQ", client.send(t.StatFs(0)))
    host = os.statvfs(folder)
    assert (kind, block * blocks) == (0x0102_1997, host.f_frsize * host.f_blocks)

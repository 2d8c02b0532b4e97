"""What a client holds goes on in another server, as it would after a snapshot."""

import os
from pathlib import Path

import pytest
from tests.folders.client import READ_WRITE, Client
from tests.folders.conftest import Serve

from hospes.base.errors import HospesError
from hospes.folders import request as t
from hospes.folders import state
from hospes.folders.locks import EXCLUSIVE


def moved(client: Client, serve: Serve, *, same: bool = True) -> Client:
    """The same client with another server that goes on where the first was."""
    saved = client.server.save()
    client.server.reset()
    server = serve()
    server.load(saved)
    assert (server.save() == saved) is same
    other = Client(server, begin=False)
    other.next_fid = client.next_fid
    return other


def test_a_half_written_file_is_written_to_its_end(
    client: Client, serve: Serve, folder: Path
) -> None:
    client.mkdir("d")
    fid = client.create("d/f")
    client.write(fid, b"first ")
    other = moved(client, serve)
    other.write(fid, b"second", 6)
    assert other.read(fid) == b"first second"
    assert (folder / "d/f").read_bytes() == b"first second"
    other.clunk(fid)
    assert other.names("d") == [b"f"]


def test_directories_attributes_locks_and_users(
    client: Client, serve: Serve, folder: Path
) -> None:
    for number in range(100):
        (folder / f"f{number}").touch()
    listing = client.open("")
    body = client.send(t.ReadDirectory(listing, 0, 500))[4:]
    at = 0
    while at < len(body):
        offset = int.from_bytes(body[at + 13 : at + 21], "little")
        at += 24 + int.from_bytes(body[at + 22 : at + 24], "little")
    before = len(client.send(t.ReadDirectory(listing, offset, 1 << 16)))
    attribute = client.walk("f1")
    client.send(t.XattrCreate(attribute, b"user.x", 4, 0))
    client.write(attribute, b"12")
    locked = client.open("f2", READ_WRITE)
    assert client.lock(locked, EXCLUSIVE, 7) == 0
    user = client.walk("", uid=1000)

    other = moved(client, serve)
    assert len(other.send(t.ReadDirectory(listing, offset, 1 << 16))) == before
    other.write(attribute, b"34", 2)
    other.clunk(attribute)
    assert os.getxattr(folder / "f1", "user.x") == b"1234"
    assert other.lock(other.open("f2", READ_WRITE), EXCLUSIVE, 8) == 1
    other.send(t.Create(user, b"new", 2, 0o644, 5))
    assert (other.look("new").uid, other.look("new").gid) == (1000, 5)


def test_a_file_without_a_name_has_its_content(client: Client, serve: Serve, folder: Path) -> None:
    fid, same = client.create("f"), client.walk("f")
    client.write(fid, b"content")
    client.unlink("f")
    other = moved(client, serve, same=False)
    assert other.read(fid) == b"content"
    other.write(fid, b"more", 7)
    other.send(t.Open(same, 0))
    assert other.read(same) == b"contentmore"
    assert list(folder.iterdir()) == []


def test_what_is_not_there_any_more_is_stale(
    client: Client, serve: Serve, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone, replaced, much = client.create("gone"), client.create("replaced"), client.create("much")
    client.write(much, bytes(1000))
    client.unlink("much")
    kept = client.create("kept")
    monkeypatch.setattr(state, "CONTENT_BYTES_MAX", 100)
    saved = client.server.save()
    client.server.reset()
    (folder / "gone").unlink()
    (folder / "new").write_text("2")
    os.rename(folder / "new", folder / "replaced")
    server = serve()
    server.load(saved)
    other = Client(server, begin=False)
    for fid in (gone, replaced, much):
        with pytest.raises(OSError, match=r"."):
            other.read(fid)
    assert other.read(kept) == b""


def test_damaged_state_is_refused(client: Client) -> None:
    with pytest.raises(HospesError, match="FolderState"):
        client.server.load(b"\xff")

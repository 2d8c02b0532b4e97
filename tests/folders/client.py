"""A 9P client of ours that says whatever it is told to, wrong or not."""

import os
import struct
from typing import Any

from hospes.folders import request as t
from hospes.folders.request import HEADER, NUMBERS, encode

ROOM = 1 << 20
QID = struct.Struct("<BIQ")
ATTRIBUTES = struct.Struct("<Q13xIII11Q")
RLERROR = 7
DIRECTORY_FLAGS, READ, WRITE, READ_WRITE = 0, 0, 1, 2
TRUNCATE, EXCLUSIVE = 0o1000, 0o200


class Attributes:
    """What Rgetattr says."""

    def __init__(self, body: bytes) -> None:
        _, self.mode, self.uid, self.gid, self.links, self.device, self.size, *rest = (
            ATTRIBUTES.unpack_from(body)
        )
        self.mtime_ns = rest[4] * 10**9 + rest[5]
        self.qid = QID.unpack_from(body, 8)


class Client:
    """Speaks to a server; what it refuses is an OSError with its number."""

    def __init__(self, server, *, begin: bool = True) -> None:
        self.server = server
        self.next_fid = 1
        self.tag = 0
        if begin:
            self.send(t.Version(1 << 19, b"9P2000.L"))
            self.send(t.Attach(0, t.NO_FID, b"", b"", t.NO_UID))

    def exchange(self, message: bytes, room: int = ROOM) -> tuple[int, int, bytes]:
        """A message's answer: type, tag and body; it is whole and fits."""
        answer = self.server.answer(message, room)
        assert len(answer) <= room
        size, number, tag = HEADER.unpack_from(answer)
        assert size == len(answer)
        return number, tag, answer[HEADER.size :]

    def send(self, request: Any, room: int = ROOM) -> bytes:
        """The body of a request's answer."""
        self.tag = (self.tag + 1) % 0xFFFF
        number, tag, body = self.exchange(encode(request, self.tag), room)
        assert tag == self.tag
        if number == RLERROR:
            code = struct.unpack("<I", body)[0]
            raise OSError(code, os.strerror(code))
        assert number == NUMBERS[type(request)] + 1
        return body

    def walk(self, path: str | bytes, uid: int | None = None) -> int:
        """A new fid for what a path leads to, a name at a time, as Linux does."""
        names = tuple(os.fsencode(path).split(b"/")) if path else ()
        fid, self.next_fid = self.next_fid, self.next_fid + 1
        start = 0
        if uid is not None:
            start, self.next_fid = self.next_fid, self.next_fid + 1
            self.send(t.Attach(start, t.NO_FID, b"", b"", uid))
        body = self.send(t.Walk(start, fid, names[:16]))
        if uid is not None:
            self.clunk(start)
        if int.from_bytes(body[:2], "little") < len(names[:16]):
            raise FileNotFoundError(2, "a part of the way is missing")
        for name in names[16:]:
            self.send(t.Walk(fid, fid, (name,)))
        return fid

    def clunk(self, fid: int) -> None:
        self.send(t.Clunk(fid))

    def open(self, path: str | bytes, flags: int = READ) -> int:
        fid = self.walk(path)
        try:
            self.send(t.Open(fid, flags))
        except OSError:
            self.clunk(fid)
            raise
        return fid

    def parent(self, path: str) -> tuple[int, bytes]:
        """A fid for the directory, and the name in it."""
        directory, _, name = path.rpartition("/")
        return self.walk(directory), os.fsencode(name)

    def create(
        self, path: str, mode: int = 0o644, flags: int = READ_WRITE, uid: int | None = None,
        gid: int = 0,
    ) -> int:  # fmt: skip
        directory, _, name = path.rpartition("/")
        fid = self.walk(directory, uid)
        self.send(t.Create(fid, os.fsencode(name), flags, mode, gid))
        return fid

    def read(self, fid: int, offset: int = 0, count: int = 1 << 16) -> bytes:
        return self.send(t.Read(fid, offset, count))[4:]

    def write(self, fid: int, data: bytes, offset: int = 0) -> int:
        return int.from_bytes(self.send(t.Write(fid, offset, data)), "little")

    def content(self, path: str | bytes) -> bytes:
        fid = self.open(path)
        out = b""
        while data := self.read(fid, len(out)):
            out += data
        self.clunk(fid)
        return out

    def put(self, path: str, data: bytes, mode: int = 0o644) -> None:
        fid = self.create(path, mode)
        assert self.write(fid, data) == len(data)
        self.clunk(fid)

    def look(self, path: str | bytes) -> Attributes:
        fid = self.walk(path)
        try:
            return self.attributes(fid)
        finally:
            self.clunk(fid)

    def attributes(self, fid: int) -> Attributes:
        return Attributes(self.send(t.GetAttributes(fid, 0x7FF)))

    def change(self, path: str, valid: int, **values: int) -> None:
        fid = self.walk(path)
        fields = dict.fromkeys(t.SetAttributes._fields, 0) | {"fid": fid, "valid": valid}
        self.send(t.SetAttributes(**(fields | values)))
        self.clunk(fid)

    def names(self, path: str = "", count: int = 4096) -> list[bytes]:
        """What is in a directory, but for . and .."""
        fid = self.open(path)
        found, offset = [], 0
        while body := self.send(t.ReadDirectory(fid, offset, count))[4:]:
            at = 0
            while at < len(body):
                offset, _, length = struct.unpack_from("<QBH", body, at + 13)
                found.append(body[at + 24 : at + 24 + length])
                at += 24 + length
        self.clunk(fid)
        return sorted(name for name in found if name not in {b".", b".."})

    def mkdir(self, path: str, mode: int = 0o755) -> None:
        fid, name = self.parent(path)
        self.send(t.MakeDirectory(fid, name, mode, 0))
        self.clunk(fid)

    def symlink(self, path: str, target: bytes) -> None:
        fid, name = self.parent(path)
        self.send(t.Symlink(fid, name, target, 0))
        self.clunk(fid)

    def unlink(self, path: str, flags: int = 0) -> None:
        fid, name = self.parent(path)
        try:
            self.send(t.UnlinkAt(fid, name, flags))
        finally:
            self.clunk(fid)

    def rename(self, path: str, new: str) -> None:
        fid, name = self.parent(path)
        try:
            target, new_name = self.parent(new)
            try:
                self.send(t.RenameAt(fid, name, target, new_name))
            finally:
                self.clunk(target)
        finally:
            self.clunk(fid)

    def lock(
        self, fid: int, kind: int, process: int, start: int = 0, length: int = 0
    ) -> int:
        """A lock's status."""
        return self.send(t.SetLock(fid, kind, 0, start, length, process, b"guest"))[0]

    def set_xattr(self, path: str, name: bytes, value: bytes, flags: int = 0) -> None:
        fid = self.walk(path)
        self.send(t.XattrCreate(fid, name, len(value), flags))
        if value:
            self.write(fid, value)
        self.clunk(fid)

    def xattr(self, path: str, name: bytes) -> bytes:
        """An attribute's value, or without a name the list of names."""
        fid, new = self.walk(path), self.next_fid
        self.next_fid += 1
        try:
            size = int.from_bytes(self.send(t.XattrWalk(fid, new, name)), "little")
        finally:
            self.clunk(fid)
        value = self.read(new, 0, size) if size else b""
        self.clunk(new)
        assert len(value) == size
        return value

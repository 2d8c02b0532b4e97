"""A program that is called like virtiofsd and is a back end of sorts: argv[1] says of which sort.

It answers every message with ENOSYS, but for those whose unique number is in the sort's way.
"""

import mmap
import os
import select
import socket
import struct
import sys
from typing import NoReturn

HEADER = struct.Struct("<III")
PLACES, WRITE = 8, 2


class Rings:
    """What a front end has said of its memory and rings, and what it finds there."""

    def __init__(self) -> None:
        self.map = mmap.mmap(-1, 1)
        self.base = 0
        self.parts: dict[int, tuple[int, int, int]] = {}
        self.sizes: dict[int, int] = {}
        self.files: dict[tuple[int, int], int] = {}

    def serve(self, ring: int, sort: str) -> None:
        """Answer what is in a ring."""
        table, used, available = (place - self.base for place in self.parts[ring])
        size, done = self.sizes[ring], struct.unpack_from("<H", self.map, used + 2)[0]
        while done != struct.unpack_from("<H", self.map, available + 2)[0]:
            entry = available + 4 + 2 * (done % size)
            (first,) = struct.unpack_from("<H", self.map, entry)
            head, written = first, self.answer(table, first)
            if sort == "lies":
                head += 1
            elif sort == "overflows":
                written = 1 << 30
            struct.pack_into("<II", self.map, used + 4 + 8 * (done % size), head, written)
            done = done + 1 & 0xFFFF
            struct.pack_into("<H", self.map, used + 2, done)
        os.eventfd_write(self.files[13, ring], 1)

    def answer(self, table: int, head: int) -> int:
        """ENOSYS to one message; returns how much that is."""
        found, index = [], head
        while True:
            at, length, flags, following = struct.unpack_from("<QIHH", self.map, table + 16 * index)
            found.append((at - self.base, length, flags))
            if not flags & 1:
                break
            index = following
        (unique,) = struct.unpack_from("<Q", self.map, found[0][0] + 8)
        for at, _, flags in found:
            if flags & WRITE:
                struct.pack_into("<IiQ", self.map, at, 16, -38, unique)
                return 16
        return 0


def main(sort: str, listener: socket.socket) -> None:
    """Accept one front end, and do as it says."""
    connection, _ = listener.accept()
    rings = Rings()
    while True:
        wanted = [connection.fileno(), *(fd for (kind, _), fd in rings.files.items() if kind == 12)]
        ready = wait_for(wanted)
        if connection.fileno() not in ready:
            for (kind, ring), fd in list(rings.files.items()):
                if kind == 12 and fd in ready:
                    os.eventfd_read(fd)
                    if sort == "dies":
                        fail("no memory is left")
                    if sort != "silent":
                        rings.serve(ring, sort)
            continue
        data, fds, _, _ = socket.recv_fds(connection, HEADER.size, 8)
        if not data:
            return
        request, flags, size = HEADER.unpack(data)
        payload = connection.recv(size) if size else b""
        if sort == "refuses" and request == 5:
            connection.sendall(HEADER.pack(request, 5, 8) + struct.pack("<Q", 1))
        elif sort == "hangs up" and request == 5:
            return
        elif sort == "nonsense" and request == 1:
            connection.sendall(b"\xff" * 20)
        elif sort == "old" and request == 1:
            connection.sendall(HEADER.pack(request, 5, 8) + struct.pack("<Q", 0))
        elif number := reply(rings, request, flags, payload, fds):
            connection.sendall(HEADER.pack(request, 5, 8) + number)


def reply(rings: Rings, request: int, flags: int, payload: bytes, fds: list[int]) -> bytes:
    """Take notice of a message; the answer, if it wants one."""
    if request == 1:
        return struct.pack("<Q", 1 << 32 | 1 << 30)
    if request == 15:
        return struct.pack("<Q", 1 << 3)
    if request == 5:
        size, rings.base = struct.unpack_from("<QQ", payload, 16)
        rings.map = mmap.mmap(fds[0], size)
    elif request == 8:
        ring, size = struct.unpack("<II", payload)
        rings.sizes[ring] = size
    elif request == 9:
        ring, _, *parts = struct.unpack_from("<IIQQQ", payload)
        rings.parts[ring] = (parts[0], parts[1], parts[2])
    elif request in {12, 13}:
        rings.files[request, payload[0]] = fds[0]
    return bytes(8) if flags & 8 else b""


def wait_for(fds: list[int]) -> list[int]:
    """Which of them can be read."""
    return select.select(fds, [], [])[0]


def fail(why: str) -> NoReturn:
    """End as virtiofsd does."""
    print(f"[2026-01-01T00:00:00Z ERROR virtiofsd] {why}", file=sys.stderr)
    raise SystemExit(1)


if __name__ == "__main__":
    if "--version" in sys.argv:
        print("virtiofsd 1.13.2")
    elif sys.argv[1] == "does not start":
        fail("Failed to open /somewhere: nobody is home.")
    else:
        fd = next(int(word.removeprefix("--fd=")) for word in sys.argv if word.startswith("--fd="))
        main(sys.argv[1], socket.socket(fileno=fd))

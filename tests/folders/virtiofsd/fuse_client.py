"""A driver of FUSE in Python: asks a VirtiofsdFolder and waits for each answer."""

import itertools
import os
import struct
import threading

from hospes.folders.virtiofsd.folder import VirtiofsdFolder
from hospes.folders.virtiofsd.fuse import ANSWER_HEADER, REQUEST_HEADER

LOOKUP, FORGET, SETATTR, MKDIR, OPEN, READ, WRITE, INIT, CREATE = 1, 2, 4, 9, 14, 15, 16, 26, 35
ROOT = 1
SECONDS = 10.0
ROOM = 1 << 17
_numbers = itertools.count(1)


class FailedError(OSError):
    """An answer with an error number."""


def ask(
    folder: VirtiofsdFolder, opcode: int, *body: bytes, node: int = ROOT, room: int = ROOM
) -> bytes:
    """The answer's body; FailedError with its error number if it has one."""
    answered = threading.Event()
    answers: list[bytes] = []

    def take(answer: bytes) -> None:
        answers.append(answer)
        answered.set()

    unique = next(_numbers)
    length = REQUEST_HEADER.size + sum(map(len, body))
    header = REQUEST_HEADER.pack(length, opcode, unique, node, 0, 0, os.getpid(), 0, 0)
    folder.ask(1, [memoryview(part) for part in (header, *body) if part], room, take)
    assert answered.wait(SECONDS), "no answer"
    [answer] = answers
    if not room:
        assert answer == b""
        return b""
    size, error, echoed = ANSWER_HEADER.unpack_from(answer)
    assert (size, echoed) == (len(answer), unique)
    if error:
        raise FailedError(-error, os.strerror(-error))
    return answer[ANSWER_HEADER.size :]


def init(folder: VirtiofsdFolder) -> None:
    """What every driver says first (fuse_init_in, of protocol 7.31)."""
    major, _ = struct.unpack_from("<II", ask(folder, INIT, struct.pack("<IIII", 7, 31, 0, 0)))
    assert major == 7


def lookup(folder: VirtiofsdFolder, name: str) -> int:
    """The node of a name in the root."""
    return node_of(ask(folder, LOOKUP, name.encode() + b"\0"))


def node_of(entry: bytes) -> int:
    """Which node a fuse_entry_out is of."""
    (node,) = struct.unpack_from("<Q", entry)
    return int(node)


def create(folder: VirtiofsdFolder, name: str) -> tuple[int, int]:
    """Make a file in the root and open it: its node and handle."""
    wanted = struct.pack("<IIII", os.O_RDWR | os.O_CREAT, 0o644, 0, 0)
    answer = ask(folder, CREATE, wanted, name.encode() + b"\0")
    (handle,) = struct.unpack_from("<Q", answer, 128)
    return node_of(answer), handle


def write(folder: VirtiofsdFolder, node: int, handle: int, data: bytes) -> int:
    """Write at the beginning (fuse_write_in); returns how much was."""
    wanted = struct.pack("<QQIIQII", handle, 0, len(data), 0, 0, 0, 0)
    (count,) = struct.unpack_from("<I", ask(folder, WRITE, wanted, data, node=node))
    return int(count)


def read(folder: VirtiofsdFolder, name: str) -> bytes:
    """A file's first ROOM / 2 bytes (fuse_open_in, fuse_read_in)."""
    node = lookup(folder, name)
    (handle,) = struct.unpack_from("<Q", ask(folder, OPEN, struct.pack("<II", 0, 0), node=node))
    wanted = struct.pack("<QQIIQII", handle, 0, ROOM // 2, 0, 0, 0, 0)
    return ask(folder, READ, wanted, node=node)

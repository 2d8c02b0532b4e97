"""Random operations, through the server and on a directory of the host: the same comes of both."""

import os
import random
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.folders.client import READ_WRITE, Client
from tests.folders.conftest import Serve

from hospes.folders import request as t
from hospes.folders.changing import MODE, MTIME, MTIME_SET, SIZE

NAMES = ("a", "b", "c", "dd", "\u00e9")
OPERATIONS = 3000


class Local:
    """What a client does, done by the host's own calls below a directory."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.files: dict[int, int] = {}

    def at(self, path: str) -> Path:
        """A place that is not reached by way of a link, which only the guest would follow."""
        place = self.root
        *way, name = path.split("/")
        for one in way:
            place /= one
            if place.is_symlink():
                raise NotADirectoryError
        return place / name

    def create(self, number: int, path: str, mode: int) -> None:
        file = os.open(self.at(path), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, mode)
        if not stat.S_ISREG(os.fstat(file).st_mode):
            os.close(file)
            raise PermissionError
        self.files[number] = file

    def open(self, number: int, path: str) -> None:
        kind = (self.at(path)).lstat().st_mode
        if not stat.S_ISREG(kind):
            raise PermissionError
        self.files[number] = os.open(self.at(path), os.O_RDWR)

    def write(self, number: int, data: bytes, offset: int) -> int:
        return os.pwrite(self.files[number], data, offset)

    def read(self, number: int, offset: int, count: int) -> bytes:
        return os.pread(self.files[number], count, offset)

    def close(self, number: int) -> None:
        os.close(self.files.pop(number))

    def mkdir(self, path: str, mode: int) -> None:
        os.mkdir(self.at(path))
        os.chmod(self.at(path), mode)

    def rmdir(self, path: str) -> None:
        os.rmdir(self.at(path))

    def unlink(self, path: str) -> None:
        os.unlink(self.at(path))

    def rename(self, path: str, new: str) -> None:
        os.rename(self.at(path), self.at(new))

    def link(self, path: str, new: str) -> None:
        os.link(self.at(path), self.at(new), follow_symlinks=False)

    def symlink(self, path: str, target: str) -> None:
        os.symlink(target, self.at(path))

    def truncate(self, path: str, size: int) -> None:
        if not stat.S_ISREG((self.at(path)).lstat().st_mode):
            raise PermissionError
        os.truncate(self.at(path), size)

    def chmod(self, path: str, mode: int) -> None:
        if not stat.S_ISLNK((self.at(path)).lstat().st_mode):
            os.chmod(self.at(path), mode)

    def set_time(self, path: str, seconds: int) -> None:
        os.utime(self.at(path), (seconds, seconds), follow_symlinks=False)

    def names(self, path: str) -> list[bytes]:
        if not stat.S_ISDIR((self.at(path)).lstat().st_mode):
            raise NotADirectoryError
        return sorted(os.listdir(os.fsencode(self.at(path))))


class Remote:
    """The same, asked of a server."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.files: dict[int, int] = {}

    def create(self, number: int, path: str, mode: int) -> None:
        self.files[number] = self.client.create(path, mode)

    def open(self, number: int, path: str) -> None:
        self.files[number] = self.client.open(path, READ_WRITE)

    def write(self, number: int, data: bytes, offset: int) -> int:
        return self.client.write(self.files[number], data, offset)

    def read(self, number: int, offset: int, count: int) -> bytes:
        return self.client.read(self.files[number], offset, count)

    def close(self, number: int) -> None:
        self.client.clunk(self.files.pop(number))

    def mkdir(self, path: str, mode: int) -> None:
        self.client.mkdir(path, mode)

    def rmdir(self, path: str) -> None:
        self.client.unlink(path, 0x200)

    def unlink(self, path: str) -> None:
        self.client.unlink(path)

    def rename(self, path: str, new: str) -> None:
        self.client.rename(path, new)

    def link(self, path: str, new: str) -> None:
        fid = self.client.walk(path)
        directory, name = self.client.parent(new)
        self.client.send(t.Link(directory, fid, name))

    def symlink(self, path: str, target: str) -> None:
        self.client.symlink(path, os.fsencode(target))

    def truncate(self, path: str, size: int) -> None:
        self.client.change(path, SIZE, size=size)

    def chmod(self, path: str, mode: int) -> None:
        self.client.change(path, MODE, mode=mode)

    def set_time(self, path: str, seconds: int) -> None:
        self.client.change(path, MTIME | MTIME_SET, mtime_s=seconds)

    def names(self, path: str) -> list[bytes]:
        return self.client.names(path)


def tree(root: Path) -> list[tuple]:
    """All there is below a directory, as far as both ways make it."""
    found = []
    for path in sorted(root.rglob("*")):
        status = path.lstat()
        what: object = None
        if stat.S_ISREG(status.st_mode):
            what = (path.read_bytes(), status.st_nlink)
        elif stat.S_ISLNK(status.st_mode):
            what = os.readlink(path)
        found.append((str(path.relative_to(root)), stat.S_IFMT(status.st_mode), what))
    return found


def some_path(chance: random.Random) -> str:
    return "/".join(chance.choice(NAMES) for _ in range(chance.choice((1, 1, 2, 2, 3))))


def operation(chance: random.Random, number: int, opened: list[int]) -> tuple[str, tuple]:
    """A method's name and its arguments."""
    kind = chance.randrange(20)
    path, other = some_path(chance), some_path(chance)
    if kind < 4 and opened:
        data = chance.randbytes(chance.choice((1, 100, 5000)))
        return "write", (chance.choice(opened), data, chance.randrange(9000))
    if kind < 6 and opened:
        return "read", (chance.choice(opened), chance.randrange(9000), 4096)
    if (kind < 7 and opened) or len(opened) > 12:
        return "close", (opened.pop(chance.randrange(len(opened))),)
    choices: list[tuple[str, tuple]] = [
        ("create", (number, path, chance.choice((0o600, 0o644, 0o755)))),
        ("create", (number, path, 0o644)), ("open", (number, path)),
        ("mkdir", (path, chance.choice((0o700, 0o755)))), ("mkdir", (path, 0o755)),
        ("rmdir", (path,)), ("unlink", (path,)), ("rename", (path, other)), ("link", (path, other)),
        ("symlink", (path, other)), ("truncate", (path, chance.randrange(9000))),
        ("chmod", (path, 0o755)), ("set_time", (path, chance.randrange(1 << 30))),
        ("names", (path,)),
    ]  # fmt: skip
    return chance.choice(choices)


def outcome(act: Callable[..., object], arguments: tuple) -> object:
    """What an operation gives, or that it is refused."""
    try:
        return act(*arguments)
    except OSError:
        return OSError


@pytest.mark.parametrize("seed", range(3))
def test_the_same_comes_of_it(serve: Serve, folder: Path, tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    local_root = tmp_path / "local"
    local_root.mkdir()
    # Few descriptors: files are closed and found again all the time.
    local, remote = Local(local_root), Remote(Client(serve(descriptors=40 if seed else 8192)))
    opened: list[int] = []
    for number in range(OPERATIONS):
        name, arguments = operation(chance, number, opened)
        here = outcome(getattr(local, name), arguments)
        there = outcome(getattr(remote, name), arguments)
        assert here == there, (number, name, arguments)
        if name in {"create", "open"} and here is None:
            opened.append(number)
    assert tree(folder) == tree(local_root)
    assert len(tree(folder)) > 10
    for number in opened:
        local.close(number)
        remote.close(number)

"""Fuzz target: a guest's tar stream written to a directory of the host, and nowhere else."""

import io
import os
import random
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path

from fuzz.harness import damage, main, one_sentence

from hospes.base.errors import GuestError
from hospes.guests.transfer.copying import look
from hospes.guests.transfer.extraction import Extraction
from hospes.guests.transfer.placement import place, source_of
from hospes.guests.transfer.tar_stream import LONGEST_EXTENSION_BYTES, EntryKind, TarStream

NAMES = (
    "./top", "./top/a", "./top/a/b", "./top/link", "./top/link/x", "./top/../outside/x", "top",
    "/outside/x", "./top/" + "n" * 300, "./top/a/../../outside/x", ".", "", "./other", "./top//a",
    "./top/" + "d/" * 60 + "x", "./top/\udcff",
)  # fmt: skip
LINKS = ("..", "../outside", "/", "a", "./top/a", "./top/link/secret", "outside/secret", "", "x")
TYPES = (b"0", b"0", b"1", b"2", b"3", b"5", b"5", b"6", b"7", b"S", b"M")
HEADERS: tuple[dict[str, str], ...] = (
    {}, {}, {}, {"size": "9" * 19}, {"mtime": "-99999999999.5"}, {"mtime": "99999999999"},
    {"path": "./top/../x"}, {"linkpath": "../outside/secret"}, {"GNU.sparse.major": "1"},
)  # fmt: skip


def case(chance: random.Random) -> None:
    """One stream; what lies beside the copy is as it was."""
    with tempfile.TemporaryDirectory() as temporary:
        outside, target = Path(temporary) / "outside", Path(temporary) / "target"
        outside.mkdir()
        (outside / "secret").write_text("secret")
        target.mkdir()
        if chance.random() < 0.3:
            (target / "top").symlink_to(outside)
        before = state(outside)
        data = damage(chance, archive(chance), 2)
        files = len(os.listdir("/proc/self/fd"))
        extract(data, chance.choice((7, 512, 1 << 16)), os.fspath(target))
        assert len(os.listdir("/proc/self/fd")) == files, "a file stays open"
        assert state(outside) == before, "something outside has changed"
        assert sorted(os.listdir(temporary)) == ["outside", "target"]
        allowed = (target, target / "top")
        assert not [path for path in target.iterdir() if path not in allowed]


def extract(data: bytes, size: int, target: str) -> None:
    """As `hospes cp` does."""
    source = source_of("/top")
    extraction = Extraction(
        lambda top: place(source, top.kind is EntryKind.DIRECTORY, target, *look(target)),
        lambda count: None,
    )
    stream = TarStream()

    def take() -> None:
        for at in range(0, len(data), size):
            for event in stream.feed(data[at : at + size]):
                extraction.take(event)
            assert len(stream._buffer) <= LONGEST_EXTENSION_BYTES + size
        extraction.finish()

    one_sentence(lambda: one_sentence(take, GuestError))
    extraction.abandon()


def state(directory: Path) -> list[tuple[str, int, int, bytes]]:
    """What would show a change."""
    found = [(path.name, path.stat(), path.read_bytes()) for path in directory.iterdir()]
    return [(name, about.st_mode, about.st_nlink, content) for name, about, content in found]


def archive(chance: random.Random) -> bytes:
    """A stream with a few members of any type."""
    out = io.BytesIO()
    form = chance.choice((tarfile.PAX_FORMAT, tarfile.GNU_FORMAT))
    options: dict[str, str | int] = {"format": form, "errors": "surrogateescape"}
    with tarfile.open(fileobj=out, mode="w", **options) as tar:  # type: ignore[call-overload]
        if chance.random() < 0.8:
            add(chance, tar, "./top", lambda: b"5")
        for _ in range(chance.randrange(8)):
            add(chance, tar, chance.choice(NAMES), lambda: chance.choice(TYPES))
    return out.getvalue()


def add(chance: random.Random, tar: tarfile.TarFile, name: str, kind: Callable[[], bytes]) -> None:
    """One member."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind(), chance.choice(LINKS)
    info.size = chance.choice((0, 5, 512, 3000, 9000)) if info.type == b"0" else 0
    info.mode = chance.getrandbits(12)
    info.mtime = chance.choice((0, 1.5, 1 << 33, -1))
    info.pax_headers = dict(chance.choice(HEADERS))
    data = chance.choice((bytes(info.size), b"x" * info.size))
    tar.addfile(info, io.BytesIO(data))


if __name__ == "__main__":
    main(case)

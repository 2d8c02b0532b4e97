"""A console with many viewers: all see all, any may type, a slow one delays nobody."""

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hospes.base.loop import Loop
from hospes.machine.console import Console
from hospes.worker import viewer
from hospes.worker.console_log import ConsoleLog
from hospes.worker.console_share import ConsoleShare, last_lines


class Stream:
    """The guest's end."""

    def __init__(self) -> None:
        self.taken = bytearray()

    def receive(self, data: bytes) -> int:
        self.taken += data
        return len(data)


class Shared:
    """A share with its console; `view` gives the other end of a new viewer."""

    def __init__(self, loop: Loop, path: Path) -> None:
        self.console = Console("console", lambda: None)
        self.log = path / "log"
        self.share = ConsoleShare(
            self.console, loop, ConsoleLog(self.log, path / "log.1", pytest.fail)
        )

    def view(self, lines: int = 0) -> socket.socket:
        ours, theirs = socket.socketpair()
        self.share.add(theirs, lines)
        ours.settimeout(10)
        return ours


@pytest.fixture
def shared(tmp_path: Path) -> Iterator[Shared]:
    loop = Loop("test")
    yield Shared(loop, tmp_path)
    loop.close()


def received(end: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        piece = end.recv(count - len(data))
        if not piece:
            break
        data += piece
    return data


def test_all_see_what_is_written(shared: Shared) -> None:
    ends = [shared.view(), shared.view()]
    assert shared.console.write(b"hello") == 5
    assert [received(end, 5) for end in ends] == [b"hello", b"hello"]
    assert shared.log.read_bytes() == b"hello"


@pytest.mark.parametrize(
    ("lines", "seen"), [(0, b"prompt# "), (1, b"two\nprompt# "), (-1, b"one\ntwo\nprompt# ")]
)
def test_a_late_viewer_sees_the_end_of_it(shared: Shared, lines: int, seen: bytes) -> None:
    shared.console.write(b"one\ntwo\nprompt# ")
    assert received(shared.view(lines), len(seen)) == seen


def test_any_may_type(shared: Shared) -> None:
    stream, limit = Stream(), time.monotonic() + 10
    for end in (shared.view(), shared.view()):
        end.sendall(b"x")
    while stream.taken != b"xx" and time.monotonic() < limit:
        shared.console.deliver(stream)  # type: ignore[arg-type]
    assert stream.taken == b"xx"


def test_a_slow_viewer_delays_nobody(shared: Shared, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(viewer, "PENDING_BYTES", 100_000)
    slow = shared.view()
    for number in range(200):
        assert shared.console.write(b"%08d\n" % number * 1000) == 9000
    shared.console.write(b"the end")
    seen = b""
    while not seen.endswith(b"the end"):
        seen += slow.recv(65536)
    assert len(seen) < 1_000_000
    assert b"bytes of output are left out here]" in seen


def test_who_leaves_is_forgotten(shared: Shared) -> None:
    shared.view().close()
    other = shared.view()
    shared.console.write(b"still")
    assert received(other, 5) == b"still"


def test_the_end_is_seen_before_the_hanging_up(shared: Shared) -> None:
    end = shared.view()
    shared.console.write(b"z" * 500_000)
    data = bytearray()

    def read() -> None:
        while piece := end.recv(65536):
            data.extend(piece)

    import threading

    reader = threading.Thread(target=read)
    reader.start()
    shared.share.close()
    reader.join(10)
    assert len(data) == 500_000


def test_last_lines() -> None:
    assert last_lines(b"", 3) == b""
    assert last_lines(b"a\nb\n", 1) == b"b\n"
    assert last_lines(b"a\nb\n", 5) == b"a\nb\n"
    assert last_lines(b"a\nb\nc", 0) == b"c"

"""A console in another process joined to files: what is typed, what is shown, how it ends."""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest

from hospes.ui.joined import Joined
from hospes.ui.terminal import LeaveKey


class Ends:
    """A joined console with its guest's end, its keys and its screen."""

    def __init__(self) -> None:
        stream, self.guest = socket.socketpair()
        self.stream = stream
        self.screen, drain = os.pipe()
        self.source, self.keys = os.pipe()
        self.joined = Joined(stream, drain)
        self.left: list[bool] = []
        self._files = (self.screen, drain, self.source)

    def start(self) -> threading.Thread:
        look = LeaveKey(self.joined.leave)
        run = threading.Thread(target=lambda: self.left.append(self.joined.run(self.source, look)))
        run.start()
        return run

    def close(self) -> None:
        self.stream.close()
        self.guest.close()
        for fd in self._files:
            os.close(fd)


@pytest.fixture
def ends() -> Iterator[Ends]:
    one = Ends()
    yield one
    one.close()


def test_the_user_leaves(ends: Ends) -> None:
    run = ends.start()
    ends.guest.sendall(b"login: ")
    assert os.read(ends.screen, 100) == b"login: "
    os.write(ends.keys, b"root\x1dnot this")
    run.join(10)
    assert ends.left == [True]
    assert ends.guest.recv(100) == b"root"
    assert ends.joined.history == b"login: "


def test_the_console_ends(ends: Ends) -> None:
    run = ends.start()
    ends.guest.sendall(b"bye")
    ends.guest.close()
    run.join(10)
    assert ends.left == [False]
    assert os.read(ends.screen, 100) == b"bye"


def test_a_guest_that_takes_nothing_can_be_left(ends: Ends) -> None:
    run = ends.start()
    filler = b"x" * 65536
    ends.stream.setblocking(False)
    with suppress(BlockingIOError):
        while ends.stream.send(filler):
            pass
    ends.guest.sendall(b"still shown")
    assert os.read(ends.screen, 100) == b"still shown"
    os.write(ends.keys, b"\x1d")
    run.join(10)
    assert ends.left == [True]


def test_the_keys_end_before_the_console(ends: Ends) -> None:
    run = ends.start()
    os.close(ends.keys)
    ends.guest.sendall(b"after")
    assert os.read(ends.screen, 100) == b"after"
    ends.guest.close()
    run.join(10)
    assert ends.left == [False]

"""Typing from a pipe: when it begins, what the guest's slowness does, how it ends."""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.waiting import eventually

from hospes.ui import piped
from hospes.ui.piped import PipedInput


class Guest:
    """As much of a machine as the thread looks at; it takes input in pieces."""

    def __init__(self, kernel: Path | None) -> None:
        self.history = b""
        self.taken = bytearray()
        self.room = 1000
        self.ending: object = None
        self.core: Any = SimpleNamespace(console=self, ending=None)
        self.spec = SimpleNamespace(kernel=kernel)

    @property
    def bytes_out(self) -> int:
        return len(self.history)

    def feed(self, data: bytes) -> int:
        count = min(len(data), self.room)
        self.taken += data[:count]
        self.room -= count
        return count

    def stop(self) -> None:
        self.core.ending = "stopped"


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(piped, "POLL_SECONDS", 0.001)
    monkeypatch.setattr(piped, "REPEAT_SECONDS", 0.01)


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    os.close(ends[0])


def begin(guest: Guest, fd: int) -> None:
    boots = guest.spec.kernel is not None
    PipedInput(guest, lambda: guest.core.ending is None, fd, boots=boots).start()


def test_typing_waits_for_a_prompt(pipe: tuple[int, int]) -> None:
    guest = Guest(Path("kernel"))
    os.write(pipe[1], b"ls\n")
    os.close(pipe[1])
    begin(guest, pipe[0])
    time.sleep(0.2)
    guest.history += b"booting\n"
    time.sleep(0.2)
    assert not guest.taken
    guest.history += b"$ "
    assert eventually(lambda: guest.taken.startswith(b"ls\n\x04"))
    guest.stop()


def test_a_bare_metal_program_gets_its_input_at_once(pipe: tuple[int, int]) -> None:
    guest = Guest(None)
    os.write(pipe[1], b"abc")
    begin(guest, pipe[0])
    assert eventually(lambda: guest.taken == b"abc")
    guest.stop()
    os.close(pipe[1])


def test_a_slow_guest_gets_everything_in_order(pipe: tuple[int, int]) -> None:
    guest = Guest(None)
    guest.room = 3
    os.write(pipe[1], b"0123456789")
    os.close(pipe[1])
    begin(guest, pipe[0])
    assert eventually(lambda: guest.taken == b"012")
    guest.room = 100
    assert eventually(lambda: guest.taken == b"0123456789")
    guest.stop()


def test_the_end_is_typed_at_each_prompt(pipe: tuple[int, int]) -> None:
    guest = Guest(None)
    os.close(pipe[1])
    guest.history = b"$ "
    begin(guest, pipe[0])
    assert eventually(lambda: guest.taken.count(b"\x04") >= 2)
    guest.stop()

"""Reading a console's log, over the rotation of its files."""

import os
import threading
import time
from pathlib import Path

import pytest

from hospes.base.file_lock import take_lock
from hospes.manager import console_log
from hospes.manager.console_log import read_log
from hospes.manager.store import MachineDirectory


@pytest.fixture
def machine(tmp_path: Path) -> MachineDirectory:
    (tmp_path / "lock").touch()
    (tmp_path / "console.log.1").write_bytes(b"one\ntwo\n")
    (tmp_path / "console.log").write_bytes(b"three\nfour")
    return MachineDirectory(tmp_path)


def read(machine: MachineDirectory, lines: int | None) -> bytes:
    return b"".join(read_log(machine, lines, follow=False))


def test_all_of_it(machine: MachineDirectory) -> None:
    assert read(machine, None) == b"one\ntwo\nthree\nfour"


@pytest.mark.parametrize(
    ("lines", "seen"),
    [
        (0, b""),
        (1, b"four"),
        (2, b"three\nfour"),
        (3, b"two\nthree\nfour"),
        (9, b"one\ntwo\nthree\nfour"),
    ],
)
def test_its_end(machine: MachineDirectory, lines: int, seen: bytes) -> None:
    assert read(machine, lines) == seen


def test_nothing_yet(tmp_path: Path) -> None:
    (tmp_path / "lock").touch()
    assert read(MachineDirectory(tmp_path), None) == b""


def test_following(machine: MachineDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console_log, "POLL_SECONDS", 0.005)
    lock = take_lock(machine.path / "lock")
    assert lock is not None
    seen = bytearray()

    def follow() -> None:
        for piece in read_log(machine, 1, follow=True):
            seen.extend(piece)

    reader = threading.Thread(target=follow)
    reader.start()
    current = machine.path / "console.log"
    for number in range(5):
        with current.open("ab") as file:
            file.write(b"-%d" % number)
        if number == 2:
            time.sleep(0.05)
            current.rename(machine.path / "console.log.1")
    os.close(lock)
    reader.join(10)
    assert seen == b"four-0-1-2-3-4"

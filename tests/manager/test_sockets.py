"""A port of a running guest's, called by the socket in its machine's directory."""

import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from hospes.base.errors import HospesError
from hospes.base.file_lock import take_lock
from hospes.base.progress import silent
from hospes.base.record import write_record
from hospes.manager import sockets
from hospes.manager.sockets import bridge, call_port, hand_over
from hospes.manager.store import MachineDirectory
from hospes.spec.kept import LOCK_FILE, STARTED_FILE, VSOCK_FILE, Started

SECONDS = 10.0


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[MachineDirectory]:
    """One that runs, as far as anyone can see."""
    directory = tmp_path / "web"
    directory.mkdir()
    (directory / LOCK_FILE).touch()
    lock = take_lock(directory / LOCK_FILE)
    yield MachineDirectory(directory)
    os.close(lock)


def door(machine: MachineDirectory, answers: list[bytes]) -> tuple[threading.Thread, list[bytes]]:
    """Answers one caller after the other, and keeps what they have said."""
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(machine.path / VSOCK_FILE))
    server.listen()
    said: list[bytes] = []

    def serve() -> None:
        with server:
            for answer in answers:
                caller, _ = server.accept()
                with caller:
                    said.append(caller.recv(100))
                    caller.sendall(answer)

    thread = threading.Thread(target=serve)
    thread.start()
    return thread, said


def started(machine: MachineDirectory, when_s: float) -> None:
    write_record(machine.path / STARTED_FILE, Started(process=1, when_s=when_s))


def test_a_guest_that_boots_is_called_again(machine, monkeypatch) -> None:
    monkeypatch.setattr(sockets, "PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(sockets, "booting", lambda machine: True)
    told: list[tuple[str, int, int]] = []
    thread, said = door(machine, [b"", b"", b"OK 1073741824\nand more"])
    with call_port(machine, 22, lambda *words: told.append(words)) as client:
        assert client.recv(100) == b"and more"
    thread.join(SECONDS)
    assert said == [b"CONNECT 22\n"] * 3
    assert told == [("Waiting for vsock port 22", 0, 0), ("Waiting for vsock port 22", 1, 1)]


def test_nobody_answers(machine) -> None:
    started(machine, 0.0)
    thread, _ = door(machine, [b""])
    with pytest.raises(HospesError, match="nobody in the machine 'web' listens on vsock port 22"):
        call_port(machine, 22, silent)
    thread.join(SECONDS)


def test_a_machine_that_does_not_run(tmp_path) -> None:
    (tmp_path / "db").mkdir()
    with pytest.raises(HospesError, match="'db' does not run"):
        call_port(MachineDirectory(tmp_path / "db"), 22, silent)


def test_a_port_that_cannot_be(machine) -> None:
    with pytest.raises(HospesError, match="no vsock port 4294967295"):
        call_port(machine, 0xFFFF_FFFF, silent)


def test_the_bridge_passes_bytes_and_ends_on() -> None:
    ours, theirs = socket.socketpair()
    typed = iter([b"a", b"bc", b""])
    shown: list[bytes] = []
    thread = threading.Thread(target=bridge, args=(ours, lambda n: next(typed), shown.append))
    thread.start()
    assert b"".join(iter(lambda: theirs.recv(1), b"")) == b"abc"
    theirs.sendall(b"answer")
    theirs.close()
    thread.join(SECONDS)
    assert not thread.is_alive()
    assert b"".join(shown) == b"answer"


def test_the_connection_itself_is_handed_over(tmp_path) -> None:
    ours, theirs = socket.socketpair()
    out, seen = socket.socketpair()
    hand_over(ours, out.fileno())
    _, [descriptor], _, _ = socket.recv_fds(seen, 1, 1)
    with socket.socket(fileno=descriptor) as received, theirs, out, seen:
        received.sendall(b"it is this one")
        assert theirs.recv(100) == b"it is this one"
    leave_out = pytest.raises(HospesError, match="leave out --fdpass")
    with (tmp_path / "file").open("wb") as file, leave_out:
        hand_over(socket.socket(socket.AF_UNIX), file.fileno())

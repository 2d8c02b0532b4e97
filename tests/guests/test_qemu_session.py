"""A session over the real agent of this host: what a machine's user calls."""

import os
import socket
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.guests.qga_host import DIRECTORY, StandInPorts

from hospes.base.errors import HospesError
from hospes.guests.execution.command import Command, Terminal
from hospes.guests.qemu_session import QemuSession
from hospes.guests.session import CommandTimeout


@pytest.fixture
def session(ports: StandInPorts) -> QemuSession:
    return QemuSession(ports, lambda: True, DIRECTORY)


def test_a_command_by_the_shell(session: QemuSession) -> None:
    output, errors = bytearray(), bytearray()
    assert session.ready(20)
    assert session.run("echo a; echo b >&2; exit 4", output.extend, errors.extend, 20) == 4
    assert (output, errors) == (b"a\n", b"b\n")


def test_a_program_with_everything(session: QemuSession) -> None:
    output = bytearray()
    argv = ["sh", "-c", "pwd; echo $A; cat; exit 2"]
    code = session.exec(
        argv, output.extend, print, source=iter([b"in"]), environment={"A": "1"},
        directory="/usr", seconds=20,
    )  # fmt: skip
    assert (code, output) == (2, b"/usr\n1\nin")
    output.clear()
    assert session.exec(["tty"], output.extend, print, terminal=Terminal(), seconds=20) == 0
    assert output.startswith(b"/dev/")


def test_signals_reach_what_runs(session: QemuSession) -> None:
    session.signal("TERM")
    with session.start(Command(["sleep", "60"]), print, print, seconds=20) as one:
        session.signal("INT")
        session.signal("TERM")
        assert one.run(20) in (130, 143)
    with session.start(Command(["sleep", "60"]), print, print) as one:
        session.kill()
        assert one.run(20) == 137


def test_a_time_limit_includes_everything(session: QemuSession) -> None:
    began = time.monotonic()
    with pytest.raises(CommandTimeout, match=r"'sleep 60'.* took longer than"):
        session.exec(["sleep", "60"], print, print, seconds=1)
    assert time.monotonic() - began < 5


def test_copies(session: QemuSession, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(os.urandom(1000))
    assert session.copy_in(tmp_path / "a", str(tmp_path / "b")).bytes == 1000
    assert session.copy_out(str(tmp_path / "b"), tmp_path / "c").bytes == 1000
    assert (tmp_path / "c").read_bytes() == (tmp_path / "a").read_bytes()


class Nobody:
    """A guest in which nothing answers."""

    def stream_names(self) -> Sequence[str]:
        return ("one", "two", "three")

    def open_port(self, name: str) -> socket.socket:
        self.other, ours = socket.socketpair()
        return ours


def test_a_guest_without_an_agent() -> None:
    session = QemuSession(Nobody(), lambda: True)
    assert not session.ready(0.1)
    with pytest.raises(CommandTimeout, match=r"'true' did not run: .* within 0\.1 s"):
        session.exec(["true"], print, print, seconds=0.1)


def test_a_machine_that_has_stopped() -> None:
    session = QemuSession(Nobody(), lambda: False)
    assert not session.ready()
    with pytest.raises(HospesError, match="'true' did not run: the machine has stopped"):
        session.exec(["true"], print, print)
    with pytest.raises(HospesError, match="'a' was not copied: the machine has stopped"):
        session.copy_in("a", "/b")

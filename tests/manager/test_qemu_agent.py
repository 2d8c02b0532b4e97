"""Commands, files and the end of a guest with QEMU's agent: the real one, on this host."""

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.guests.qga_host import DIRECTORY, StandInPorts, running_agent

from hospes.guests.qemu_session import QemuSession
from hospes.manager.guest_agent import Command
from hospes.manager.manager import Manager
from hospes.manager.qemu_agent import QemuAgent


class Ends:
    """A terminal's ends as files."""

    size = (100, 40)

    def __init__(self, input_fd: int = -1) -> None:
        self.said, self.errors = io.BytesIO(), io.BytesIO()
        self.output, self.error = self.said.write, self.errors.write
        self.input_fd = input_fd
        self.raws = 0

    @contextmanager
    def raw(self, resized: Any) -> Iterator[None]:
        self.raws += 1
        resized(101, 41)
        yield


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[QemuAgent]:
    with running_agent(tmp_path_factory.mktemp("agent")) as path:
        ports = StandInPorts(path)
        machine: Any = SimpleNamespace(runs=True, name="web", path=Path("/nowhere"))
        one = QemuAgent(machine, Manager())
        one.session = QemuSession(ports, lambda: True, DIRECTORY)
        with one:
            yield one
        ports.close()


def run(agent: QemuAgent, command: Command, ends: Ends) -> tuple[int, bytes, bytes]:
    code = agent.run(command, ends)  # type: ignore[arg-type]
    return code, ends.said.getvalue(), ends.errors.getvalue()


def test_a_line_and_words(agent: QemuAgent) -> None:
    line = Command(["echo out; echo err >&2; exit 3"])
    assert run(agent, line, Ends()) == (3, b"out\n", b"err\n")
    assert run(agent, Command(["printf", "%s|", "a  b", "$HOME"]), Ends())[1] == b"a  b|$HOME|"


def test_input_is_passed_on_when_wanted(agent: QemuAgent, tmp_path: Path) -> None:
    (tmp_path / "input").write_bytes(b"given" * 10000)
    source = os.open(tmp_path / "input", os.O_RDONLY)
    try:
        assert run(agent, Command(["wc", "-c"]), Ends(source))[1] == b"0\n"
        assert run(agent, Command(["wc", "-c"], input=True), Ends(source))[1] == b"50000\n"
    finally:
        os.close(source)


def test_a_terminal_of_the_users_size(agent: QemuAgent) -> None:
    ends = Ends()
    code, said, errors = run(agent, Command(["stty size; tty"], terminal=True), ends)
    assert (code, errors, ends.raws) == (0, b"", 0)
    assert said.startswith(b"40 100\r\n/dev/pts/")


def test_a_terminal_that_changes(agent: QemuAgent) -> None:
    ours, theirs = os.pipe()
    ends = Ends(ours)
    look = "[ \"$(stty size)\" = '41 101' ] && break"
    line = f"for n in $(seq 500); do {look}; sleep 0.01; done; stty size"
    code, said, _ = run(agent, Command([line], input=True, terminal=True), ends)
    assert (code, ends.raws) == (0, 1)
    assert b"41 101" in said
    os.close(ours)
    os.close(theirs)


def test_copies_both_ways(agent: QemuAgent, tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "file").write_bytes(b"content")
    agent.copy_in(str(tmp_path / "here"), str(tmp_path / "there"))
    agent.copy_out(str(tmp_path / "there"), str(tmp_path / "back"))
    assert (tmp_path / "back" / "file").read_bytes() == b"content"


def test_a_guest_that_is_not_ready(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine: Any = SimpleNamespace(runs=False, name="web", path=tmp_path)
    assert not QemuAgent(machine, Manager()).shut_down(1)

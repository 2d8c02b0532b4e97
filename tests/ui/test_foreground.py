"""Bare-metal guests in the foreground: output, exit codes, signals, and the key that leaves."""

import os
import pty
import select
import signal
import subprocess
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.ui.programs import END, SAY, SPIN, bare_metal, command, hospes

from hospes.ui.foreground import Foreground

ENGINES = ["reference", "threaded"]
DEADLINE_S = 60


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize("code", [1, 7])
def test_output_and_exit_code_are_the_guests(tmp_path: Path, engine: str, code: int) -> None:
    program = bare_metal(tmp_path / "p.bin", SAY + END.format(code=code))
    done = hospes("run", "--bios", str(program), "--engine", engine)
    assert (done.returncode, done.stdout) == (code, "ok")
    assert "hospes:" not in done.stderr


def test_a_program_started_without_standard_streams(tmp_path: Path) -> None:
    program = bare_metal(tmp_path / "p.bin", SAY + END.format(code=5))
    closed = ["sh", "-c", '"$@" <&- >&- 2>&-', "sh"]
    run = [*closed, *command("run", "--engine", "reference", "--bios", str(program))]
    assert subprocess.run(run, timeout=DEADLINE_S, check=False).returncode == 5


def test_stats_go_to_standard_error(tmp_path: Path, engine: str) -> None:
    program = bare_metal(tmp_path / "p.bin", SAY + END.format(code=3))
    done = hospes("run", "--bios", str(program), "--engine", engine, "--stats")
    assert (done.returncode, done.stdout) == (3, "ok")
    rows = [line.split() for line in done.stderr.splitlines()]
    assert ["run", "engine", engine] in rows
    assert any(row[:3] == ["run", "retired", "instructions"] and int(row[3]) > 5 for row in rows)


@contextmanager
def on_a_terminal(*words: str) -> Iterator[tuple[subprocess.Popen[bytes], int, int]]:
    """The program on a pseudo-terminal: process, our end, its end."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(command(*words), stdin=theirs, stdout=theirs, stderr=theirs)
    try:
        yield process, ours, theirs
    finally:
        process.kill()
        process.wait()
        os.close(ours)
        os.close(theirs)


def read_until(fd: int, wanted: bytes) -> bytes:
    """What comes from the terminal up to some bytes."""
    seen, limit = b"", time.monotonic() + DEADLINE_S
    while wanted not in seen:
        left = limit - time.monotonic()
        assert left > 0, seen
        if select.select([fd], [], [], left)[0]:
            seen += os.read(fd, 4096)
    return seen


@pytest.fixture
def spinning(tmp_path: Path) -> str:
    """A guest that says ok and spins with interrupts off."""
    return str(bare_metal(tmp_path / "spin.bin", SAY + SPIN))


def test_the_leave_key_works_while_the_guest_spins(spinning: str, engine: str) -> None:
    with on_a_terminal("run", "--bios", spinning, "--engine", engine) as (process, ours, theirs):
        before = termios.tcgetattr(theirs)
        read_until(ours, b"ok")
        assert termios.tcgetattr(theirs) != before
        os.write(ours, b"\x03abc\x1d")
        assert process.wait(DEADLINE_S) == 0
        assert termios.tcgetattr(theirs) == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_run_with_one_sentence(
    spinning: str, engine: str, number: signal.Signals
) -> None:
    with on_a_terminal("run", "--bios", spinning, "--engine", engine) as (process, ours, theirs):
        before = termios.tcgetattr(theirs)
        read_until(ours, b"ok")
        process.send_signal(number)
        assert process.wait(DEADLINE_S) == 128 + number
        assert termios.tcgetattr(theirs) == before
        said = read_until(ours, f"hospes: Stopped by {number.name}.".encode())
        assert said.strip().count(b"\n") == 0


def test_a_signal_between_pipes(spinning: str, engine: str) -> None:
    process = subprocess.Popen(
        command("run", "--bios", spinning, "--engine", engine),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    read_until(process.stdout.fileno(), b"ok")
    process.terminate()
    _, errors = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 128 + signal.SIGTERM
    assert errors.splitlines()[-1] == b"hospes: Stopped by SIGTERM."


def test_output_that_nobody_reads_ends_the_run(tmp_path: Path) -> None:
    flood = bare_metal(tmp_path / "flood.bin", "again:\n" + SAY + "j again\n")
    process = subprocess.Popen(
        command("run", "--bios", str(flood)),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert process.stdout is not None
    assert process.stdout.read(4) == b"okok"
    process.stdout.close()
    process.wait(DEADLINE_S)


@pytest.mark.parametrize("raw", [False, True])
def test_a_remark_is_a_line_of_its_own(raw: bool, capfd: pytest.CaptureFixture[str]) -> None:
    here = Foreground()
    here.set_raw(raw)
    here.remark("disk x is full")
    line = "hospes: Disk x is full."
    assert capfd.readouterr().err == (f"\r\n{line}\r\n" if raw else f"{line}\n")

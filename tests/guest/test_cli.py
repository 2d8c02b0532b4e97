"""`hospes run` with the default image: commands, a shell on a terminal, a script in a pipe."""

import os
import subprocess
import termios

import pytest
from tests.ui.programs import command, hospes
from tests.ui.test_foreground import DEADLINE_S, on_a_terminal, read_until

from hospes.guests.store import Image

pytestmark = [pytest.mark.guest, pytest.mark.usefixtures("tiny")]


def test_a_command_is_passed_through() -> None:
    done = hospes("run", "--", "uname", "-sm")
    assert (done.returncode, done.stdout) == (0, "Linux riscv64\n")


def test_output_error_and_exit_code_are_the_commands() -> None:
    done = hospes("run", "--", "echo out; echo err >&2; exit 7")
    assert (done.returncode, done.stdout) == (7, "out\n")
    assert done.stderr.splitlines()[-1] == "err"


def test_words_are_not_split_again() -> None:
    done = hospes("run", "--", "printf", "%s|", "a  b", "$HOME")
    assert done.stdout == "a  b|$HOME|"


def test_memory_and_harts_are_those_asked_for() -> None:
    done = hospes("run", "--memory", "512M", "--cpus", "2", "--", "nproc; head -1 /proc/meminfo")
    harts, memory = done.stdout.splitlines()
    assert harts == "2"
    assert 440_000 < int(memory.split()[1]) < 524_288


def test_stats_of_a_boot() -> None:
    done = hospes("run", "--stats", "--", "true")
    assert done.returncode == 0
    rows = {tuple(line.split()[1:-1]): line.split()[-1] for line in done.stderr.splitlines()}
    assert int(rows["retired", "instructions"].replace(",", "")) > 100_000_000


def test_a_command_that_takes_too_long() -> None:
    done = hospes("run", "--timeout", "20", "--", "sleep 1000")
    assert done.returncode == 124
    assert done.stderr.splitlines()[-1].startswith("hospes: The command 'sleep 1000' took longer")


def test_a_kernel_that_cannot_start_says_why(tiny: Image) -> None:
    done = hospes("run", "--append", "rdinit=/nothing root=/dev/none", "--", "true")
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith("hospes: The guest failed before the command could run: ")
    assert "Kernel panic" in last


def test_a_script_in_a_pipe() -> None:
    done = subprocess.run(
        command("run"),
        input=b"echo $((6 * 7))\nsleep 1\necho last\n",
        capture_output=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert done.returncode == 0
    lines = done.stdout.replace(b"\r", b"").splitlines()
    assert b"42" in lines
    assert b"last" in lines


def test_a_shell_on_a_terminal() -> None:
    with on_a_terminal("run") as (process, ours, theirs):
        before = termios.tcgetattr(theirs)
        said = read_until(ours, b"tiny:~# ")
        assert b"Ctrl-] leaves" in said
        os.write(ours, b"echo asleep; sleep 1000\n")
        read_until(ours, b"\nasleep")
        os.write(ours, b"\x03")  # for the guest
        read_until(ours, b"tiny:~# ")
        os.write(ours, b"echo $((6 * 7))\n")
        read_until(ours, b"\n42\r\n")
        os.write(ours, b"\x1d")
        assert process.wait(DEADLINE_S) == 0
        assert termios.tcgetattr(theirs) == before


@pytest.mark.parametrize("word", ["exit", "poweroff"])
def test_leaving_the_shell_switches_the_guest_off(word: str) -> None:
    with on_a_terminal("run") as (process, ours, _):
        read_until(ours, b"tiny:~# ")
        os.write(ours, f"{word}\n".encode())
        read_until(ours, word.encode())
        assert process.wait(DEADLINE_S) == 0

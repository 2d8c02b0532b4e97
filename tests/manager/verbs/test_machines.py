"""Machines that are kept: their life by the verbs, with bare-metal guests."""

import os
import resource
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from tests.ui.programs import END, IDLE, SAY, bare_metal, command, hospes
from tests.ui.test_foreground import DEADLINE_S, on_a_terminal, read_until
from tests.worker.homes import workers_of

from hospes.manager.store import Store

PS_MS = 200
ECHO = """
    li t0, UART
wait:
    lbu t1, 5(t0)
    andi t1, t1, 1
    beqz t1, wait
    lbu t1, 0(t0)
    addi t1, t1, 1
    sb t1, 0(t0)
    j wait
"""


@pytest.fixture
def idle(tmp_path: Path) -> list[str]:
    """The words for a guest that says ok and waits."""
    program = bare_metal(tmp_path / "idle.bin", SAY + IDLE)
    return ["--bios", str(program), "--engine", "reference", "--memory", "16M"]


@pytest.fixture
def web(home: Path, idle: list[str]) -> str:
    """A machine that runs."""
    done = hospes("run", "--name", "web", "-d", *idle)
    assert (done.returncode, done.stdout, done.stderr) == (0, "web\n", "")
    return "web"


def rows(*words: str) -> list[list[str]]:
    """The table that `hospes ps` prints, without its head."""
    return [line.split() for line in hospes("ps", *words).stdout.splitlines()[1:]]


def refusal(*words: str) -> str:
    """The one sentence with which something is refused."""
    done = hospes(*words)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("hospes: ")
    return done.stderr


def test_a_life(web: str, home: Path) -> None:
    assert [row[:2] for row in rows()] == [["web", "running"]]
    assert hospes("ps", "-q").stdout == "web\n"
    assert len(workers_of(home)) == 1
    assert hospes("stop", "web").returncode == 0
    assert rows() == []
    assert [row[:2] for row in rows("-a")] == [["web", "stopped"]]
    assert hospes("start", "web").stdout == "web\n"
    assert [row[:2] for row in rows()] == [["web", "running"]]
    assert hospes("logs", "web").stdout == "okok"
    assert "runs; stop it first" in refusal("rm", "web")
    assert hospes("rm", "-f", "web").returncode == 0
    assert hospes("ps", "-aq").stdout == ""


def cpu_ms(*words: str) -> float:
    """The least processor time that a program takes, of five times."""
    took_s = []
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(words, stdout=subprocess.DEVNULL, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        took_s.append(after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)
    return 1000 * min(took_s)


def test_the_list_comes_soon(web: str) -> None:
    """Where an interpreter starts in 10 ms; on a slow or busy host all takes longer alike."""
    slowness = max(1.0, cpu_ms(sys.executable, "-c", "pass") / 10)
    assert cpu_ms(*command("ps")) < PS_MS * slowness


def test_pause_and_resume(web: str) -> None:
    hospes("pause", "web")
    assert [row[:2] for row in rows()] == [["web", "paused"]]
    hospes("resume", "web")
    assert [row[:2] for row in rows()] == [["web", "running"]]
    assert "retired instructions" in hospes("stats", "web").stdout


def test_a_guest_without_an_agent(web: str) -> None:
    assert "has no agent to do this" in refusal("exec", "web", "--", "ls")
    assert "has no agent to do this" in refusal("cp", "web:/etc", "/tmp/nowhere")
    done = hospes("stop", "web")
    assert done.returncode == 0
    assert "has no agent that could be asked; the plug was pulled" in done.stderr


def test_the_guests_exit_code_is_kept(home: Path, tmp_path: Path) -> None:
    program = bare_metal(tmp_path / "p.bin", SAY + END.format(code=7))
    done = hospes("run", "--name", "seven", "--bios", str(program), "--engine", "reference")
    assert (done.returncode, done.stdout) == (7, "ok")
    assert rows("-a")[0][-1] == "7"
    assert "exit status: 7" in hospes("inspect", "seven").stdout


def test_the_same_is_started_again(home: Path, tmp_path: Path) -> None:
    program = bare_metal(tmp_path / "p.bin", SAY + END.format(code=7))
    options = ["--engine", "reference", "--memory", "16M", "--cpus", "2", "--disk", "size=1M"]
    hospes("run", "--name", "it", "--bios", str(program), *options)
    disk = home / "machines" / "it" / "disk0.qcow2"
    assert disk.exists()
    inode = disk.stat().st_ino
    assert hospes("start", "it").returncode == 0
    deadline = time.monotonic() + DEADLINE_S
    while hospes("ps", "-q").stdout and time.monotonic() < deadline:
        time.sleep(0.1)
    told = hospes("inspect", "it").stdout.split()
    assert {"16M", "2", "disk0.qcow2", "reference"} <= set(told)
    assert disk.stat().st_ino == inode
    assert hospes("logs", "it").stdout == "okok"


def test_a_name_twice(web: str, idle: list[str]) -> None:
    assert "a machine 'web' already" in refusal("run", "--name", "web", "-d", *idle)
    assert "is running already" in refusal("start", "web")


def test_two_at_once(home: Path, idle: list[str]) -> None:
    words = command("run", "--name", "web", "-d", *idle)
    both = [subprocess.Popen(words, stderr=subprocess.PIPE) for _ in range(2)]
    said = [process.communicate(timeout=DEADLINE_S)[1] for process in both]
    assert sorted(process.returncode for process in both) == [0, 1]
    assert b"a machine 'web' already" in b"".join(said)
    assert len(workers_of(home)) == 1
    hospes("stop", "-f", "web")
    words = command("start", "web")
    both = [subprocess.Popen(words, stderr=subprocess.PIPE) for _ in range(2)]
    said = [process.communicate(timeout=DEADLINE_S)[1] for process in both]
    assert sorted(process.returncode for process in both) == [0, 1]
    assert b"is running already" in b"".join(said)
    assert len(workers_of(home)) == 1


def test_a_process_that_was_killed(web: str, home: Path) -> None:
    [process] = workers_of(home)
    os.kill(process, signal.SIGKILL)
    deadline = time.monotonic() + DEADLINE_S
    while hospes("ps", "-q").stdout and time.monotonic() < deadline:
        time.sleep(0.05)
    assert [row[:2] for row in rows("-a")] == [["web", "crashed"]]
    assert "does not run; start it with 'hospes start web'" in refusal("exec", "web", "--", "ls")
    assert hospes("start", "web").returncode == 0
    assert [row[:2] for row in rows()] == [["web", "running"]]


def test_a_process_that_hangs_is_killed(web: str, home: Path) -> None:
    [process] = workers_of(home)
    os.kill(process, signal.SIGSTOP)
    from hospes.manager import stopping

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hospes.manager.link.ANSWER_SECONDS", 0.2)
        said = stopping.pull_plug(Store().find("web"))
    assert "did not answer and was killed" in said


def test_a_process_told_to_end_does_so_in_order(web: str, home: Path) -> None:
    [process] = workers_of(home)
    os.kill(process, signal.SIGTERM)
    deadline = time.monotonic() + DEADLINE_S
    while workers_of(home) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert "by SIGTERM" in hospes("inspect", "web").stdout
    assert not (home / "machines" / "web" / "socket").exists()


@pytest.mark.parametrize("verb", ["start", "stop", "rm", "pause", "logs", "attach", "inspect"])
def test_no_such_machine(home: Path, verb: str) -> None:
    assert "There is no machine 'nothing'; 'hospes ps -a' lists all." in refusal(verb, "nothing")


def test_one_of_several_is_not_there(web: str) -> None:
    assert "no machine 'nothing'" in refusal("rm", "-f", "nothing", "web")
    assert hospes("ps", "-aq").stdout == ""


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--bios", "/nothing.elf"], "/nothing.elf"),
        (["--memory", "lots"], "'lots' is not a size"),
        (["--bios", "/dev/null", "--disk", "/nothing.qcow2"], "/nothing.qcow2"),
        (["--name", "No"], "cannot be called 'No'"),
        (["--timeout", "3"], "leave out --timeout"),
        (["--stats"], "use 'hospes stats'"),
        (["tiny", "--", "ls"], "run the command with 'hospes exec'"),
    ],
)
def test_what_cannot_be_started_is_not_kept(home: Path, words: list[str], sentence: str) -> None:
    said = refusal("run", "-d", *words)
    assert any(part in said for part in sentence.split("|"))
    assert hospes("ps", "-aq").stdout == ""


def test_the_key_that_leaves_a_console(home: Path, tmp_path: Path) -> None:
    program = bare_metal(tmp_path / "echo.bin", SAY + ECHO)
    words = ["run", "--name", "web", "--bios", str(program), "--engine", "reference"]
    with on_a_terminal(*words) as (process, ours, _):
        said = read_until(ours, b"ok")
        assert b"Ctrl-] leaves the console; the machine goes on." in said
        os.write(ours, b"a\x1d")
        said = read_until(ours, b"comes back to it.")
        assert b"hospes: Web goes on; 'hospes attach web'" in said.replace(b"\r", b"")
        assert process.wait(DEADLINE_S) == 0
    with on_a_terminal("attach", "web") as (process, ours, _):
        read_until(ours, b"okb")
        os.write(ours, b"x")
        read_until(ours, b"y")
        hospes("stop", "-f", "web")
        assert process.wait(DEADLINE_S) == 0


def test_following_a_log(web: str) -> None:
    with subprocess.Popen(command("logs", "-f", "web"), stdout=subprocess.PIPE) as following:
        threading.Timer(1.0, lambda: hospes("stop", "-f", "web")).start()
        assert following.communicate(timeout=DEADLINE_S)[0] == b"ok"
    assert hospes("logs", "--tail", "0", "web").stdout == ""

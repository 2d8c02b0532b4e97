"""The guest's end of the agent protocol: the script itself, in the host's busybox over a pty."""

import hashlib
import os
import pty
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hospes.guests.agent import AgentProtocol, ErrorOutput, Event, Finished, Output, Ready
from hospes.guests.agent_script import AGENT_SCRIPT
from hospes.guests.init_script import INIT_SCRIPT

SECONDS = 30.0
BUSYBOX = shutil.which("busybox")


def is_like_the_guests() -> bool:
    """Whether the host's busybox is built as `busybox-static` is: its shell prefers applets."""
    if BUSYBOX is None:
        return False
    command, path = [BUSYBOX, "sh", "-c", "true && sleep 0"], {"PATH": "/nonexistent"}
    return not subprocess.run(command, env=path, stderr=subprocess.DEVNULL, check=False).returncode


pytestmark = pytest.mark.skipif(
    not is_like_the_guests(), reason="the script needs the guest's busybox: install busybox-static"
)


class Agent:
    """The script at one end of a pty and the protocol at the other."""

    def __init__(self, directory: Path) -> None:
        script = directory / "agent"
        script.write_text(AGENT_SCRIPT)
        self.host, self.guest = pty.openpty()
        terminal = os.ttyname(self.guest).removeprefix("/dev/")
        self.process = subprocess.Popen(
            [str(BUSYBOX), "sh", str(script), terminal, str(directory / "state")],
            start_new_session=True,
        )
        self.protocol = AgentProtocol()
        assert self.until(Ready)[-1] == Ready(1)

    def until(self, kind: type[Event]) -> list[Event]:
        events: list[Event] = []
        end = time.monotonic() + SECONDS
        while not any(isinstance(event, kind) for event in events):
            assert time.monotonic() < end, f"no {kind.__name__} after {events!r:.200}"
            if select.select([self.host], [], [], 1)[0]:
                events += self.protocol.feed(os.read(self.host, 1 << 16))
        return events

    def send(self, data: bytes) -> None:
        while data:
            data = data[os.write(self.host, data[:1000]) :]

    def run(self, command: str) -> tuple[int, bytes, bytes]:
        self.send(self.protocol.run(command))
        return self.result()

    def result(self) -> tuple[int, bytes, bytes]:
        events = self.until(Finished)
        out = b"".join(e.data for e in events if isinstance(e, Output))
        err = b"".join(e.data for e in events if isinstance(e, ErrorOutput))
        [status] = [e.status for e in events if isinstance(e, Finished)]
        return status, out, err

    def close(self) -> None:
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        os.close(self.host)
        os.close(self.guest)


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agent]:
    agent = Agent(tmp_path_factory.mktemp("agent"))
    yield agent
    agent.close()


@pytest.mark.parametrize("script", [AGENT_SCRIPT, INIT_SCRIPT])
def test_the_scripts_parse(script: str) -> None:
    subprocess.run([str(BUSYBOX), "sh", "-n"], input=script.encode(), check=True)


@pytest.mark.parametrize(
    ("command", "result"),
    [
        ("true", (0, b"", b"")),
        ("", (0, b"", b"")),
        ("exit 3", (3, b"", b"")),
        ("kill -9 $$", (137, b"", b"")),
        ("echo out; echo err >&2; exit 7", (7, b"out\n", b"err\n")),
        ("printf 'no newline'", (0, b"no newline", b"")),
        (r"printf 'a\0b\377\r\n\t\004'; printf '\0\1\n' >&2", (0, b"a\0b\xff\r\n\t\4", b"\0\1\n")),
        ("cat; echo $0 $#", (0, b"sh 0\n", b"")),
        ("echo a\n\n\n  echo 'b\n\n c\\\\d'\n", (0, b"a\nb\n\n c\\\\d\n", b"")),
        ("cat <<E\n -n\n-e x\nE", (0, b" -n\n-e x\n", b"")),
        ("[ -t 0 ] || [ -t 1 ] || [ -t 2 ] || echo no terminal", (0, b"no terminal\n", b"")),
        ("exec 2>&-; echo fine", (0, b"fine\n", b"")),
        ("exec >&-; echo fine >&2", (0, b"", b"fine\n")),
    ],
)  # fmt: skip
def test_commands(agent: Agent, command: str, result: tuple[int, bytes, bytes]) -> None:
    assert agent.run(command) == result


@pytest.mark.parametrize("command", ["nosuchprogram", "echo 'unclosed", "-x"])
def test_mistakes_are_told_on_standard_error(agent: Agent, command: str) -> None:
    status, out, err = agent.run(command)
    assert (out, status > 0) == (b"", True)
    assert err.startswith(b"sh:")


def test_only_the_standard_descriptors_are_inherited(agent: Agent) -> None:
    status, out, _ = agent.run("exec ls /proc/self/fd")
    assert (status, out.split()) == (0, [b"0", b"1", b"2", b"3"])  # 3 is the directory being listed


@pytest.mark.parametrize(("megabytes", "data", "digest"), [(10, 1, 2), (2, 2, 1)])
def test_megabytes_of_random_bytes(agent: Agent, megabytes: int, data: int, digest: int) -> None:
    """On either stream, while the other one tells their checksum."""
    command = f"{{ head -c {megabytes << 20} /dev/urandom | tee /dev/fd/3 | sha256sum >&4; }}"
    result = agent.run(f"{command} 3>&{data} 4>&{digest}")
    assert (result[0], len(result[data])) == (0, megabytes << 20)
    assert result[digest].split()[0].decode() == hashlib.sha256(result[data]).hexdigest()


def test_both_streams_at_once_stay_whole(agent: Agent) -> None:
    numbers = b"".join(b"%d\n" % i for i in range(1, 20001))
    status, out, err = agent.run("seq 20000 & seq 20000 >&2; wait")
    assert (status, out, err) == (0, numbers, numbers)


def test_output_comes_while_the_command_runs(agent: Agent) -> None:
    agent.send(agent.protocol.run("echo begun; echo woe >&2; sleep 60"))
    events: list[Event] = []
    while len(events) < 2:
        events += agent.until(Output if not events else ErrorOutput)
    assert not any(isinstance(event, Finished) for event in events)
    agent.send(agent.protocol.signal("KILL"))
    assert agent.result()[0] == 137


def test_a_long_command(agent: Agent) -> None:
    text = "x" * 100_000
    status, out, _ = agent.run(f"echo {text}")
    assert (status, hashlib.sha256(out).digest()) == (
        0, hashlib.sha256(text.encode() + b"\n").digest(),
    )  # fmt: skip


@pytest.mark.parametrize(("name", "status"), [("TERM", 143), ("INT", 130), ("KILL", 137)])
def test_signals_reach_the_whole_group(agent: Agent, name: str, status: int) -> None:
    agent.send(agent.protocol.run("sleep 60 | sleep 60; echo no"))
    agent.send(agent.protocol.signal(name))
    assert agent.result() == (status, b"", b"")


def test_an_interrupt_is_not_ignored(agent: Agent) -> None:
    _, out, _ = agent.run("grep SigIgn /proc/self/status")
    assert not int(out.split()[1], 16) & 1 << signal.SIGINT - 1


def test_a_command_may_catch_a_signal(agent: Agent) -> None:
    command = "trap 'echo caught; exit 5' INT; echo ready; while :; do sleep 0.05; done"
    agent.send(agent.protocol.run(command))
    assert agent.until(Output)[-1] == Output(b"ready\n")
    agent.send(agent.protocol.signal("INT"))
    assert agent.result() == (5, b"caught\n", b"")


def test_a_late_signal_hits_nobody(agent: Agent) -> None:
    agent.run("true")
    agent.send(agent.protocol.signal("KILL"))
    assert agent.run("echo alive") == (0, b"alive\n", b"")

"""Requests to the agent: the real one, and ones that misbehave."""

import json
import os
import socket
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import pytest
from tests.guests.qga_host import StandInPorts, running_agent

from hospes.base.errors import HospesError, PortBusy
from hospes.guests import qga
from hospes.guests.qga import AgentRefusal, AgentSilent, open_agent, wait_ready

Reply = Callable[[dict[str, object]], bytes]


class FakeAgent:
    """GuestPorts whose agent answers each request by a function."""

    def __init__(self, reply: Reply, busy: int = 0) -> None:
        self.reply, self.busy = reply, busy
        self.requests: list[dict[str, object]] = []

    def stream_names(self) -> Sequence[str]:
        return ()

    def open_port(self, name: str) -> socket.socket:
        self.busy -= 1
        if self.busy >= 0:
            raise PortBusy("busy")
        ours, theirs = socket.socketpair()
        threading.Thread(target=self.serve, args=(theirs,), daemon=True).start()
        return ours

    def serve(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            for line in connection.makefile("rb"):
                request = json.loads(line.lstrip(b"\xff"))
                self.requests.append(request)
                if request["execute"] == "guest-sync-delimited":
                    answer = b'\xff{"return": %d}\n' % request["arguments"]["id"]
                else:
                    answer = self.reply(request)
                    if not answer:
                        return
                connection.sendall(answer)


def test_the_real_agent_tells_of_itself(ports: StandInPorts) -> None:
    with open_agent(ports) as agent:
        agent.ping()
        info = agent.info()
        assert info.version[0].isdigit()
        assert {"guest-exec", "guest-exec-status", "guest-shutdown"} <= info.enabled
        assert agent.os_info().machine == os.uname().machine
        assert abs(agent.time_ns() - time.time_ns()) < 5e9


def test_the_real_agent_runs_programs(ports: StandInPorts) -> None:
    with open_agent(ports) as agent:
        ran = agent.capture("/bin/sh", ["-c", 'printf "$1"; echo no >&2; exit 3', "sh", "a b"], 20)
        assert (ran.exit_code, ran.output, ran.errors) == (3, b"a b", b"no\n")
        assert agent.capture("sh", ["-c", "kill -9 $$"], 20).exit_code == 137
        with pytest.raises(AgentRefusal, match=r"refuses guest-exec: .*No such file"):
            agent.execute("/no/such/program", [])
        with pytest.raises(HospesError, match=r"did not end within 0\.1 s"):
            agent.capture("sleep", ["1"], 0.1)


def test_half_a_request_of_another_client_does_no_harm(ports: StandInPorts) -> None:
    with ports.open_port("org.qemu.guest_agent.0") as other:
        other.sendall(b'{"execute": "guest-info"}\n{"execute": "guest-pi')
    with open_agent(ports) as agent:
        assert agent.time_ns() > 0


def test_clients_wait_for_each_other(ports: StandInPorts) -> None:
    done: list[int] = []

    def ask() -> None:
        with open_agent(ports) as agent:
            done.append(agent.time_ns())

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(done) == 8


def test_a_disabled_command_is_told_of(tmp_path: Path) -> None:
    with running_agent(tmp_path, "--blacklist=guest-exec") as path:
        ports = StandInPorts(path, 0)
        with open_agent(ports) as agent:
            assert "guest-exec" not in agent.info().enabled
            with pytest.raises(AgentRefusal, match=r"does not offer guest-exec; allow it in"):
                agent.execute("/bin/true", [])


def test_a_port_that_stays_busy_is_waited_for_until_the_deadline() -> None:
    fake = FakeAgent(lambda request: b'{"return": {}}\n', busy=3)
    with open_agent(fake, 5) as agent:
        agent.ping()
    with pytest.raises(PortBusy):
        open_agent(FakeAgent(lambda request: b"", busy=10**9), 0.1).__enter__()


class Deaf:
    """A guest that has no agent, or not yet."""

    def __init__(self) -> None:
        self.sockets: list[socket.socket] = []

    def stream_names(self) -> Sequence[str]:
        return ()

    def open_port(self, name: str) -> socket.socket:
        ours, theirs = socket.socketpair()
        self.sockets.append(theirs)
        return ours


def test_a_guest_without_an_agent_is_told_of() -> None:
    with pytest.raises(AgentSilent, match="qemu-guest-agent is installed"):
        open_agent(Deaf(), 0.1).__enter__()
    assert not wait_ready(Deaf(), 0.1)


def test_an_agent_that_starts_late_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was sent before it listened is lost."""
    monkeypatch.setattr(qga, "RESEND_SECONDS", 0.05)
    deaf, fake = Deaf(), FakeAgent(lambda request: b"")

    def begin() -> None:
        time.sleep(0.2)
        deaf.sockets[0].recv(1 << 16)
        fake.serve(deaf.sockets[0])

    threading.Thread(target=begin, daemon=True).start()
    assert wait_ready(deaf, 10)
    assert len(deaf.sockets) == 1


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (b"", "has gone"),
        (b"garbage\n", "The guest cannot be spoken to: its agent sent b'garbage'"),
        (b'{"return": "x"}\n', "something else was due"),
        (b"x" * (2 << 20), "more than 1048576 bytes"),
        (b'{"error": {"class": "E", "desc": "a\\u001b[31m\\nb."}}\n', r"-get-time: a \[31m b\.$"),
        (b'{"error": {}}\n', "it gives no reason"),
    ],
)
def test_a_bad_answer_is_one_sentence(answer: bytes, sentence: str) -> None:
    with (
        open_agent(FakeAgent(lambda request: answer)) as agent,
        pytest.raises(HospesError, match=sentence) as raised,
    ):
        agent.time_ns()
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("encoded", ["a", "Y Q==", "\\u00e9"])
def test_damaged_output_is_one_sentence(encoded: str) -> None:
    answers = [b'{"return": {"pid": 1}}\n',
               b'{"return": {"exited": true, "out-data": "%s"}}\n' % encoded.encode()]  # fmt: skip
    with (
        open_agent(FakeAgent(lambda request: answers.pop(0))) as agent,
        pytest.raises(HospesError, match="damaged data"),
    ):
        agent.capture("/bin/true", [], 1.0)


def test_an_agent_that_does_not_answer_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(qga, "CALL_SECONDS", 0.1)
    with (
        open_agent(FakeAgent(lambda request: b" ")) as agent,
        pytest.raises(AgentSilent, match=r"has not answered guest-get-time within 0.1 s"),
    ):
        agent._call("guest-get-time", int, seconds=0.1)


def test_shutting_down_needs_no_answer() -> None:
    for reply in (b"", b" "):
        fake = FakeAgent(lambda request, reply=reply: reply)
        with open_agent(fake) as agent:
            agent.shutdown("reboot")
        assert fake.requests[-1] == {"execute": "guest-shutdown", "arguments": {"mode": "reboot"}}


def test_a_refused_shutdown_is_told_of() -> None:
    fake = FakeAgent(lambda request: b'{"error": {"class": "GenericError", "desc": "no"}}\n')
    with open_agent(fake) as agent, pytest.raises(AgentRefusal, match="guest-shutdown: no"):
        agent.shutdown()


def clock(answers: dict[str, bytes]) -> FakeAgent:
    return FakeAgent(lambda request: answers[str(request["execute"])])


def test_a_clock_that_was_set_but_not_in_hardware_is_set() -> None:
    failed = b'{"error": {"class": "GenericError", "desc": "no hwclock"}}\n'
    with open_agent(
        clock({"guest-set-time": failed, "guest-get-time": b'{"return": 1000001}\n'})
    ) as agent:
        agent.set_time_ns(1_000_000)
    with (
        open_agent(
            clock({"guest-set-time": failed, "guest-get-time": b'{"return": 9999999999999}\n'})
        ) as agent,
        pytest.raises(AgentRefusal, match="no hwclock"),
    ):
        agent.set_time_ns(1_000_000)

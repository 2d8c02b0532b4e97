"""The socket of a machine: requests, ports, and clients that are slow, hostile or gone."""

import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.machine.bare import bare_machine
from tests.waiting import eventually

from hospes.base import asking, unix
from hospes.base.asking import Reply
from hospes.machine.machine import Machine
from hospes.spec.kept import Ended, Started
from hospes.worker import messages, server
from hospes.worker.console_log import ConsoleLog
from hospes.worker.console_share import ConsoleShare
from hospes.worker.conversation import Served
from hospes.worker.frames import receive_message, receive_with_descriptor, send_message
from hospes.worker.messages import MachineInfo, PortInfo
from hospes.worker.server import Server

SPIN = "again:\n j again\n"


class Serving:
    """A machine that spins, served at a socket."""

    def __init__(self, directory: Path, ports: bool = False) -> None:
        self.machine: Machine = bare_machine(SPIN, ports=ports)
        log = ConsoleLog(directory / "log", directory / "log.1", pytest.fail)
        console = ConsoleShare(self.machine.console, self.machine.loop, log)
        self.served = Served(self.machine, console, Started(process=1, when_s=2.0, agent="hospes"))
        self.path = directory / "socket"
        self.server = Server(self.path, self.served)
        self.machine.start()
        self.server.start()

    def client(self) -> socket.socket:
        return unix.connect(self.path, 10)

    def close(self) -> None:
        self.server.close()
        self.machine.close()


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[Serving]:
    directory = tmp_path / ("long" * 30)
    directory.mkdir()
    one = Serving(directory)
    yield one
    one.close()


def ask(client: socket.socket, request: messages.AnyRequest) -> Reply:
    send_message(client, asking.pack_request(request))
    return answer(client)


def answer(client: socket.socket) -> Reply:
    data = receive_message(client, 1 << 20)
    assert data is not None
    return messages.unpack_reply(data)


def value(reply: Reply, kind: Any) -> Any:
    assert reply.error == ""
    return msgspec.msgpack.decode(reply.value, type=kind)


def open_port(client: socket.socket, name: str = "agent") -> tuple[PortInfo, socket.socket]:
    send_message(client, asking.pack_request(messages.Port(name)))
    data, descriptor = receive_with_descriptor(client, 1 << 20)
    assert data is not None
    info = value(messages.unpack_reply(data), PortInfo)
    end = socket.socket(fileno=descriptor)
    end.settimeout(10)
    return info, end


def test_pause_and_resume(serving: Serving) -> None:
    with serving.client() as client:
        assert value(ask(client, messages.Info()), MachineInfo).state == "running"
        value(ask(client, messages.Pause()), None)
        assert value(ask(client, messages.Info()), MachineInfo).state == "paused"
        value(ask(client, messages.Resume()), None)
        assert value(ask(client, messages.Info()), MachineInfo).state == "running"


def test_statistics(serving: Serving) -> None:
    with serving.client() as client:
        rows = value(ask(client, messages.Statistics()), list[tuple[str, str, str]])
        assert ("run", "engine", "reference") in rows


@pytest.mark.parametrize(
    "data", [b"\0\0\0\1\xc1", b"\xff\xff\xff\xff", b"\0\0\0\x0a\x81\xa4verb\xa3fly"]
)
def test_garbage_is_answered_and_left(serving: Serving, data: bytes) -> None:
    with serving.client() as client:
        client.sendall(data)
        assert answer(client).error
        assert receive_message(client, 100) is None
    with serving.client() as client:
        value(ask(client, messages.Info()), MachineInfo)


def test_others_are_not_listened_to(serving: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unix, "peer_user", lambda _: 12345)
    with serving.client() as client:
        assert receive_message(client, 100) is None


def test_connections_are_bounded(serving: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "CONNECTIONS_MAX", 3)
    clients = [serving.client() for _ in range(3)]
    for client in clients:
        value(ask(client, messages.Info()), MachineInfo)
    with serving.client() as other:
        assert "has 3 connections already" in answer(other).error
    for client in clients:
        client.close()

    def served() -> bool:
        # Until a place is free, the server may have hung up already when it is asked.
        with serving.client() as client, suppress(ConnectionError):
            send_message(client, asking.pack_request(messages.Info()))
            return answer(client).error == ""
        return False

    assert eventually(served)


def test_a_message_that_stays_unfinished_delays_nobody(serving: Serving) -> None:
    with serving.client() as slow, serving.client() as client:
        slow.sendall(b"\0\0")
        value(ask(client, messages.Info()), MachineInfo)


def test_waiting_for_the_end(serving: Serving) -> None:
    ended = Ended(kind="guest", exit_code=7, when_s=3.0)
    with serving.client() as client:
        send_message(client, asking.pack_request(messages.Wait()))
        time.sleep(0.05)
        serving.served.ended = ended
        serving.server.close()
        assert value(answer(client), Ended) == ended


def test_the_console_is_a_raw_stream(serving: Serving) -> None:
    serving.machine.console.write(b"before\nprompt# ")
    with serving.client() as client:
        value(ask(client, messages.Console(0)), None)
        assert client.recv(8) == b"prompt# "
        client.sendall(b"typed")
        assert eventually(lambda: serving.machine.console.bytes_in == 5)


def test_the_agents_port_is_for_one(serving: Serving) -> None:
    serving.machine.agent.write(b"hospes-agent 1\n")
    with serving.client() as first, serving.client() as second:
        info, end = open_port(first)
        assert info == PortInfo(opening=b"hospes-agent 1\n", abandoned=False)
        refused = ask(second, messages.Port("agent"))
        assert refused.kind == "PortBusy"
        serving.machine.agent.write(b"said")
        assert end.recv(100) == b"said"
        end.sendall(b"typed")
        assert eventually(lambda: serving.machine.agent.bytes_in == 5)
        end.sendall(b"z" * 10000)
        end.shutdown(socket.SHUT_WR)
        value(ask(first, messages.Done()), None)
        assert end.recv(100) == b""
        agent = serving.machine.agent
        assert eventually(lambda: agent.bytes_in == 10_005)
        info, end = open_port(second)
        assert not info.abandoned
        end.close()


def test_a_port_that_was_abandoned(serving: Serving) -> None:
    with serving.client() as first:
        _, end = open_port(first)
        end.close()
    with serving.client() as second:
        assert eventually(lambda: serving.served.agent._files is None)
        info, end = open_port(second)
        assert info.abandoned
        end.close()


def test_a_reader_that_sleeps_holds_back_its_port_only(serving: Serving) -> None:
    with serving.client() as client, serving.client() as other:
        _, end = open_port(client)
        taken = sum(serving.machine.agent.write(b"x" * 65536) for _ in range(100))
        assert taken < 100 * 65536
        assert serving.machine.console.write(b"console") == 7
        value(ask(other, messages.Info()), MachineInfo)
        end.close()


def test_no_such_port(serving: Serving) -> None:
    with serving.client() as client:
        assert "the machine has no ports" in ask(client, messages.Port("nothing")).error


def test_named_ports(tmp_path: Path) -> None:
    one = Serving(tmp_path, ports=True)
    with one.client() as first, one.client() as second:
        _, end = open_port(first, "org.hospes.stream.0")
        assert ask(second, messages.Port("org.hospes.stream.0")).kind == "PortBusy"
        _, other = open_port(first, "org.hospes.stream.1")
        end.close()

        def free() -> bool:
            send_message(second, asking.pack_request(messages.Port("org.hospes.stream.0")))
            data, descriptor = receive_with_descriptor(second, 1 << 20)
            if descriptor is not None:
                socket.socket(fileno=descriptor).close()
            assert data is not None
            return messages.unpack_reply(data).error == ""

        assert eventually(free)
    one.close()
    assert other.recv(1) == b""
    other.close()


def test_a_stale_socket_is_no_hindrance(tmp_path: Path) -> None:
    unix.listen(tmp_path / "socket", 1).close()
    assert (tmp_path / "socket").exists()
    one = Serving(tmp_path)
    with one.client() as client:
        value(ask(client, messages.Info()), MachineInfo)
    one.close()
    assert not (tmp_path / "socket").exists()

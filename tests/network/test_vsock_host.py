"""The host of a guest's sockets: its door, its listeners, and what is left of them at the end."""

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from hospes.base.errors import HospesError
from hospes.network.vsock_host import BACKLOG, VsockHost
from hospes.spec.vsock import CID_MAX, VsockSpec, check_port, new_cid

SECONDS = 10.0
CID = 77


class Bell:
    """Counts how often the machine is rung, and lets a test wait for what it is rung for."""

    def __init__(self) -> None:
        self._rung = threading.Condition()

    def __call__(self) -> None:
        with self._rung:
            self._rung.notify_all()

    def wait(self, what: Callable[[], object]) -> object:
        with self._rung:
            found = self._rung.wait_for(what, SECONDS)
        assert found
        return found


@pytest.fixture
def bell() -> Bell:
    return Bell()


@pytest.fixture
def door(tmp_path: Path) -> Path:
    return tmp_path / "vsock.sock"


@pytest.fixture
def host(door: Path, bell: Bell) -> Iterator[VsockHost]:
    before = set(threading.enumerate()), open_files()
    host = VsockHost(VsockSpec(CID, door), bell)
    yield host
    host.close()
    assert set(threading.enumerate()) == before[0]
    assert open_files() == before[1]


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


def knock(door: Path, words: bytes) -> socket.socket:
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(SECONDS)
    client.connect(str(door))
    client.sendall(words)
    return client


@pytest.mark.parametrize("cuts", [(), (1, 8, 10), range(1, 11)])
def test_a_caller_says_whom_it_calls(host, door, bell, cuts) -> None:
    words, at = b"CONNECT 22\nthe rest", 0
    client = knock(door, b"")
    for cut in (*cuts, len(words)):
        client.sendall(words[at:cut])
        at = cut
        time.sleep(0.002)
    bell.wait(lambda: host.waiting)
    [call] = host.calls()
    assert (call.port, call.packets) == (22, False)
    call.end.connected(1073741825)
    assert client.recv(100) == b"OK 1073741825\n"
    assert call.end.take(100) == b"the rest"
    call.end.close()
    assert client.recv(100) == b""
    client.close()


@pytest.mark.parametrize(
    "words",
    [b"CONNECT\n", b"CONNECT x\n", b"GET / HTTP/1.1\r\n", b"CONNECT 4294967295\n",
     b"CONNECT -1\n", b"connect 22\n", b"\n", b"CONNECT " + b"1" * 100],
)  # fmt: skip
def test_who_says_something_else_is_hung_up_on(host, door, words) -> None:
    with knock(door, words) as client, suppress(ConnectionResetError):
        assert client.recv(10) == b""
    assert not host.waiting


def test_a_refused_caller_is_hung_up_on(host, door, bell) -> None:
    with knock(door, b"CONNECT 5\n") as client:
        bell.wait(lambda: host.waiting)
        host.calls()[0].end.close()
        assert client.recv(10) == b""


def test_bytes_both_ways_and_their_ends(host, bell) -> None:
    answers: list[int | None] = []
    theirs = host.call(1000, False, answers.append)
    [call] = host.calls()
    end = call.end
    end.connected(5)
    assert answers == [5]
    assert end.take(10) is None
    theirs.sendall(b"hello")
    assert bell.wait(host.changed) == [end]
    assert (end.take(3), end.take(10), end.take(10)) == (b"hel", b"lo", None)
    theirs.shutdown(socket.SHUT_WR)
    assert bell.wait(host.changed) == [end]
    assert end.take(10) == b""
    assert not end.hung_up
    assert end.put(b"answer") == 6
    end.end_output()
    assert theirs.recv(10) == b"answer"
    assert theirs.recv(10) == b""
    theirs.close()
    assert end.hung_up
    assert end.put(b"more") is None
    end.close()
    end.close()
    assert answers == [5]


def test_who_takes_nothing_is_waited_for(host, bell) -> None:
    theirs = host.call(1000, False, lambda port: None)
    [call] = host.calls()
    sent = 0
    while taken := call.end.put(bytes(100_000)):
        sent += taken
    assert sent > 100_000
    assert host.changed() == []
    theirs.settimeout(SECONDS)
    got = 0
    while got < sent:
        got += len(theirs.recv(1 << 20))
    assert bell.wait(host.changed) == [call.end]
    assert call.end.put(b"again") == 5
    call.end.close()
    theirs.close()


def test_messages(host, bell) -> None:
    theirs = host.call(1000, True, lambda port: None)
    [call] = host.calls()
    assert call.packets
    assert call.end.take(10) is None
    theirs.send(b"one")
    theirs.send(b"longer than ten")
    assert bell.wait(host.changed) == [call.end]
    assert call.end.take(10) == b"one"
    assert call.end.take(10) == b"", "a message that does not fit is the end"
    assert call.end.put(bytes(64 * 1024)) == 64 * 1024
    assert len(theirs.recv(1 << 20)) == 64 * 1024
    call.end.close()
    theirs.close()


def test_a_listener_takes_calls_until_it_is_closed(host) -> None:
    assert host.connect(7, False) is None
    with host.listen(7, False) as listener:
        with pytest.raises(HospesError, match="listened on already"):
            host.listen(7, False)
        with pytest.raises(TimeoutError, match="port 7"):
            listener.accept(0.01)
        assert host.connect(7, True) is None
        ends = [host.connect(7, False) for _ in range(BACKLOG + 1)]
        assert ends.pop() is None
        with listener.accept(SECONDS) as called:
            called.sendall(b"hi")
            assert ends[0].take(10) == b"hi"
    assert ends[1].take(10) == b""
    with pytest.raises(HospesError, match="is closed"):
        listener.accept(SECONDS)
    assert host.connect(7, False) is None
    for end in ends:
        end.close()


def test_a_call_reaches_a_unix_socket_of_its_kind(host, door) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(f"{door}_9")
        server.listen(1)
        end = host.connect(9, False)
        assert end is not None
        assert host.connect(9, True) is None
        while (another := host.connect(9, False)) is not None:
            another.close()
        end.close()


def test_the_door_is_made_anew_and_goes_with_the_host(door, bell) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(door))
    host = VsockHost(VsockSpec(CID, door), bell)
    assert door.is_socket()
    assert door.stat().st_mode & 0o777 == 0o600
    host.close()
    assert not door.exists()


def test_what_is_in_the_way_of_the_door_stays(door, bell) -> None:
    door.write_text("precious")
    with pytest.raises(HospesError, match=r"vsock\.sock cannot be made"):
        VsockHost(VsockSpec(CID, door), bell)
    assert door.read_text() == "precious"


def test_who_waits_at_the_end_is_hung_up_on(door, bell) -> None:
    host = VsockHost(VsockSpec(CID, door), bell)
    listener = host.listen(5, False)
    silent, called = knock(door, b""), knock(door, b"CONNECT 1\n")
    answers: list[int | None] = []
    theirs = host.call(1, False, answers.append)
    bell.wait(lambda: len(host._callers) == 2)
    time.sleep(0.05)
    host.close()
    assert [one.recv(10) for one in (silent, called, theirs)] == [b"", b"", b""]
    assert answers == [None]
    with pytest.raises(HospesError, match="closed"):
        listener.accept()
    for one in (silent, called, theirs):
        one.close()


def test_a_guest_leaves_this_process_most_of_its_files(door, bell, monkeypatch) -> None:
    monkeypatch.setattr("resource.getrlimit", lambda which: (80, 1024))
    host = VsockHost(VsockSpec(CID, door), bell)
    with host.listen(7, False):
        ends = [host.connect(7, False) for _ in range(20)]
        assert None not in ends
        assert host.connect(7, False) is None
        with pytest.raises(HospesError, match="has 20 vsock connections"):
            host.call(1, False, lambda port: None)
        with knock(door, b"CONNECT 1\n") as client:
            assert client.recv(10) == b""
        ends.pop().close()
        ends.append(host.connect(7, False))
        for end in ends:
            end.close()
    host.close()


def test_addresses_and_ports() -> None:
    taken = {new_cid() for _ in range(50)}
    assert len(taken) == 50
    assert all(3 <= cid <= CID_MAX for cid in taken)
    for cid in (0, 2, 0xFFFF_FFFF, -1):
        with pytest.raises(HospesError, match=f"vsock address {cid}"):
            VsockSpec(cid)
    with pytest.raises(HospesError, match="vsock port -1"):
        check_port(-1)

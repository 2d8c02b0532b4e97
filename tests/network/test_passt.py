"""passt's end of a cable: frames over a stream, whatever comes back, and the program itself."""

import random
import shutil
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from tests.network.frames import GATEWAY4, GUEST4, see
from tests.network.namespace import ip, needs_namespaces
from tests.network.test_tap import SECONDS, Namespace, with_bridge

from hospes.base import programs
from hospes.base.errors import GuestError, HospesError
from hospes.network import passt, passt_process
from hospes.network.framing import with_length
from hospes.network.passt import TAKEN_BYTES, Passt, wired
from hospes.network.passt_process import arguments, reason, servers_to_tell
from hospes.network.published import Publication
from hospes.network.stream_end import QUEUE_BYTES
from hospes.network.tcp_segment import Wire
from hospes.network.vnet import GSO_UDP_L4, PLAIN, VnetHeader

WIRE = Wire(bytes(range(12)), GATEWAY4, GUEST4, (80, 4000))
FRAME = bytes(range(60))
needs_passt = pytest.mark.skipif(
    shutil.which("passt") is None, reason="passt is not installed (package passt)"
)


def super_segment(size: int) -> bytes:
    data = random.Random(size).randbytes(size)
    return WIRE.frame(7, 7, 0x10, 99, data=data, mss=1460)


@pytest.mark.parametrize("size", [0, 1000, 5000, 64000])
def test_a_frame_for_passt_is_whole_and_its_checksum_complete(size: int) -> None:
    (sent,) = wired(super_segment(size))
    seen = see(PLAIN + sent)
    assert seen.valid
    assert len(seen.tcp[4]) == size


def test_a_super_segment_that_passt_does_not_take_is_cut_up() -> None:
    longest = super_segment(0xFFFF - 40)
    assert len(longest) - 12 > TAKEN_BYTES
    pieces = [see(PLAIN + piece) for piece in wired(longest)]
    assert all(piece.valid for piece in pieces)
    assert b"".join(piece.tcp[4] for piece in pieces) == see(longest).tcp[4]


@pytest.mark.parametrize(
    "frame",
    [
        PLAIN[:5],
        PLAIN + bytes(13),
        PLAIN + bytes(TAKEN_BYTES + 1),
        VnetHeader(gso_type=GSO_UDP_L4, gso_size=100).pack() + bytes(TAKEN_BYTES + 1),
        VnetHeader(flags=1, csum_start=60, csum_offset=6).pack() + bytes(60),
    ],
)
def test_a_frame_that_cannot_be_sent(frame: bytes) -> None:
    with pytest.raises(GuestError):
        wired(frame)


def test_whatever_a_guest_sends_is_sent_or_refused() -> None:
    chance = random.Random(5)
    whole = super_segment(0xFFFF - 40)
    for _ in range(100):
        frame = bytearray(whole[: chance.choice((11, 26, 60, 2000, len(whole)))])
        for _ in range(chance.randrange(6)):
            frame[chance.randrange(min(len(frame), 70))] = chance.randrange(256)
        try:
            sent = wired(bytes(frame))
        except GuestError:
            continue
        assert all(14 <= len(piece) <= TAKEN_BYTES for piece in sent)


class Peer:
    """What stands in passt's place: the other end of the connection."""

    def __init__(self) -> None:
        self.ours, self.theirs = socket.socketpair()
        self.remarks: list[str] = []
        self.rung = 0
        self.ours.settimeout(SECONDS)

    def ring(self) -> None:
        self.rung += 1


@pytest.fixture
def peer(monkeypatch: pytest.MonkeyPatch) -> Iterator[Peer]:
    made = Peer()
    monkeypatch.setattr(passt, "start", lambda publications, allow_host: made.theirs)
    yield made
    made.ours.close()


@pytest.fixture
def end(peer: Peer) -> Iterator[Passt]:
    made = Passt(ring=peer.ring, remark=peer.remarks.append)
    yield made
    peer.ours.close()
    made.close()
    made.close()


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_frames_cross_behind_their_lengths(peer: Peer, end: Passt) -> None:
    end.send([PLAIN + FRAME, PLAIN[:5], PLAIN + FRAME[::-1]])
    sent = with_length(FRAME) + with_length(FRAME[::-1])
    got = b""
    while len(got) < len(sent):
        got += peer.ours.recv(1000)
    assert got == sent
    assert (end.statistics.frames_from_guest, end.statistics.malformed) == (2, 1)
    peer.ours.sendall(sent[:70])
    until(lambda: end.waiting)
    assert end.receive(10) == [PLAIN + FRAME]
    peer.ours.sendall(sent[70:])
    until(lambda: end.waiting)
    assert end.receive(10) == [PLAIN + FRAME[::-1]]
    assert end.link_up
    assert peer.remarks == []
    assert peer.rung >= 2


@pytest.mark.parametrize(
    "last",
    [
        b"",
        with_length(FRAME)[:2],
        with_length(FRAME)[:40],
        with_length(bytes(13)),
        bytes(4),
        b"\xff" * 60,
        (1 << 17).to_bytes(4) + bytes(70_000),
    ],
    ids=["end", "in a length", "in a frame", "short", "empty", "huge", "long"],
)
def test_a_peer_that_breaks_off_or_speaks_nonsense(peer: Peer, end: Passt, last: bytes) -> None:
    peer.ours.sendall(with_length(FRAME) + last)
    peer.ours.shutdown(socket.SHUT_WR)
    until(lambda: not end.link_up)
    assert end.receive(10) in ([], [PLAIN + FRAME])
    end.send([PLAIN + FRAME])
    assert end.statistics.ignored == 1
    assert peer.remarks == [
        "passt has ended, and the network with it; stop the machine and start it"
    ]


def test_a_peer_that_does_not_read_makes_us_hold_a_bounded_number_of_bytes(
    peer: Peer, end: Passt
) -> None:
    frames = [PLAIN + bytes(60_000)] * 400
    end.send(frames)
    assert end.statistics.refused > 0
    assert end.statistics.bytes_from_guest < QUEUE_BYTES + (1 << 20)
    got = 0
    while got < end.statistics.frames_from_guest * 60_004:
        got += len(peer.ours.recv(1 << 20))
    end.send(frames[:1])
    assert peer.ours.recv(4) == (60_000).to_bytes(4)


def test_it_is_left_in_order(peer: Peer) -> None:
    """passt sees the end, and has time to free its ports, before `close` returns."""
    end = Passt()
    seen = []

    def linger() -> None:
        seen.append(peer.ours.recv(10))
        time.sleep(0.1)
        seen.append(b"freed")
        peer.ours.close()

    thread = threading.Thread(target=linger)
    thread.start()
    end.close()
    assert seen == [b"", b"freed"]
    thread.join()


def test_its_ports_are_free_when_it_is_left(peer: Peer) -> None:
    """An ending process loses its sockets one by one."""
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    end = Passt([Publication("tcp", "127.0.0.1", port, "10.9.0.7", 80)])

    def linger() -> None:
        peer.ours.recv(10)
        peer.ours.close()
        time.sleep(0.2)
        listening.close()

    thread = threading.Thread(target=linger)
    thread.start()
    end.close()
    socket.create_server(("127.0.0.1", port)).close()
    thread.join()


def test_one_that_does_not_end_is_left_nevertheless(
    peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passt_process, "END_SECONDS", 0.1)
    end = Passt()
    peer.ours.setblocking(False)
    ending = threading.Event()

    def talk() -> None:
        while not ending.is_set():
            with suppress(BlockingIOError, BrokenPipeError, ConnectionResetError):
                peer.ours.send(with_length(FRAME))

    thread = threading.Thread(target=talk)
    thread.start()
    try:
        end.close()
    finally:
        ending.set()
        thread.join()


def test_what_it_is_called_with() -> None:
    ports = [
        Publication("tcp", "127.0.0.1", 8080, "", 80),
        Publication("tcp", "::1", 2222, "", 22),
        Publication("udp", "0.0.0.0", 53, "", 5353),
    ]
    assert arguments(7, ports, [], allow_host=True) == [
        "--quiet", "--fd", "7", "--tcp-ports", "127.0.0.1/8080:80", "--tcp-ports", "::1/2222:22",
        "--udp-ports", "0.0.0.0/53:5353",
    ]  # fmt: skip
    assert arguments(7, [], ["192.0.2.53"], allow_host=False) == [
        "--quiet", "--fd", "7", "--no-map-gw", "--dns", "192.0.2.53",
        "--tcp-ports", "none", "--udp-ports", "none",
    ]  # fmt: skip


def test_name_servers_on_the_loopback_are_replaced_by_those_behind_them() -> None:
    behind = "nameserver 192.0.2.53\nnameserver 127.0.0.1\nnameserver 2001:db8::53\n"
    assert servers_to_tell("nameserver 127.0.0.53\n", behind) == ["192.0.2.53", "2001:db8::53"]
    assert servers_to_tell("nameserver ::1\nnameserver 192.0.2.1\n", behind) == []
    assert servers_to_tell("", "") == []


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("", ""),
        ("Failed to send 47 bytes to syslog\nDon't run as root. Changing to nobody...\n", ""),
        ("No interface\n\nFailed to send 9 bytes to syslog\nNot usable\n", "Not usable"),
        ("passt: unrecognized option '--fd'\nUsage:\n -d\n", "passt: unrecognized option '--fd'"),
        ("x" * 5000, "x" * 200),
    ],
)
def test_why_it_ended(said: str, why: str) -> None:
    assert reason(said) == why


def test_a_host_without_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(programs.shutil, "which", lambda name, path: None)
    with pytest.raises(HospesError, match=r"passt is not installed; .*'apt-get install passt'"):
        Passt()
    broken = tmp_path / "passt"
    broken.write_text("#!/nonexistent\n")
    broken.chmod(0o755)
    monkeypatch.setattr(programs.shutil, "which", lambda name, path: str(broken))
    with pytest.raises(HospesError, match=r"passt cannot be started .*install it anew"):
        Passt()
    broken.write_text("#!/bin/sh\necho 'no such luck' >&2\nexit 3\n")
    with pytest.raises(HospesError, match="passt does not start: no such luck; see 'man passt'"):
        Passt()


@contextmanager
def routed() -> Iterator[Namespace]:
    """A namespace with a default route, which passt takes its addresses from, to nowhere."""
    with with_bridge("up0", "10.9.0.7/24") as made:
        made.ip("route", "add", "default", "via", "10.9.0.1")
        yield made
        until(lambda: ip("netns", "pids", made.name) == "")


ASK = """
import socket, sys, time
from hospes.base.errors import HospesError
from hospes.network import arp
from hospes.network.passt import Passt
from hospes.network.published import Publication
try:
    ours = Passt([Publication("tcp", "127.0.0.1", 8080, "", 80)])
except HospesError as error:
    sys.exit(str(error))
ours.accept(0)
deadline = time.monotonic() + 10
while time.monotonic() < deadline:
    ours.send([arp.request(bytes((2, 0, 0, 0, 0, 7)), socket.inet_aton("10.9.0.7"),
                           socket.inet_aton("10.9.0.1"))])
    time.sleep(0.02)
    if any(frame[24:26] == b"\\x08\\x06" and frame[33] == 2 for frame in ours.receive(100)):
        print("answered", flush=True)
        break
sys.stdin.read()
ours.close()
ours.close()
socket.create_server(("127.0.0.1", 8080)).close()
"""


@needs_passt
@needs_namespaces
@pytest.mark.parametrize("number", [signal.SIGKILL, None], ids=["killed", "closed"])
def test_it_is_gone_with_its_machine(number: signal.Signals | None) -> None:
    with routed() as namespace:
        process = namespace.start(ASK)
        assert process.stdout is not None
        assert process.stdout.readline() == "answered\n"
        assert len(ip("netns", "pids", namespace.name).split()) == 2
        if number is None:
            assert process.communicate("", timeout=SECONDS)[1] == ""
            assert process.returncode == 0
        else:
            process.send_signal(number)
            process.communicate(timeout=SECONDS)


@needs_passt
@needs_namespaces
def test_what_the_real_one_refuses() -> None:
    with routed() as namespace:
        taken = namespace.start(
            "import socket, sys; s = socket.create_server(('127.0.0.1', 8080)); print(flush=True); "
            "sys.stdin.read()"
        )
        assert taken.stdout is not None
        taken.stdout.readline()
        process = namespace.start(ASK)
        said = process.communicate("", timeout=SECONDS)[1]
        taken.communicate("", timeout=SECONDS)
        assert said == (
            "tcp 127.0.0.1:8080 cannot be published: another program has it; choose another port "
            "or end that program\n"
        )
        process = namespace.start(ASK.replace("127.0.0.1", "10.9.0.99"))
        said = process.communicate("", timeout=SECONDS)[1]
        assert "10.9.0.99:8080 cannot be published: the host does not have this address" in said


AS_OTHER = """
import os
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
try:"""


@needs_passt
@needs_namespaces
def test_an_ordinary_user_has_it_too() -> None:
    with routed() as namespace:
        process = namespace.start(ASK.replace("\ntry:", AS_OTHER))
        assert process.communicate("", timeout=SECONDS) == ("answered\n", "")
        process = namespace.start(ASK.replace("\ntry:", AS_OTHER).replace("8080", "81"))
        said = process.communicate("", timeout=SECONDS)[1]
        assert said == (
            "tcp 127.0.0.1:81 cannot be published: this user may not use it; choose a port from "
            "1024 on\n"
        )

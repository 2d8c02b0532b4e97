"""What a back end is told over its socket, and whatever it may answer."""

import os
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field

import pytest

from hospes.folders.virtiofsd.exchange import BASE, RINGS, BackendError, Exchange
from hospes.folders.virtiofsd.vhost_user import FrontEnd, Request

VERSION, REPLY, NEED_REPLY = 1, 4, 8
VIRTIO_1, PROTOCOL_FEATURES, REPLY_ACK = 1 << 32, 1 << 30, 1 << 3
PATIENCE_SECONDS = 5.0


@dataclass
class Told:
    """A message, the files that came with it kept open."""

    request: int
    flags: int
    payload: bytes
    files: list[int]


@dataclass
class BackEnd:
    """Answers as the protocol has it (QEMU, docs/interop/vhost-user.rst), but for `replies`."""

    features: int = VIRTIO_1 | PROTOCOL_FEATURES | 1 << 28
    protocol_features: int = REPLY_ACK | 1 << 0 | 1 << 15
    replies: dict[int, bytes] = field(default_factory=dict)
    told: list[Told] = field(default_factory=list)

    def serve(self, connection: socket.socket) -> None:
        """Until the front end hangs up, or a reply is empty."""
        with connection:
            while message := self.hear(connection):
                self.told.append(message)
                reply = self.replies.get(message.request, self.reply(message))
                if reply:
                    connection.sendall(reply)
                elif message.request in self.replies:
                    return

    def hear(self, connection: socket.socket) -> Told | None:
        try:
            header, files, _, _ = socket.recv_fds(connection, 12, 8)
        except ConnectionResetError:
            return None
        if not header:
            return None
        request, flags, size = struct.unpack("<III", header)
        payload = connection.recv(size, socket.MSG_WAITALL) if size else b""
        return Told(request, flags, payload, files)

    def reply(self, message: Told) -> bytes:
        """With the number it asks for."""
        numbers = {
            Request.GET_FEATURES: self.features,
            Request.GET_PROTOCOL_FEATURES: self.protocol_features,
        }
        if message.request in numbers:
            return packed(message.request, numbers[Request(message.request)])
        return packed(message.request, 0) if message.flags & NEED_REPLY else b""

    def close(self) -> None:
        for message in self.told:
            for fd in message.files:
                os.close(fd)


def packed(request: int, number: int, flags: int = VERSION | REPLY, size: int = 8) -> bytes:
    return struct.pack("<IIIQ", request, flags, size, number)


@dataclass
class Ends:
    """What a front end is given."""

    exchange: Exchange
    kicks: list[int]
    calls: list[int]

    def set_up(self, back_end: BackEnd) -> None:
        """With a back end in a thread of its own, which has ended afterwards."""
        ours, theirs = socket.socketpair()
        thread = threading.Thread(target=back_end.serve, args=(theirs,))
        thread.start()
        try:
            with ours:
                ours.settimeout(PATIENCE_SECONDS)
                FrontEnd(ours).set_up(self.exchange, self.kicks, self.calls)
        finally:
            thread.join()


@pytest.fixture
def ends() -> Iterator[Ends]:
    fds = [os.eventfd(0) for _ in range(2 * RINGS)]
    with closing(Exchange(3, 1000)) as exchange:
        yield Ends(exchange, fds[:RINGS], fds[RINGS:])
    for fd in fds:
        os.close(fd)


@pytest.mark.parametrize("acknowledged", [True, False])
def test_what_a_back_end_is_told(ends: Ends, acknowledged: bool) -> None:
    with closing(BackEnd(protocol_features=0xFFF7 | REPLY_ACK * acknowledged)) as back_end:
        ends.set_up(back_end)
        told = {message.request: message for message in back_end.told[:6]}
        assert list(told) == [1, 15, 16, 3, 2, 5]
        wanted = VIRTIO_1 | PROTOCOL_FEATURES
        assert struct.unpack("<Q", told[2].payload) == (wanted,)
        assert struct.unpack("<Q", told[16].payload) == (REPLY_ACK * acknowledged,)
        assert [message.flags for message in back_end.told[:3]] == [VERSION] * 3
        flags = {message.flags for message in back_end.told[3:]}
        assert flags == {VERSION | NEED_REPLY * acknowledged}
        size = ends.exchange.size_bytes
        assert struct.unpack("<IIQQQQ", told[5].payload) == (1, 0, BASE, size, BASE, 0)
        assert os.fstat(told[5].files[0]).st_size == size
        assert len(told[5].files) == 1


def test_what_a_back_end_is_told_of_rings(ends: Ends) -> None:
    with closing(BackEnd()) as back_end:
        ends.set_up(back_end)
        later = back_end.told[6:]
        for number, ring in enumerate(ends.exchange.rings):
            told = {message.request: message for message in later[6 * number : 6 * number + 6]}
            assert sorted(told) == [8, 9, 10, 12, 13, 18]
            assert list(told)[-1] == 18
            size = struct.unpack("<II", told[8].payload)
            assert size == (number, ends.exchange.ring_size)
            assert struct.unpack("<II", told[10].payload) == (number, 0)
            assert struct.unpack("<II", told[18].payload) == (number, 1)
            # Index and flags, then descriptors, used ring, available ring, and nowhere to log to.
            places = (BASE + ring.descriptors, BASE + ring.used, BASE + ring.available)
            assert struct.unpack("<IIQQQQ", told[9].payload) == (number, 0, *places, 0)
            for request, fd in ((12, ends.kicks[number]), (13, ends.calls[number])):
                assert struct.unpack("<Q", told[request].payload) == (number,)
                (given,) = told[request].files
                os.eventfd_write(given, 5)
                assert os.eventfd_read(fd) == 5
        assert len(later) == 6 * RINGS


@pytest.mark.parametrize("features", [0, VIRTIO_1, PROTOCOL_FEATURES, 1 << 28])
def test_one_that_is_too_old(ends: Ends, features: int) -> None:
    back_end = BackEnd(features=features)
    with pytest.raises(BackendError, match="too old"):
        ends.set_up(back_end)


ACKNOWLEDGED = [
    request for request in Request
    if request not in (
        Request.GET_FEATURES, Request.GET_PROTOCOL_FEATURES, Request.SET_PROTOCOL_FEATURES
    )
]  # fmt: skip


@pytest.mark.parametrize("request_", ACKNOWLEDGED)
def test_one_that_refuses(ends: Ends, request_: Request) -> None:
    with (
        closing(BackEnd(replies={request_: packed(request_, 1)})) as back_end,
        pytest.raises(BackendError, match=f"refuses {request_.name}"),
    ):
        ends.set_up(back_end)


@pytest.mark.parametrize("request_", [*ACKNOWLEDGED, Request.GET_FEATURES])
def test_one_that_hangs_up(ends: Ends, request_: Request) -> None:
    with (
        closing(BackEnd(replies={request_: b""})) as back_end,
        pytest.raises(BackendError, match=request_.name),
    ):
        ends.set_up(back_end)


@pytest.mark.parametrize(
    "reply",
    [
        packed(Request.SET_OWNER, 0), packed(Request.GET_FEATURES, 0, VERSION),
        packed(Request.GET_FEATURES, 0, size=4), packed(Request.GET_FEATURES, 0, size=0),
        packed(Request.GET_FEATURES, 0, size=0xFFFF_FFFF),
    ],
)  # fmt: skip
def test_what_is_no_answer(ends: Ends, reply: bytes) -> None:
    back_end = BackEnd(replies={Request.GET_FEATURES: reply})
    with pytest.raises(BackendError, match="answers GET_FEATURES with what is no answer"):
        ends.set_up(back_end)


def test_one_that_says_nothing(ends: Ends) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(0.01)
        theirs.sendall(packed(Request.GET_FEATURES, 0)[:13])
        with pytest.raises(BackendError, match="does not answer GET_FEATURES"):
            FrontEnd(ours).set_up(ends.exchange, ends.kicks, ends.calls)


def test_one_that_does_not_listen(ends: Ends) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(0.01)
        with pytest.raises(TimeoutError):
            ours.sendall(bytes(16 << 20))
        with pytest.raises(BackendError, match="does not take GET_FEATURES"):
            FrontEnd(ours).set_up(ends.exchange, ends.kicks, ends.calls)


def test_an_answer_may_come_in_pieces(ends: Ends) -> None:
    ours, theirs = socket.socketpair()
    whole = packed(Request.GET_FEATURES, 0)

    def trickle() -> None:
        for n in range(len(whole)):
            theirs.sendall(whole[n : n + 1])

    thread = threading.Thread(target=trickle)
    with ours, theirs:
        ours.settimeout(PATIENCE_SECONDS)
        thread.start()
        with pytest.raises(BackendError, match="too old"):
            FrontEnd(ours).set_up(ends.exchange, ends.kicks, ends.calls)
        thread.join()

"""Pieces over a stream, however it is cut, and what is held when the other end does not read."""

import random
import socket
from collections.abc import Iterator

import pytest

from hospes.base.errors import GuestError
from hospes.network.framing import CHUNK_BYTES, Inbox, Outbox, tune, with_length

MOST = 70_000


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    tune(ours)
    with ours, theirs:
        yield ours, theirs


def pieces(inbox: Inbox) -> list[bytes]:
    return [bytes(inbox.view[start:end]) for start, end in inbox.take()]


def test_any_cut_gives_the_same_pieces(ends) -> None:
    ours, theirs = ends
    chance = random.Random(3)
    sent = [chance.randbytes(chance.choice((0, 1, 60, 1500, 65_000, MOST))) for _ in range(60)]
    stream = b"".join(map(with_length, sent))
    inbox, got = Inbox(0, MOST), []
    while stream:
        count = chance.choice((1, 3, 100, 50_000))
        theirs.sendall(stream[:count])
        stream = stream[count:]
        assert inbox.receive(ours)
        got += pieces(inbox)
    assert got == sent
    with pytest.raises(BlockingIOError):
        inbox.receive(ours)
    theirs.close()
    assert not inbox.receive(ours)


@pytest.mark.parametrize("size", [0, 25, MOST + 1, 1 << 31])
def test_a_length_that_cannot_be(ends, size: int) -> None:
    ours, theirs = ends
    theirs.sendall(with_length(bytes(30)) + size.to_bytes(4))
    inbox = Inbox(26, MOST)
    inbox.receive(ours)
    with pytest.raises(GuestError, match="a piece of"):
        inbox.take()


def test_whoever_does_not_read_is_sent_a_bounded_number_of_bytes(ends) -> None:
    ours, theirs = ends
    outbox, count = Outbox(ours, 1 << 20), 0
    buffer = bytearray(with_length(bytes(60_000)))
    while outbox.put(memoryview(buffer)):
        outbox.flush()
        count += 1
    assert outbox._bytes < (1 << 20) + len(buffer)
    buffer[:] = b"\xff" * len(buffer)  # what waits was copied
    theirs.setblocking(False)
    inbox, got = Inbox(0, MOST), []
    for _ in range(10 * count):
        try:
            inbox.receive(theirs)
            got += pieces(inbox)
        except BlockingIOError:
            outbox.flush()
            if not outbox.waiting and len(got) == count:
                break
    assert got == [bytes(60_000)] * count
    assert outbox.put(b"x")


def test_the_longest_piece_fits() -> None:
    assert CHUNK_BYTES > 4 + MOST

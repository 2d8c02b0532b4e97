"""Messages over a socket: whole, in pieces, too long, cut off, and with a descriptor."""

import os
import socket
from collections.abc import Iterator

import pytest

from hospes.base.errors import HospesError
from hospes.worker import frames
from hospes.worker.frames import receive_message, receive_with_descriptor, send_message


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    pair = socket.socketpair()
    yield pair
    for end in pair:
        end.close()


def test_messages_keep_their_borders(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = ends
    for data in (b"one", b"", b"three"):
        send_message(ours, data)
    ours.sendall(b"raw")
    assert [receive_message(theirs, 100) for _ in range(3)] == [b"one", b"", b"three"]
    assert theirs.recv(100) == b"raw"


def test_the_other_end_closes(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = ends
    ours.close()
    assert receive_message(theirs, 100) is None


@pytest.mark.parametrize("data", [b"\0", b"\0\0\0\5abc"])
def test_a_message_cut_off(ends: tuple[socket.socket, socket.socket], data: bytes) -> None:
    ours, theirs = ends
    ours.sendall(data)
    ours.close()
    with pytest.raises(HospesError, match="in the middle"):
        receive_message(theirs, 100)


def test_a_message_that_never_ends(
    ends: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frames, "MESSAGE_SECONDS", 0.05)
    ours, theirs = ends
    ours.sendall(b"\0\0\0\5abc")
    with pytest.raises(HospesError, match="not ended in time"):
        receive_message(theirs, 100)
    assert theirs.gettimeout() is None


def test_a_message_too_long(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = ends
    ours.sendall(b"\xff\xff\xff\xff")
    with pytest.raises(HospesError, match="longer than 100"):
        receive_message(theirs, 100)


def test_a_descriptor_comes_along(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = ends
    read, write = os.pipe()
    send_message(ours, b"here", write)
    os.close(write)
    data, descriptor = receive_with_descriptor(theirs, 100)
    assert data == b"here"
    assert descriptor is not None
    os.write(descriptor, b"through")
    os.close(descriptor)
    assert os.read(read, 100) == b"through"
    os.close(read)

"""Messages over a socket: four bytes of length, then that many bytes, and a descriptor at times."""

import socket
import time
from typing import Final

from hospes.base.errors import HospesError
from hospes.worker.messages import LENGTH_BYTES

MESSAGE_SECONDS: Final = 10.0
"""How long a message that has begun may take to its end."""
SHORTEST_SECONDS: Final = 0.001


def send_message(connection: socket.socket, data: bytes, descriptor: int | None = None) -> None:
    """Send a message, and with its first byte a descriptor; OSError if the other end is gone."""
    whole = len(data).to_bytes(LENGTH_BYTES) + data
    sent = 0
    if descriptor is not None:
        sent = socket.send_fds(connection, [whole], [descriptor])
    connection.sendall(whole[sent:])


def receive_message(connection: socket.socket, limit: int) -> bytes | None:
    """The next message, however long it takes to begin; None when the other end has closed.

    No byte beyond it is taken. HospesError when it is too long or never ends.
    """
    first = connection.recv(1)
    return _rest(connection, first, limit) if first else None


def receive_with_descriptor(
    connection: socket.socket, limit: int
) -> tuple[bytes | None, int | None]:
    """The next message and the descriptor that came with it, if one did."""
    first, descriptors, _, _ = socket.recv_fds(connection, 1, 1)
    if not first:
        return None, None
    return _rest(connection, first, limit), next(iter(descriptors), None)


def _rest(connection: socket.socket, first: bytes, limit: int) -> bytes:
    waited, deadline = connection.gettimeout(), time.monotonic() + MESSAGE_SECONDS
    try:
        header = first + _receive(connection, LENGTH_BYTES - 1, deadline)
        length = int.from_bytes(header)
        if length > limit:
            raise HospesError(f"a message of {length} bytes is longer than {limit}; send less")
        return _receive(connection, length, deadline)
    except TimeoutError:
        raise HospesError("a message has not ended in time; send it whole") from None
    finally:
        connection.settimeout(waited)


def _receive(connection: socket.socket, count: int, deadline: float) -> bytes:
    """Exactly so many bytes."""
    data = bytearray()
    while len(data) < count:
        connection.settimeout(max(SHORTEST_SECONDS, deadline - time.monotonic()))
        piece = connection.recv(count - len(data))
        if not piece:
            raise HospesError("the connection ended in the middle of a message")
        data += piece
        if time.monotonic() > deadline:
            raise TimeoutError
    return bytes(data)

"""What the guests' network programs talk to: three servers on the host's loopback."""

import socket
import threading
from collections.abc import Callable
from contextlib import ExitStack, suppress
from typing import Final, Self

from bench.network_programs import PIECE_BYTES, STREAM_BYTES

DONE: Final = b"."


class NetworkServers:
    """A context with the servers that run; `ports` has the port of each by its program's name."""

    def __init__(self) -> None:
        self.ports: dict[str, int] = {}
        self._open = ExitStack()

    def __enter__(self) -> Self:
        for name, serve in SERVERS.items():
            listening = self._open.enter_context(socket.create_server(("127.0.0.1", 0)))
            self._open.callback(listening.shutdown, socket.SHUT_RDWR)
            self.ports[name] = listening.getsockname()[1]
            threading.Thread(target=_accept, args=(listening, serve), daemon=True).start()
        return self

    def __exit__(self, *ended: object) -> None:
        self._open.close()


def _accept(listening: socket.socket, serve: Callable[[socket.socket], None]) -> None:
    """One connection after another, until the server is shut down."""
    with suppress(OSError):
        while True:
            connection, _ = listening.accept()
            with connection, suppress(OSError):
                serve(connection)


def _take(connection: socket.socket) -> None:
    """Say so when the whole stream has come."""
    buffer, left = bytearray(PIECE_BYTES), STREAM_BYTES
    while count := connection.recv_into(buffer):
        left -= count
    if left == 0:
        connection.sendall(DONE)


def _give(connection: socket.socket) -> None:
    piece = bytes(PIECE_BYTES)
    for _ in range(STREAM_BYTES // PIECE_BYTES):
        connection.sendall(piece)


def _greet(connection: socket.socket) -> None:
    connection.sendall(DONE)


SERVERS: Final = {"send": _take, "receive": _give, "connect": _greet}

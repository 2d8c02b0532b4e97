"""Unix sockets by path: of any length, and with the user at the other end known."""

import os
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

LONGEST_PATH_BYTES: Final = 100
"""A socket's address has room for some hundred bytes: 107 on Linux, 103 elsewhere."""

_CREDENTIALS: Final = struct.Struct("3i")


def listen(path: Path, backlog: int, kind: int = socket.SOCK_STREAM) -> socket.socket:
    """A socket that listens at a path, which must be free; only this user can connect to it."""
    server = socket.socket(socket.AF_UNIX, kind)
    try:
        with _address(path) as address:
            server.bind(address)
        path.chmod(0o600)
        server.listen(backlog)
    except BaseException:
        server.close()
        raise
    return server


def connect(path: Path, seconds: float, kind: int = socket.SOCK_STREAM) -> socket.socket:
    """A connection to the socket at a path, with a time limit for this and for what follows.

    With 0 seconds nothing waits: who cannot take the connection at once refuses it.
    """
    client = socket.socket(socket.AF_UNIX, kind)
    try:
        client.settimeout(seconds)
        with _address(path) as address:
            client.connect(address)
    except BaseException:
        client.close()
        raise
    return client


def peer_user(connection: socket.socket) -> int:
    """The user id of the process at the other end, as it was when it connected."""
    peer = getattr(socket, "SO_PEERCRED", None)
    if peer is None:
        return os.getuid()  # The directory's mode alone keeps others out.
    data = connection.getsockopt(socket.SOL_SOCKET, peer, _CREDENTIALS.size)
    user: int = _CREDENTIALS.unpack(data)[1]
    return user


@contextmanager
def _address(path: Path) -> Iterator[str]:
    """The path, or a shorter one to the same place while this lasts."""
    if len(os.fsencode(path)) <= LONGEST_PATH_BYTES:
        yield str(path)
        return
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{directory}/{path.name}"
    finally:
        os.close(directory)

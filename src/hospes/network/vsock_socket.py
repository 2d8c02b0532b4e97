"""The host's end of a connection to a guest's socket: a Unix socket, and when it is ready."""

import select
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from hospes.network.host_poll import READ, WRITE, Poll

MESSAGE_ROOM_BYTES: Final = 256 * 1024
"""For sending, so that any message of a guest's fits."""
LEFT_BYTES: Final = 1 << 20

Settled = Callable[[int | None], None]


class VsockSocket:
    """A SocketEnd (devices/backends.py) over a socket that becomes its own.

    `changed` is called, by the thread that polls, when the socket is ready again for what it was
    not, and `closed` when it is a socket no more; `settled` once, with the host's port when the
    guest has let it in, or with None. The machine's thread does everything else.
    """

    def __init__(
        self,
        ours: socket.socket,
        poll: Poll,
        changed: Callable[["VsockSocket"], None],
        closed: Callable[["VsockSocket"], None],
        settled: Settled | None = None,
    ) -> None:
        ours.setblocking(False)
        self._socket, self._poll = ours, poll
        self._changed, self._closed, self._settled = changed, closed, settled
        self._packets = ours.type == socket.SOCK_SEQPACKET
        if self._packets:
            ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, MESSAGE_ROOM_BYTES)
        self._awaited = 0         # events that the poll is to tell of
        self._lock = threading.Lock()

    def connected(self, port: int) -> None:
        """The guest has let us in."""
        if self._settled is not None:
            self._settled(port)
            self._settled = None

    def take(self, limit: int) -> bytes | None:
        """Bytes from the host; a message that is longer than the limit ends it all."""
        try:
            if not self._packets:
                return self._socket.recv(limit)
            data, _, flags, _ = self._socket.recvmsg(limit)
            return b"" if flags & socket.MSG_TRUNC else data
        except BlockingIOError:
            self._await(READ)
            return None
        except OSError:
            return b""

    def put(self, data: bytes | bytearray) -> int | None:
        """Bytes for the host."""
        try:
            sent = self._socket.send(data, socket.MSG_NOSIGNAL)
        except BlockingIOError:
            sent = 0
        except OSError:
            return None
        if sent < len(data):
            self._await(WRITE)
        return sent

    @property
    def hung_up(self) -> bool:
        poll = select.poll()
        poll.register(self._socket, 0)
        return any(events & (select.POLLHUP | select.POLLERR) for _, events in poll.poll(0))

    def end_output(self) -> None:
        self._shut(socket.SHUT_WR)

    def end_input(self) -> None:
        self._shut(socket.SHUT_RD)

    def close(self) -> None:
        """The host reads an end: what it has sent for nothing would make that an error."""
        if self._settled is not None:
            self._settled(None)
            self._settled = None
        self._shut(socket.SHUT_RDWR)
        with suppress(OSError):
            left = LEFT_BYTES
            while left > 0 and (data := self._socket.recv(MESSAGE_ROOM_BYTES)):
                left -= len(data)
        with self._lock:
            if self._socket.fileno() >= 0:
                self._poll.want(self._socket.fileno(), self._awaited, 0, self._ready)
                self._awaited = 0
                self._socket.close()
        self._closed(self)

    def _shut(self, how: int) -> None:
        with suppress(OSError):
            self._socket.shutdown(how)

    def _await(self, event: int) -> None:
        with self._lock:
            before, self._awaited = self._awaited, self._awaited | event
            self._poll.want(self._socket.fileno(), before, self._awaited, self._ready)

    def _ready(self, events: int) -> None:
        """The polling thread: be told of these no more until they are awaited again."""
        with self._lock:
            before, self._awaited = self._awaited, self._awaited & ~events
            if self._socket.fileno() >= 0:
                self._poll.want(self._socket.fileno(), before, self._awaited, self._ready)
        self._changed(self)


def pair(packets: bool) -> tuple[socket.socket, socket.socket]:
    """Two sockets that are connected, of the kind a guest's has."""
    return socket.socketpair(
        socket.AF_UNIX, socket.SOCK_SEQPACKET if packets else socket.SOCK_STREAM
    )

"""The host's sockets of TCP connections: connecting, moving bytes, and published ports."""

import errno
import itertools
import socket
import struct
from typing import Final

from hospes.base.clock import Clock
from hospes.network.cable import Cable
from hospes.network.host_address import WHY, family, to_packed, to_text
from hospes.network.host_poll import READ, WRITE, Poll
from hospes.network.tcp import Connection
from hospes.network.tcp_table import TcpTable

READS: Final = 4
"""Frames read from one host before others have their turn."""
PIECES: Final = 64
"""Pieces of the guest's data given to the host in one call."""
_RESET: Final = struct.pack("ii", 1, 0)
"""SO_LINGER that has close send a reset."""


class Stream:
    """One connection's socket; `mask` is what it is polled for."""

    __slots__ = ("connecting", "connection", "fd", "mask", "owner", "socket")

    def __init__(self, owner: "TcpSockets", ours: socket.socket, connection: Connection) -> None:
        self.owner, self.socket, self.connection = owner, ours, connection
        self.fd, self.mask, self.connecting = ours.fileno(), 0, False

    def ready(self, events: int) -> None:
        """The poll has found these events, of which some may be over."""
        if self.fd >= 0 and events & self.mask:
            self.owner.ready(self, events & self.mask)


class TcpSockets:
    """The part of Outside that is about TCP; every method runs under the network's lock."""

    def __init__(self, poll: Poll, cable: Cable, clock: Clock) -> None:
        self._poll, self._cable, self._clock = poll, cable, clock
        self._paused: dict[Stream, None] = {}
        self.table: TcpTable

    @property
    def paused(self) -> bool:
        """Whether hosts are not read because too much waits for the guest."""
        return bool(self._paused)

    def resume(self) -> None:
        """The guest has taken frames."""
        paused, self._paused = self._paused, {}
        for stream in paused:
            if stream.fd >= 0:
                self._interest(stream)

    def connect(self, connection: Connection, target: bytes, port: int) -> None:
        """Begin; what loopback says at once is passed on at once."""
        try:
            ours = socket.socket(family(target), socket.SOCK_STREAM)
        except OSError as error:
            self._refused(connection, error.errno or errno.EMFILE)
            return
        ours.setblocking(False)
        ours.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        stream = connection.host = Stream(self, ours, connection)
        address = (to_text(target), port)
        number = ours.connect_ex(address)
        if number == errno.EINPROGRESS:
            # Over loopback the answer is there by now, though the first call does not see it.
            number = ours.connect_ex(address)
        if number == 0:
            self.table.connected(connection, self._clock.monotonic_ns())
        elif number in (errno.EINPROGRESS, errno.EALREADY):
            stream.connecting = True
            self._want(stream, WRITE)
        else:
            self._refused(connection, number)

    def adopt(self, ours: socket.socket, connection: Connection) -> None:
        """A client's connection, which has been begun towards the guest."""
        connection.host = Stream(self, ours, connection)
        self.table.touch(connection, self._clock.monotonic_ns())

    def serve(self, connection: Connection) -> None:
        """See Outside."""
        stream = connection.host
        if not isinstance(stream, Stream):
            return
        if not connection.is_over and not stream.connecting:
            if connection.pending and not stream.mask & WRITE:
                self._write(stream)
            if connection.finish_due:
                self._finish(stream)
        if connection.is_over:
            self._close(stream)
        elif not stream.connecting:
            self._interest(stream)

    def ready(self, stream: Stream, events: int) -> None:
        """The socket can be read or written, or is connected or not."""
        connection, now_ns = stream.connection, self._clock.monotonic_ns()
        if stream.connecting:
            self._settle_connect(stream, now_ns)
        else:
            if events & WRITE:
                self._write(stream)
                if not connection.pending:
                    self._want(stream, stream.mask & ~WRITE)
            if events & READ:
                self._read(stream, now_ns)
        self.table.touch(connection, now_ns)

    def _settle_connect(self, stream: Stream, now_ns: int) -> None:
        number = stream.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        stream.connecting = False
        self._want(stream, 0)
        if number:
            self._refused(stream.connection, number)
        else:
            self.table.connected(stream.connection, now_ns)

    def _refused(self, connection: Connection, number: int) -> None:
        self.table.refused(connection, WHY.get(number))

    def _read(self, stream: Stream, now_ns: int) -> None:
        connection = stream.connection
        for _ in range(READS):
            room = connection.room
            if not room or self._cable.full:
                return
            try:
                data = stream.socket.recv(room)
            except BlockingIOError:
                return
            except OSError:
                connection.abort()
                return
            if not data:
                connection.host_end(now_ns)
                return
            connection.host_data(data, now_ns)
            if len(data) < room:
                return

    def _write(self, stream: Stream) -> None:
        """Give the host what it takes; if that is not all, wait until it takes more."""
        connection, now_ns = stream.connection, self._clock.monotonic_ns()
        pending = connection.pending
        while pending:
            try:
                count = stream.socket.sendmsg(list(itertools.islice(pending, PIECES)))
            except BlockingIOError:
                self._want(stream, stream.mask | WRITE)
                return
            except OSError:
                connection.abort()
                return
            connection.taken(count, now_ns)

    def _finish(self, stream: Stream) -> None:
        try:
            stream.socket.shutdown(socket.SHUT_WR)
        except OSError:
            stream.connection.abort()
            return
        stream.connection.host_finished(self._clock.monotonic_ns())

    def _interest(self, stream: Stream) -> None:
        """Read when the guest has room, unless too much waits for it; write while it is blocked."""
        read = 0
        if stream.connection.room:
            if self._cable.full:
                self._paused[stream] = None
            else:
                read = READ
        self._want(stream, stream.mask & WRITE | read)

    def _want(self, stream: Stream, mask: int) -> None:
        if mask != stream.mask:
            self._poll.want(stream.fd, stream.mask, mask, stream.ready)
            stream.mask = mask

    def _close(self, stream: Stream) -> None:
        if stream.fd < 0:
            return
        self._want(stream, 0)
        self._paused.pop(stream, None)
        stream.fd = -1
        stream.connection.host = None
        if stream.connection.aborted:
            close_with_reset(stream.socket)
        else:
            stream.socket.close()


def close_with_reset(ours: socket.socket) -> None:
    """Tell the other end that the connection has failed."""
    try:
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    finally:
        ours.close()


def peer_of(address: tuple[str, int] | tuple[str, int, int, int]) -> tuple[bytes, int]:
    """A socket's address as the protocols have it."""
    return to_packed(address[0]), address[1]

"""The host's end of a guest's port: a socket, with bounded buffers between two threads."""

import select
import socket
import threading
from collections.abc import Callable
from typing import Final

from hospes.base.loop import Loop

BUFFER_BYTES: Final = 256 * 1024
HALF_BYTES: Final = BUFFER_BYTES // 2
"""A side that has waited for room goes on from here."""
CHUNK_BYTES: Final = 64 * 1024


class Link:
    """Joins a socket, whose other end the client has, to a port; a PortEnd.

    The machine's thread takes and puts, the loop's thread receives and sends; at most BUFFER_BYTES
    wait in each direction, then the faster side does. `wake` rouses the machine's thread. After
    `finish` the socket is closed as soon as everything put has been sent; `on_closed` follows.
    """

    def __init__(
        self,
        ours: socket.socket,
        loop: Loop,
        wake: Callable[[], None],
        on_closed: Callable[["Link"], None],
    ) -> None:
        ours.setblocking(False)
        self._socket, self._loop = ours, loop
        self._wake, self._on_closed = wake, on_closed
        self._input, self._output = bytearray(), bytearray()
        self._lock = threading.Lock()
        self._paused = False      # nothing is received, for lack of room
        self._input_over = False
        self._output_over = False
        self._finished = False
        self.closed = threading.Event()
        loop.post(self._receive_on)

    @property
    def input_waiting(self) -> int:
        """How many bytes are there for the guest."""
        return len(self._input)

    @property
    def room(self) -> int:
        """How many bytes `put` takes now."""
        return BUFFER_BYTES - len(self._output)

    @property
    def ended(self) -> bool:
        """Whether the client has shut down its side and everything it sent was taken."""
        return self._input_over and not self._input

    @property
    def hung_up(self) -> bool:
        """Whether the client has closed its socket for good."""
        with self._lock:
            if self._output_over or self.closed.is_set():
                return True
            poll = select.poll()
            poll.register(self._socket, 0)
            return any(events & select.POLLHUP for _, events in poll.poll(0))

    def take(self, limit: int) -> bytes:
        """Up to limit bytes for the guest."""
        with self._lock:
            data = bytes(self._input[:limit])
            del self._input[:limit]
            go_on = self._paused and len(self._input) <= HALF_BYTES
            if go_on:
                self._paused = False
        if go_on:
            self._loop.post(self._receive_on)
        return data

    def put(self, data: bytes) -> int:
        """Bytes from the guest; they are dropped once the client has closed its socket."""
        with self._lock:
            if self._output_over:
                return len(data)
            idle = not self._output
            self._output += data
        if idle and data:
            self._loop.post(self._send_on)
        return len(data)

    def finish(self) -> None:
        """The guest sends no more; the client reads the end after all that was put."""
        with self._lock:
            self._finished = True
            self._input.clear()
        self._loop.post(self._leave)

    def abandon(self) -> None:
        """Close the socket although the client has not taken everything; the loop has ended."""
        self._output.clear()
        self._finished = True
        self._shut()

    def _receive_on(self) -> None:
        if not self._input_over and not self._finished:
            self._loop.on_readable(self._socket.fileno(), self._receive)

    def _receive(self) -> None:
        try:
            data = self._socket.recv(CHUNK_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        with self._lock:
            idle = not self._input
            if not self._finished:
                self._input += data
            self._input_over = not data
            self._paused = len(self._input) >= BUFFER_BYTES
        if self._paused or self._input_over:
            self._loop.on_readable(self._socket.fileno(), None)
        if idle or self._input_over:
            self._wake()

    def _send_on(self) -> None:
        if not self.closed.is_set():
            self._loop.on_writable(self._socket.fileno(), self._send)

    def _send(self) -> None:
        """Pass a piece of the output on."""
        try:
            sent = self._socket.send(self._output[:CHUNK_BYTES])
        except BlockingIOError:
            return
        except OSError:
            sent, self._output_over = len(self._output), True
        with self._lock:
            before = len(self._output)
            del self._output[:sent]
            left = len(self._output)
        if not left:
            self._loop.on_writable(self._socket.fileno(), None)
            self._leave()
        if left <= HALF_BYTES < before:
            self._wake()

    def _leave(self) -> None:
        """Close the socket if there is nothing left to do."""
        if not self._finished or self._output or self.closed.is_set():
            return
        self._loop.on_readable(self._socket.fileno(), None)
        self._loop.on_writable(self._socket.fileno(), None)
        self._shut()

    def _shut(self) -> None:
        """Let the client read an end: closing a socket with unread input would be an error."""
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
            while self._socket.recv(CHUNK_BYTES):
                pass
        except OSError:
            pass
        with self._lock:
            self._socket.close()
            self.closed.set()
        self._on_closed(self)

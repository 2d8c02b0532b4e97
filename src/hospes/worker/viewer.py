"""One of those who look at a machine's console and type on it, at the end of a socket."""

import socket
import threading
from collections.abc import Callable
from typing import Final

from hospes.base.loop import Loop

PENDING_BYTES: Final = 1 << 20
CHUNK_BYTES: Final = 64 * 1024
LEFT_OUT: Final = "\r\n[hospes: {count} bytes of output are left out here]\r\n"


class Viewer:
    """Gets all output, but for what a slow one cannot take: the guest waits for nobody here.

    What is typed goes to `feed`, which returns how many bytes it took; `input_taken` says when to
    offer the rest. Everything but `show` and `drain` happens in the loop's thread. `on_end` is
    called there once the other end is gone.
    """

    def __init__(
        self,
        connection: socket.socket,
        loop: Loop,
        feed: Callable[[bytes], int],
        on_end: Callable[["Viewer"], None],
    ) -> None:
        connection.setblocking(False)
        self._connection: socket.socket | None = connection
        self._loop, self._feed, self._on_end = loop, feed, on_end
        self._pending = bytearray()
        self._piece = b""
        self._left_out = 0
        self._held = b""
        self._lock = threading.Lock()
        self._drained = threading.Event()
        self._drained.set()
        loop.post(self._read_on)

    def show(self, data: bytes) -> None:
        """Queue output; when too much waits, all that waits is left out and the end is shown."""
        with self._lock:
            idle = self._drained.is_set()
            if len(self._pending) + len(data) > PENDING_BYTES:
                self._left_out += len(self._pending)
                self._pending.clear()
            self._pending += data[-PENDING_BYTES:]
            self._drained.clear()
        if idle:
            self._loop.post(self._start_writing)

    def input_taken(self) -> None:
        """There may be room for input that was held back."""
        if self._held:
            self._loop.post(self._read_on)

    def drain(self, seconds: float) -> None:
        """Wait until all has been shown, as long as any of it is taken in so many seconds."""
        left = -1
        while not self._drained.wait(seconds):
            before, left = left, len(self._pending)
            if left == before:
                return

    def end(self) -> None:
        """Hang up."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        self._loop.on_readable(connection.fileno(), None)
        self._loop.on_writable(connection.fileno(), None)
        connection.close()
        self._drained.set()
        self._on_end(self)

    def _start_writing(self) -> None:
        if self._connection is not None:
            self._loop.on_writable(self._connection.fileno(), self._write_on)

    def _write_on(self) -> None:
        """Send a piece; what was left out is told before it."""
        if self._connection is None:
            return
        piece = self._piece or self._next_piece()
        try:
            self._piece = piece[self._connection.send(piece) :]
        except BlockingIOError:
            self._piece = piece
            return
        except OSError:
            self.end()
            return
        with self._lock:
            if not self._piece and not self._pending:
                self._loop.on_writable(self._connection.fileno(), None)
                self._drained.set()

    def _next_piece(self) -> bytes:
        with self._lock:
            note = LEFT_OUT.format(count=self._left_out).encode() if self._left_out else b""
            self._left_out = 0
            piece = note + self._pending[:CHUNK_BYTES]
            del self._pending[:CHUNK_BYTES]
        return piece

    def _read_on(self) -> None:
        """Hand over what was held back; read more when that has gone."""
        if self._connection is None:
            return
        self._held = self._held[self._feed(self._held) :] if self._held else b""
        waiting = None if self._held else self._read
        self._loop.on_readable(self._connection.fileno(), waiting)

    def _read(self) -> None:
        assert self._connection is not None
        try:
            data = self._connection.recv(CHUNK_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.end()
            return
        self._held = data
        self._read_on()

"""The end of a cable whose other end is reached over a stream: frames behind their lengths."""

import threading
from abc import abstractmethod
from collections.abc import Callable, Sequence
from socket import socket
from typing import Final

from hospes.base.errors import GuestError
from hospes.base.log import save_crash
from hospes.network.end import JOIN_SECONDS, NetworkEnd
from hospes.network.framing import Inbox, Outbox
from hospes.network.host_poll import READ, WRITE
from hospes.network.limits import Limits

QUEUE_BYTES: Final = 8 << 20
"""Of a guest that sends faster than the other end takes; beyond, frames are dropped and counted."""


class StreamEnd(NetworkEnd):
    """What networks behind a stream socket share, a NetworkBackend (devices/backends.py).

    The guest's frames are sent by whoever sends them; a thread receives. Who is ready calls
    `_connect` and starts `_thread`.
    """

    def __init__(
        self, ring: Callable[[], None], remark: Callable[[str], None], shortest: int, longest: int
    ) -> None:
        """What comes over the stream are pieces of `shortest` to `longest` bytes."""
        super().__init__(Limits(), ring)
        self._remark, self._mask, self._held_back = remark, 0, False
        self._sizes = shortest, longest
        self._lock = threading.Lock()
        self._socket: socket | None = None
        self._outbox: Outbox | None = None

    def send(self, frames: Sequence[bytes]) -> None:
        """Frames of the guest; never waits."""
        statistics = self.statistics
        with self._lock:
            outbox = self._outbox
            if outbox is None:
                statistics.ignored += len(frames)
                return
            for frame in frames:
                try:
                    taken = self._put(outbox, frame)
                except GuestError:
                    statistics.malformed += 1
                    continue
                if taken:
                    statistics.frames_from_guest += 1
                    statistics.bytes_from_guest += len(frame)
                else:
                    statistics.refused += 1
            self._flush(outbox)

    def close(self) -> None:
        """Unplug; may be called again."""
        if self._closing:
            return
        self._closing = True
        self._poll.wake()
        self._thread.join(JOIN_SECONDS)
        self._drop()
        self._cable.clear()
        if not self._thread.is_alive():
            self._poll.close()

    @abstractmethod
    def _put(self, outbox: Outbox, frame: bytes) -> bool:
        """Have a frame of the guest's sent; False without room, GuestError if it cannot be."""

    @abstractmethod
    def _received(self, piece: memoryview) -> bytes:
        """A copy of what has come, as the guest's card takes it; GuestError if it is no frame."""

    @abstractmethod
    def _cut_off(self) -> None:
        """The connection has ended before the machine; called again while there is none."""

    def _holds_back(self) -> bool:
        return self._held_back

    def _connect(self, connection: socket, outbox: Outbox) -> None:
        """Frames cross this connection from here on."""
        inbox = Inbox(*self._sizes)
        with self._lock:
            self._socket, self._outbox = connection, outbox
            self._inbox, self._held_back = inbox, False
            self._want(READ)

    def _drop(self) -> None:
        """The connection is of no use any more."""
        with self._lock:
            if self._socket is not None:
                self._want(0)
                self._socket.close()
            self._socket = self._outbox = None

    def _plug(self, up: bool) -> None:
        """The guest sees its cable pulled out, or plugged in."""
        if up != self._up:
            self._up = up
            self._cable.clear()
            self._ring()

    def _want(self, mask: int) -> None:
        if self._socket is not None:
            self._poll.want(self._socket.fileno(), self._mask, mask, self._ready)
            self._mask = mask

    def _flush(self, outbox: Outbox) -> bool:
        """With the lock held; False when the other end is gone, which the thread notices too."""
        try:
            outbox.flush()
        except OSError:
            return False
        self._want(self._mask & READ | (WRITE if outbox.waiting else 0))
        return True

    def _serve(self) -> None:
        """The thread: frames from the other end, and what is to be done when that has ended."""
        while not self._closing:
            try:
                for ready, events in self._poll.wait(None):
                    ready(events)
                if self._held_back and self._cable.drained:
                    self._held_back = False
                    with self._lock:
                        self._want(self._mask | READ)
                if self._socket is None:
                    self._cut_off()
            except Exception as error:
                save_crash(error)
                self._drop()
            self._cable.ring_if_due()

    def _ready(self, events: int) -> None:
        with self._lock:
            outbox, connection = self._outbox, self._socket
            if outbox is None or connection is None:
                return
            there = not events & WRITE or self._flush(outbox)
        if not there or (events & READ and not self._receive(connection)):
            self._drop()

    def _receive(self, connection: socket) -> bool:
        """Take frames; False at the end of the connection."""
        inbox = self._inbox
        try:
            if not inbox.receive(connection):
                return False
            pieces = inbox.take()
        except BlockingIOError:
            return True
        except (OSError, GuestError):
            return False
        for start, end in pieces:
            try:
                self._cable.emit(self._received(inbox.view[start:end]))
            except GuestError:
                self.statistics.malformed += 1
        if self._cable.full:
            self._held_back = True
            with self._lock:
                self._want(self._mask & ~READ)
        return True

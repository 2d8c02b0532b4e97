"""Frames and messages over a stream: four bytes of length, the most significant first, then those.

So do QEMU's `-netdev stream` and passt. Nothing here waits.
"""

import itertools
import socket
from collections import deque
from typing import Final

from hospes.base.errors import GuestError

LENGTH_BYTES: Final = 4
CHUNK_BYTES: Final = 256 << 10
"""Received at a time; the longest piece fits."""
PARTS_MAX: Final = 1000
"""What the kernel takes in one call (IOV_MAX is 1024), and less."""
BUFFER_BYTES: Final = 4 << 20
"""Asked of the kernel for what is on its way; it may give less."""


def tune(ours: socket.socket) -> None:
    """Make a connection fit for frames."""
    ours.setblocking(False)
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER_BYTES)


def with_length(data: bytes | memoryview) -> bytes:
    """A message as it is sent."""
    return b"".join((len(data).to_bytes(LENGTH_BYTES), data))


class Inbox:
    """What has been received and not been used, with whole pieces in front.

    `view` is of a buffer that is used again: pieces are read, or copied, before `receive` is called
    the next time.
    """

    def __init__(self, least: int, most: int) -> None:
        """Pieces are of `least` to `most` bytes."""
        self.least, self.most = least, most
        self._buffer = bytearray(CHUNK_BYTES)
        self.view = memoryview(self._buffer)
        self._filled = self._used = 0

    def receive(self, ours: socket.socket) -> bool:
        """Take what has come; False at the end. BlockingIOError when nothing has; OSError."""
        if self._used:
            left = self._filled - self._used
            self._buffer[:left] = self._buffer[self._used : self._filled]
            self._filled, self._used = left, 0
        count = ours.recv_into(self.view[self._filled :])
        self._filled += count
        return count > 0

    def take(self) -> list[tuple[int, int]]:
        """Where in `view` the pieces are that are whole, behind their lengths.

        GuestError when a length cannot be: the other end is not what it should be.
        """
        pieces = []
        buffer, at, filled = self._buffer, self._used, self._filled
        while (start := at + LENGTH_BYTES) <= filled:
            size = int.from_bytes(buffer[at:start])
            if not self.least <= size <= self.most:
                raise GuestError(f"a piece of {size} bytes, not {self.least} to {self.most}")
            if start + size > filled:
                break
            at = start + size
            pieces.append((start, at))
        self._used = at
        return pieces


class Outbox:
    """What is to be sent, in order; beyond `limit` bytes nothing more is taken."""

    def __init__(
        self, ours: socket.socket, limit: int, parts_at_once: int = PARTS_MAX
    ) -> None:
        """The kernel is given no more than so many parts in one call."""
        self._socket, self._limit, self._parts_at_once = ours, limit, parts_at_once
        self._parts: deque[bytes | memoryview] = deque()
        self._bytes = 0

    @property
    def waiting(self) -> bool:
        """Whether `flush` has something to do."""
        return bool(self._parts)

    def put(self, *parts: bytes | memoryview) -> bool:
        """Whole pieces; False when there is no room. What is in views is used by `flush`."""
        if self._bytes >= self._limit:
            return False
        self._parts.extend(parts)
        self._bytes += sum(map(len, parts))
        return True

    def flush(self) -> None:
        """Send what the other end takes, and keep the rest; OSError when the other end is gone."""
        parts = self._parts
        while parts:
            try:
                sent = self._socket.sendmsg(itertools.islice(parts, self._parts_at_once))
            except BlockingIOError:
                break
            self._bytes -= sent
            while parts and sent >= len(parts[0]):
                sent -= len(parts.popleft())
            if sent:
                parts[0] = parts[0][sent:]
        for number, part in enumerate(parts):
            if isinstance(part, memoryview):
                parts[number] = bytes(part)

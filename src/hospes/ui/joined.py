"""The user's terminal, or pipes, joined to the console of a machine in another process."""

import os
import select
import socket
from collections.abc import Callable
from typing import Final

READ_BYTES: Final = 65536
HISTORY_BYTES: Final = 4096

Filter = Callable[[bytes], bytes]


class Joined:
    """Passes what is typed to the console and its output to a file, until it ends or `leave`.

    Typed bytes that the guest does not take yet are held, and no more are read meanwhile.
    `bytes_out` and the end of the output, `history`, are for whoever types without a terminal.
    """

    def __init__(self, stream: socket.socket, output_fd: int) -> None:
        self._stream, self._output_fd = stream, output_fd
        self._left = False
        self._held = b""
        self.ended = False
        self.bytes_out = 0
        self.history = b""

    def leave(self) -> None:
        """End `run` soon; called while it filters what was typed."""
        self._left = True

    def feed(self, data: bytes) -> int:
        """Type bytes from another thread; how many were taken."""
        try:
            return self._stream.send(data)
        except OSError:
            return 0 if not self.ended else len(data)

    def run(self, input_fd: int | None, look: Filter = bytes) -> bool:
        """Until the console ends (False), or the user leaves (True)."""
        try:
            while not self._left:
                readable = [self._stream.fileno()]
                if input_fd is not None and not self._held:
                    readable.append(input_fd)
                writable = [self._stream.fileno()] if self._held else []
                ready, free, _ = select.select(readable, writable, [])
                if input_fd in ready and not self._type(look(os.read(input_fd, READ_BYTES))):
                    input_fd = None
                if free:
                    self._type(self._held)
                if self._stream.fileno() in ready and not self._show():
                    return False
            return True
        finally:
            self.ended = True

    def _type(self, data: bytes) -> bool:
        """Send what was typed; False at its end."""
        try:
            sent = self._stream.send(data, socket.MSG_DONTWAIT) if data else 0
        except BlockingIOError:
            sent = 0
        except OSError:
            sent = len(data)  # The console has ended, which reading it tells.
        self._held = data[sent:]
        return bool(data)

    def _show(self) -> bool:
        try:
            data = self._stream.recv(READ_BYTES)
        except OSError:
            return False
        self.bytes_out += len(data)
        self.history = (self.history + data)[-HISTORY_BYTES:]
        rest = data
        while rest:
            rest = rest[os.write(self._output_fd, rest) :]
        return bool(data)

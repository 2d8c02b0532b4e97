"""A machine's console for many: a log, and everyone who looks at it and types on it."""

import socket
import threading
from typing import Final

from hospes.base.loop import Loop
from hospes.machine.console import Console
from hospes.worker.console_log import ConsoleLog
from hospes.worker.viewer import Viewer

RECENT_BYTES: Final = 256 * 1024
DRAIN_SECONDS: Final = 1.0


class ConsoleShare:
    """The sink of a console: never full, whatever those at the other ends do."""

    def __init__(self, console: Console, loop: Loop, log: ConsoleLog) -> None:
        self._console, self._loop, self._log = console, loop, log
        self._viewers: list[Viewer] = []
        self._recent = bytearray()
        self._closed = False
        self._lock = threading.Lock()
        console.attach(self)

    def write(self, data: bytes) -> int:
        """Output from the machine's thread."""
        self._log.write(data)
        with self._lock:
            self._recent += data
            if len(self._recent) > 2 * RECENT_BYTES:
                del self._recent[:-RECENT_BYTES]
            for viewer in self._viewers:
                viewer.show(data)
        return len(data)

    def input_taken(self) -> None:
        """The machine has taken input."""
        for viewer in list(self._viewers):
            viewer.input_taken()

    def add(self, connection: socket.socket, lines: int) -> None:
        """Give a connection the console, beginning with the last lines; -1 is all remembered."""
        with self._lock:
            if self._closed:
                connection.close()
                return
            viewer = Viewer(connection, self._loop, self._console.feed, self._forget)
            past = bytes(self._recent) if lines < 0 else last_lines(self._recent, lines)
            if past:
                viewer.show(past)
            self._viewers.append(viewer)

    def close(self) -> None:
        """Let everyone see the last of it, and hang up."""
        self._console.detach(self)
        with self._lock:
            self._closed = True
        for viewer in list(self._viewers):
            viewer.drain(DRAIN_SECONDS)
            self._loop.post(viewer.end)
        self._log.close()

    def _forget(self, viewer: Viewer) -> None:
        with self._lock:
            if viewer in self._viewers:
                self._viewers.remove(viewer)


def last_lines(data: bytes | bytearray, lines: int) -> bytes:
    """The last complete lines and what follows them."""
    at = len(data)
    for _ in range(lines + 1):
        at = data.rfind(b"\n", 0, max(at, 0))
        if at < 0:
            return bytes(data)
    return bytes(data[at + 1 :])

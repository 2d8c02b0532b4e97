"""Joins a console to files of the host: the terminal, a pipe, a socket."""

import os
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from hospes.base.loop import Loop
from hospes.machine.console import Console

PENDING_BYTES: Final = 256 * 1024
CHUNK_BYTES: Final = 4096
"""No more than PIPE_BUF at once: a pipe that polls as writable then takes it without waiting."""
READ_BYTES: Final = 65536

Filter = Callable[[bytes], bytes]


class HostFiles:
    """A console's sink that writes to one file and feeds input from another, in the loop's thread.

    `look` sees the input first and returns what of it the guest gets. Input is read only while the
    console has room, output taken only up to PENDING_BYTES: both sides wait for the slower one.
    `on_end` is called once the input has ended or the output has failed. With `replay`, what the
    console remembers is written first.
    """

    def __init__(
        self,
        console: Console,
        loop: Loop,
        input_fd: int | None,
        output_fd: int | None,
        *,
        look: Filter | None = None,
        on_end: Callable[[], None] | None = None,
        replay: bool = True,
    ) -> None:
        self._console, self._loop = console, loop
        self._input_fd, self._output_fd = input_fd, output_fd
        self._own_fd = reopened_terminal(output_fd)
        self._look, self._on_end = look, on_end
        self._pending = bytearray()
        self._held = b""
        self._refused = False
        self._lock = threading.Lock()
        self._drained = threading.Event()
        self._drained.set()
        self._closed = False
        console.attach(self, replay=replay)
        loop.post(self._read_on)

    def write(self, data: bytes) -> int:
        """Queue output; the loop's thread writes it."""
        with self._lock:
            if self._output_fd is None:
                return len(data)
            idle = not self._pending
            taken = min(len(data), PENDING_BYTES - len(self._pending))
            self._pending += data[:taken]
            self._refused = taken < len(data)
            if taken:
                self._drained.clear()
        if idle and taken:
            self._loop.post(self._start_writing)
        return taken

    def input_taken(self) -> None:
        """There may be room for input that was held back."""
        if self._held:
            self._loop.post(self._read_on)

    def flush(self, seconds: float) -> bool:
        """Wait until all output has been written; False once nothing was taken for so long."""
        left = -1
        while not self._drained.wait(seconds):
            with self._lock:
                before, left = left, len(self._pending)
            if left == before:
                return False
        return True

    def close(self) -> None:
        """Stop using the files, which stay open, once what is queued has been written or nothing of
        it was taken for a second."""
        if self._closed:
            return
        self.flush(1.0)
        self._closed = True
        done = threading.Event()
        self._console.detach(self)
        self._loop.post(self._leave)
        self._loop.post(done.set)
        done.wait(1.0)

    def _leave(self) -> None:
        if self._input_fd is not None:
            self._loop.on_readable(self._input_fd, None)
            self._input_fd = None
        self._stop_writing()

    @property
    def _target(self) -> int | None:
        return self._own_fd if self._own_fd is not None else self._output_fd

    def _start_writing(self) -> None:
        if self._target is not None:
            self._loop.on_writable(self._target, self._drain)

    def _drain(self) -> None:
        """Write a piece of what is pending."""
        if self._target is None:
            return
        try:
            written = os.write(self._target, bytes(self._pending[:CHUNK_BYTES]))
        except BlockingIOError:
            return
        except OSError:
            self._stop_writing()
            self._end()
            return
        with self._lock:
            del self._pending[:written]
            empty = not self._pending
            freed = self._refused and len(self._pending) <= PENDING_BYTES // 2
            if freed:
                self._refused = False
            if empty:
                self._loop.on_writable(self._target, None)
                self._drained.set()
        if freed:
            self._console.room_again()

    def _stop_writing(self) -> None:
        """Output goes nowhere from here on."""
        with self._lock:
            target, self._output_fd = self._target, None
            if target is not None:
                self._loop.on_writable(target, None)
            if self._own_fd is not None:
                os.close(self._own_fd)
                self._own_fd = None
            self._pending.clear()
            self._drained.set()
        self._console.room_again()

    def _read_on(self) -> None:
        """Hand over what was held back; read more when that has gone."""
        if self._input_fd is None:
            return
        self._held = self._held[self._console.feed(self._held) :] if self._held else b""
        self._loop.on_readable(self._input_fd, None if self._held else self._readable)

    def _readable(self) -> None:
        if self._input_fd is None:
            return
        try:
            data = os.read(self._input_fd, READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._loop.on_readable(self._input_fd, None)
            self._input_fd = None
            self._end()
            return
        if self._look is not None:
            data = self._look(data)
        self._held = data
        self._read_on()

    def _end(self) -> None:
        ended, self._on_end = self._on_end, None
        if ended is not None:
            ended()


def reopened_terminal(fd: int | None) -> int | None:
    """The terminal behind a file once more, for writing without waiting; None if it is none.

    A new open file: O_NONBLOCK on the caller's own would reach every program that shares it.
    """
    if fd is None or not os.isatty(fd):
        return None
    with suppress(OSError):
        return os.open(os.ttyname(fd), os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
    return None

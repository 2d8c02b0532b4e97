"""The user's terminal in raw mode: every key goes to the guest, except the one that leaves it."""

import os
import signal
import termios
import tty
from collections.abc import Callable
from types import FrameType
from typing import Any, Final

LEAVE: Final = b"\x1d"
"""Ctrl-]"""

Resized = Callable[[int, int], None]


class RawTerminal:
    """A context in which the terminal behind fd passes bytes through unchanged.

    The terminal is as it was afterwards, however the context ends. `resized` is told the columns
    and rows at the start and after every change.
    """

    def __init__(self, fd: int, resized: Resized | None = None) -> None:
        self._fd = fd
        self._resized = resized
        self._saved: list[Any] | None = None
        self._saved_handler: Any = None

    def __enter__(self) -> "RawTerminal":
        self._saved = termios.tcgetattr(self._fd)
        tty.setraw(self._fd, termios.TCSANOW)
        if self._resized is not None:
            self._saved_handler = signal.signal(signal.SIGWINCH, self._tell_size)
            self._tell_size()
        return self

    def __exit__(self, *ended: object) -> None:
        if self._resized is not None:
            signal.signal(signal.SIGWINCH, self._saved_handler)
        if self._saved is not None:
            termios.tcsetattr(self._fd, termios.TCSANOW, self._saved)

    def _tell_size(self, number: int = 0, frame: FrameType | None = None) -> None:
        if self._resized is not None:
            size = os.get_terminal_size(self._fd)
            self._resized(size.columns, size.lines)


class LeaveKey:
    """Looks for Ctrl-] in what the user types; the guest gets what came before it."""

    def __init__(self, leave: Callable[[], None]) -> None:
        self._leave = leave

    def __call__(self, data: bytes) -> bytes:
        before, key, _ = data.partition(LEAVE)
        if key:
            self._leave()
        return before

"""Standard input that is no terminal, typed on a guest's console when the guest listens."""

import os
import threading
import time
from collections.abc import Callable
from typing import Final, Protocol

from hospes.base.errors import HospesError

END_OF_TRANSMISSION: Final = b"\x04"
"""Ctrl-D"""
READ_BYTES: Final = 4096
POLL_SECONDS: Final = 0.02
PROMPT_SECONDS: Final = 0.1
SILENCE_SECONDS: Final = 5.0
REPEAT_SECONDS: Final = 1.0


class TypedAt(Protocol):
    """A console as one who types on it sees it: `history` is the end of its output."""

    @property
    def bytes_out(self) -> int: ...
    @property
    def history(self) -> bytes: ...
    def feed(self, data: bytes) -> int: ...


class PipedInput:
    """A thread that types what comes from a file until it ends, and then Ctrl-D.

    A booting Linux loses what arrives before it has opened its console. So when it `boots`, typing
    begins at a prompt: output that stopped in the middle of a line, or has stopped for long. The
    end of input is typed again at every later prompt: each who reads there comes to its end. With
    `ends` false it is not typed.
    """

    def __init__(
        self,
        console: TypedAt,
        alive: Callable[[], bool],
        fd: int,
        *,
        boots: bool,
        ends: bool = True,
    ) -> None:
        self._console, self._alive, self._fd = console, alive, fd
        self._boots, self._ends = boots, ends

    def start(self) -> None:
        """Begin, in a thread that ends with the machine or the process."""
        threading.Thread(target=self._serve, name="hospes input", daemon=True).start()

    def _serve(self) -> None:
        if self._boots and not self._prompted():
            return
        while data := self._read():
            if not self._type(data):
                return
        while self._ends and self._prompted() and self._type(END_OF_TRANSMISSION):
            time.sleep(REPEAT_SECONDS)

    def _read(self) -> bytes:
        try:
            return os.read(self._fd, READ_BYTES)
        except OSError:
            return b""

    def _type(self, data: bytes) -> bool:
        """Type all of it, as fast as the guest takes it; False if the machine has stopped."""
        while data and self._alive():
            try:
                data = data[self._console.feed(data) :]
            except HospesError:
                return False
            if data:
                time.sleep(POLL_SECONDS)
        return not data

    def _prompted(self) -> bool:
        """Wait until the guest seems to wait; False if the machine has stopped."""
        seen, since = -1, time.monotonic()
        while self._alive():
            time.sleep(POLL_SECONDS)
            now = time.monotonic()
            if self._console.bytes_out != seen:
                seen, since = self._console.bytes_out, now
            elif seen and now - since >= (PROMPT_SECONDS if self._in_a_line() else SILENCE_SECONDS):
                return True
        return False

    def _in_a_line(self) -> bool:
        """Whether the output stopped in the middle of one, as after a prompt."""
        return not self._console.history.endswith(b"\n")

"""Signals that ask this process to end: raised as an exception, or kept until it is safe to."""

import signal
from collections.abc import Callable
from types import FrameType
from typing import Any, Final

ENDING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stopped(BaseException):
    """A signal asked this process to end."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number

    @property
    def name(self) -> str:
        """The signal's name, such as SIGTERM."""
        return signal.Signals(self.number).name


def raise_stopped() -> None:
    """From here on these signals raise Stopped in the main thread, wherever it is."""
    for number in ENDING:
        signal.signal(number, _raise)


def _raise(number: int, frame: FrameType | None) -> None:
    raise Stopped(number)


class Deferred:
    """A context in which such a signal only calls `stop`; Stopped is raised at its end.

    For a machine that runs in the main thread: an exception between any two steps of it could
    have a piece of output written twice, or not at all.
    """

    def __init__(self, stop: Callable[[], None]) -> None:
        self._stop = stop
        self._number: int | None = None
        self._saved: dict[int, Any] = {}

    def __enter__(self) -> "Deferred":
        for number in ENDING:
            self._saved[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *ended: object) -> None:
        for number, handler in self._saved.items():
            signal.signal(number, handler)
        if self._number is not None:
            raise Stopped(self._number)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._number = number
        self._stop()

"""Which of the host's sockets wait for what; the thread of a network polls them."""

import os
import selectors
from collections.abc import Callable
from typing import Final

READ: Final = selectors.EVENT_READ
WRITE: Final = selectors.EVENT_WRITE

Ready = Callable[[int], None]


class Poll:
    """`want` and `wake` may be called from any thread, while another is in `wait`.

    That holds for epoll and kqueue, which the kernel keeps; so a socket added wakes nobody in vain.
    """

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._woken = False
        self._wake_in, self._wake_out = os.pipe()
        os.set_blocking(self._wake_in, False)
        os.set_blocking(self._wake_out, False)
        self._selector.register(self._wake_in, READ, self._awake)

    def want(self, fd: int, had: int, mask: int, ready: Ready) -> None:
        """Wait for these events (READ, WRITE) from here on; `had` are those of the last call."""
        if mask == had:
            return
        if not had:
            self._selector.register(fd, mask, ready)
        elif mask:
            self._selector.modify(fd, mask, ready)
        else:
            self._selector.unregister(fd)

    def wait(self, seconds: float | None) -> list[tuple[Ready, int]]:
        """What is ready: the callback and its events."""
        return [(key.data, events) for key, events in self._selector.select(seconds)]

    def wake(self) -> None:
        """Have `wait` return soon."""
        if not self._woken:
            self._woken = True
            os.write(self._wake_out, b"w")

    def close(self) -> None:
        """Nothing is waited for any more."""
        self._selector.close()
        os.close(self._wake_in)
        os.close(self._wake_out)

    def _awake(self, events: int) -> None:
        self._woken = False
        os.read(self._wake_in, 64)

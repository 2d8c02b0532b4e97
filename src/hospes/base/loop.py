"""The input/output thread: waits for host files, and calls back when they are ready."""

import os
import selectors
import threading
from collections import deque
from collections.abc import Callable
from typing import Final

from hospes.base.log import save_crash

Callback = Callable[[], None]
JOIN_SECONDS: Final = 2.0


class Loop:
    """One thread that polls file descriptors; every callback runs in that thread.

    `post` may be called from anywhere; `watch` and `unwatch` only from callbacks. Poll rather than
    epoll, which refuses ordinary files. A callback's error closes nothing but is kept in a log.
    """

    def __init__(self, name: str) -> None:
        self._selector = selectors.PollSelector()
        self._watched: dict[int, dict[int, Callback]] = {}
        self._posted: deque[Callback] = deque()
        self._woken = False
        self._closing = False
        self._wake_in, self._wake_out = os.pipe()
        os.set_blocking(self._wake_in, False)
        os.set_blocking(self._wake_out, False)
        self._selector.register(self._wake_in, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._serve, name=name, daemon=True)
        self._thread.start()

    def post(self, callback: Callback) -> None:
        """Have the thread call this soon."""
        self._posted.append(callback)
        if not self._woken:
            self._woken = True
            try:
                os.write(self._wake_out, b"w")
            except (BlockingIOError, OSError):
                return

    def on_readable(self, fd: int, callback: Callback | None) -> None:
        """Call back whenever the file can be read; None: no more."""
        self._change(fd, selectors.EVENT_READ, callback)

    def on_writable(self, fd: int, callback: Callback | None) -> None:
        """Call back whenever the file can be written; None: no more."""
        self._change(fd, selectors.EVENT_WRITE, callback)

    def close(self) -> None:
        """End the thread after what is posted already; files stay open."""
        if self._closing:
            return
        self.post(self._end)
        if threading.current_thread() is not self._thread:
            self._thread.join(JOIN_SECONDS)
        if not self._thread.is_alive():
            self._selector.close()
            os.close(self._wake_in)
            os.close(self._wake_out)

    def _end(self) -> None:
        self._closing = True

    def _change(self, fd: int, event: int, callback: Callback | None) -> None:
        wanted = self._watched.setdefault(fd, {})
        if callback is None:
            wanted.pop(event, None)
        else:
            wanted[event] = callback
        mask = sum(wanted)
        if not mask:
            del self._watched[fd]
            if fd in self._selector.get_map():
                self._selector.unregister(fd)
        elif fd in self._selector.get_map():
            self._selector.modify(fd, mask)
        else:
            self._selector.register(fd, mask)

    def _serve(self) -> None:
        while not self._closing:
            for key, ready in self._selector.select():
                if key.fd == self._wake_in:
                    os.read(self._wake_in, 4096)
                    self._woken = False
                    continue
                for event, callback in list(self._watched.get(key.fd, {}).items()):
                    if ready & event and self._watched.get(key.fd, {}).get(event) is callback:
                        self._guard(callback)
            while self._posted:
                self._guard(self._posted.popleft())

    @staticmethod
    def _guard(callback: Callback) -> None:
        try:
            callback()
        except Exception as error:
            save_crash(error)

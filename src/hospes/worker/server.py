"""The socket of a machine: one thread per connection, requests answered one after the other."""

import os
import socket
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from hospes.base import unix
from hospes.base.asking import pack_error
from hospes.base.errors import HospesError
from hospes.worker.conversation import Conversation, Served
from hospes.worker.frames import send_message

CONNECTIONS_MAX: Final = 64
FAREWELL_SECONDS: Final = 1.0
PAUSE_SECONDS: Final = 0.05


class Server:
    """Serves a socket from `start` to `close`; only processes of this user are listened to."""

    def __init__(self, path: Path, served: Served) -> None:
        self._served = served
        self._path = path
        self._threads: set[threading.Thread] = set()
        self._lock = threading.Lock()
        path.unlink(missing_ok=True)  # of a process that was killed
        try:
            self._listener = unix.listen(path, CONNECTIONS_MAX)
        except OSError as error:
            raise HospesError(f"the socket {path} cannot be made ({error.strerror})") from error

    def start(self) -> None:
        """Accept connections in a thread of its own."""
        threading.Thread(target=self._accept, name="hospes socket", daemon=True).start()

    def close(self) -> None:
        """Accept no more, and give those who wait for the end a moment to be told of it."""
        self._path.unlink(missing_ok=True)
        self._served.finish()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            left = list(self._threads)
        for thread in left:
            thread.join(FAREWELL_SECONDS / max(1, len(left)))

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                if self._served.finished:
                    return
                time.sleep(PAUSE_SECONDS)  # too many open files: some may be closed soon
                continue
            if unix.peer_user(connection) != os.getuid():
                connection.close()
                continue
            thread = threading.Thread(
                target=self._serve, args=(connection,), name="hospes client", daemon=True
            )
            with self._lock:
                full = len(self._threads) >= CONNECTIONS_MAX
                if not full:
                    self._threads.add(thread)
            if full:
                _refuse(connection)
            else:
                thread.start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            Conversation(self._served, connection).run()
        finally:
            with self._lock:
                self._threads.discard(threading.current_thread())


def _refuse(connection: socket.socket) -> None:
    busy = HospesError(f"the machine has {CONNECTIONS_MAX} connections already; close some")
    with connection, suppress(OSError):
        connection.settimeout(FAREWELL_SECONDS)
        send_message(connection, pack_error(busy))

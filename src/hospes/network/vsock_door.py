"""A Unix socket by which processes of the host call a guest's ports: `CONNECT 22`, and a newline.

The answer is `OK` and the host's port, and from then on everything is the guest's; a call that is
not taken is hung up on. Firecracker and Cloud Hypervisor have the same.
"""

import os
import re
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from hospes.base import unix
from hospes.base.errors import HospesError, os_reason
from hospes.network.host_poll import READ, Poll
from hospes.spec.vsock import PORT_MAX

BACKLOG: Final = 128
CALLERS_MAX: Final = 128
"""So many may be connected that have not said yet whom they call."""
PAUSE_SECONDS: Final = 0.05
LINE: Final = re.compile(rb"CONNECT ([0-9]{1,10})\n")
LINE_BYTES_MAX: Final = len("CONNECT 4294967295\n")

Call = Callable[[int, socket.socket], None]


class VsockDoor:
    """Listens at a path; `call` is told, by the polling thread, who wants to be led where."""

    def __init__(self, path: Path, poll: Poll, call: Call) -> None:
        self._path, self._poll, self._call = path, poll, call
        self._callers: dict[socket.socket, bytes] = {}      # and what each has said so far
        with suppress(OSError):
            if path.is_socket():
                path.unlink()  # of a process that was killed
        try:
            self._listener = unix.listen(path, BACKLOG)
        except OSError as error:
            raise HospesError(
                f"the socket {path} cannot be made ({os_reason(error)}); "
                "choose another path, or remove what is there"
            ) from error
        self._listener.setblocking(False)
        poll.want(self._listener.fileno(), 0, READ, self._accept)

    def close(self) -> None:
        """Nobody comes in any more."""
        self._path.unlink(missing_ok=True)
        self._poll.want(self._listener.fileno(), READ, 0, self._accept)
        self._listener.close()
        for caller in self._callers:
            self._poll.want(caller.fileno(), READ, 0, self._accept)
            caller.close()

    def _accept(self, events: int) -> None:
        try:
            caller, _ = self._listener.accept()
        except BlockingIOError:
            return
        except OSError:
            time.sleep(PAUSE_SECONDS)  # too many open files: some may be closed soon
            return
        if len(self._callers) >= CALLERS_MAX or unix.peer_user(caller) != os.getuid():
            caller.close()
            return
        caller.setblocking(False)
        self._callers[caller] = b""
        self._poll.want(caller.fileno(), 0, READ, lambda events: self._listen(caller))

    def _listen(self, caller: socket.socket) -> None:
        """Read the line, and nothing of what follows, which is for the guest."""
        try:
            waiting = caller.recv(LINE_BYTES_MAX, socket.MSG_PEEK)
            said = caller.recv(waiting.find(b"\n") + 1 or len(waiting))
        except BlockingIOError:
            return
        except OSError:
            said = b""
        line = self._callers[caller] + said
        if said and not line.endswith(b"\n") and len(line) < LINE_BYTES_MAX:
            self._callers[caller] = line
            return
        self._poll.want(caller.fileno(), READ, 0, self._accept)
        del self._callers[caller]
        found = LINE.fullmatch(line)
        if found is None or int(found[1]) > PORT_MAX:
            caller.close()
            return
        self._call(int(found[1]), caller)


def greet(caller: socket.socket, port: int | None) -> None:
    """Tell a caller that it is connected, and as which port of the host's."""
    if port is not None:
        with suppress(OSError):
            caller.send(f"OK {port}\n".encode(), socket.MSG_NOSIGNAL)

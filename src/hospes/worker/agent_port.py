"""The console that the agent of images made here listens on, for one client at a time."""

import socket
import threading
from typing import Final

from hospes.base.errors import HospesError
from hospes.machine.host_files import HostFiles
from hospes.machine.machine import Machine
from hospes.worker.messages import PortInfo

NAME: Final = "agent"
LAST_WORDS_SECONDS: Final = 5.0


class AgentPort:
    """Lends the console; `abandoned` tells the next client that the last has said no farewell."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._files: HostFiles | None = None
        self._end: socket.socket | None = None
        self._abandoned = False
        self._restarts = 0
        self._said_all = threading.Event()
        self._lock = threading.Lock()

    def open(self) -> tuple[PortInfo, socket.socket] | None:
        """The client's end of a stream to the console; None while another client has it."""
        with self._lock:
            if self._files is not None:
                return None
            ours, theirs = socket.socketpair()
            ours.setblocking(False)
            self._end, self._restarts = ours, self._machine.restarts
            number, console, loop = ours.fileno(), self._machine.agent, self._machine.loop
            self._said_all.clear()
            self._files = HostFiles(
                console, loop, number, number, on_end=self._said_all.set, replay=False
            )
            return PortInfo(opening=console.opening, abandoned=self._abandoned), theirs

    @property
    def outlived(self) -> bool:
        """Whether the guest that the port was lent in is no more."""
        return self._machine.restarts != self._restarts

    def close(self, abandoned: bool) -> None:
        """Take the port back; from one who leaves in order, first what was said last."""
        if not abandoned and not self.outlived:
            self._said_all.wait(LAST_WORDS_SECONDS)
        with self._lock:
            files, end = self._files, self._end
            if files is None or end is None:
                raise HospesError("the port is not open; ask for it first")
            end.shutdown(socket.SHUT_RDWR)
            files.close()
            end.close()
            self._files = self._end = None
            self._abandoned = abandoned and not self.outlived

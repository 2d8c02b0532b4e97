"""The agent of images made here, in a guest whose machine is in a process of its own."""

import shlex
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final, Self, TypeVar

from hospes.base.errors import HospesError, PortBusy
from hospes.guests.session import Session
from hospes.manager.guest_agent import Command
from hospes.manager.link import Link
from hospes.manager.manager import Manager, Terminal
from hospes.manager.own_copy import copy_in, copy_out
from hospes.manager.store import MachineDirectory
from hospes.worker.messages import PortInfo

PORT: Final = "agent"
READ_BYTES: Final = 65536
PAUSE_SECONDS: Final = 0.05
SEND_SECONDS: Final = 10.0
BOOT_SECONDS: Final = 300.0
"""How long a guest may take to its agent's greeting."""

Result = TypeVar("Result")


class OwnAgent:
    """A session with the agent, held from entering the context to leaving it.

    It runs one command at a time, so it is waited for up to `patience` seconds while another
    process has it; then PortBusy is raised.
    """

    def __init__(self, machine: MachineDirectory, m: Manager, patience: float = 0.0) -> None:
        self._name = machine.name
        self._link = Link(machine)
        try:
            self._restarts = self._link.info().restarts
            info, self._stream = self._opened(time.monotonic() + patience)
        except BaseException:
            self._link.close()
            raise
        self._stream.settimeout(SEND_SECONDS)
        self._alive = True
        self._room = threading.Event()
        self.session = Session(self, lambda: self._alive, lambda: 0)
        self.session.write(info.opening)
        if info.abandoned and self.session.ready(0):
            self.session.signal("KILL")
        threading.Thread(target=self._read, name="hospes agent", daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *ended: object) -> None:
        """Let the next one have the agent; a command that still runs is killed."""
        try:
            with suppress(HospesError, OSError):
                self.session.kill()
                self._stream.shutdown(socket.SHUT_WR)
                self._link.done()
        finally:
            self._link.close()
            with suppress(OSError):
                self._stream.shutdown(socket.SHUT_RDWR)
            self._stream.close()

    def run(self, command: Command, terminal: Terminal) -> int:
        """Run a command, waiting for the guest to be ready; its exit code."""
        if command.terminal or command.input or command.user:
            raise HospesError(
                f"the agent in {self._name!r} runs commands as root, without input or a terminal; "
                f"use 'hospes attach {self._name}' for those"
            )
        words = command.words
        line = words[0] if len(words) == 1 else shlex.join(words)
        return self._checked(lambda: self.session.run(line, terminal.output, terminal.error))

    def copy_in(self, source: str, target: str) -> None:
        """Copy a file or directory of the host into the guest."""
        self._checked(lambda: copy_in(self.session, source, target))

    def copy_out(self, source: str, target: str) -> None:
        """Copy a file or directory of the guest to the host."""
        self._checked(lambda: copy_out(self.session, source, target))

    def shut_down(self, seconds: float) -> bool:
        """Ask the guest to switch itself off."""
        if not self.session.ready(seconds):
            return False
        self.session.poweroff()
        return True

    def feed(self, data: bytes) -> int:
        """For the session: send bytes to the guest."""
        try:
            return self._stream.send(data)
        except TimeoutError:
            return 0
        except OSError:
            self._alive = False
            return 0

    def room_again(self) -> None:
        """For the session: it can take more."""
        self._room.set()

    def _checked(self, act: Callable[[], Result]) -> Result:
        """Do it; when the stream ends meanwhile, say whether the guest was started anew."""
        try:
            if not self.session.ready(BOOT_SECONDS) and self._alive:
                raise HospesError(
                    f"the guest of {self._name!r} is not ready after {BOOT_SECONDS:g} s; see "
                    f"'hospes logs {self._name}'"
                )
            return act()
        except HospesError:
            if self._alive or not self._restarted():
                raise
            raise HospesError(
                f"the guest of {self._name!r} restarted meanwhile; try again"
            ) from None

    def _restarted(self) -> bool:
        with suppress(HospesError):
            return self._link.info().restarts != self._restarts
        return False

    def _opened(self, deadline: float) -> tuple[PortInfo, socket.socket]:
        while True:
            try:
                return self._link.port(PORT)
            except PortBusy:
                if time.monotonic() >= deadline:
                    raise
                time.sleep(PAUSE_SECONDS)

    def _read(self) -> None:
        """Hand over what the guest says, as fast as the session takes it."""
        while data := self._received():
            while data:
                self._room.clear()
                data = data[self.session.write(data) :]
                if data:
                    self._room.wait()
        self._alive = False
        self.session.input_taken()

    def _received(self) -> bytes:
        while True:
            try:
                return self._stream.recv(READ_BYTES)
            except TimeoutError:
                continue
            except OSError:
                return b""

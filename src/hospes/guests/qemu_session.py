"""Commands, files, clock and power of a guest that has the QEMU agent, as of `session.Session`."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from hospes.base.clock import HostClock
from hospes.base.errors import HospesError
from hospes.base.progress import Progress, silent
from hospes.guests.execution.command import Command, Terminal
from hospes.guests.execution.running import Execution, Input, launch
from hospes.guests.guest_clock import set_clock
from hospes.guests.ports import PORTS_DIRECTORY, GuestPorts
from hospes.guests.qga import CONNECT_SECONDS, Shutdown, open_agent, wait_ready
from hospes.guests.session import CommandTimeout, Take, deadline
from hospes.guests.transfer.copying import Copied, Copier

SHELL: Final = ("/bin/sh", "-c")
BOOT_SECONDS: Final = 300.0
LOOK_SECONDS: Final = 2.0


class QemuSession:
    """Any thread may call; commands run beside each other, as many as there are ports for.

    `alive` tells whether the machine still runs. Waiting without a limit gives a guest
    BOOT_SECONDS to answer, for one that has no agent never will.
    """

    def __init__(
        self, ports: GuestPorts, alive: Callable[[], bool], directory: str = PORTS_DIRECTORY
    ) -> None:
        self._ports, self._alive, self._directory = ports, alive, directory
        self._running: list[Execution] = []
        self._answered = False

    def ready(self, seconds: float | None = None) -> bool:
        """Wait until the agent answers; False if it does not in time, or the machine has ended."""
        limit = deadline(BOOT_SECONDS if seconds is None else seconds)
        while self._alive() and limit is not None and (left := limit - time.monotonic()) > 0:
            if wait_ready(self._ports, min(left, LOOK_SECONDS)):
                self._answered = True
                return True
        return False

    def run(
        self, command: str, on_output: Take, on_error: Take, seconds: float | None = None
    ) -> int:
        """Run a command by the guest's shell; its exit code. Output is handed over as it comes."""
        return self.exec([*SHELL, command], on_output, on_error, seconds=seconds)

    def exec(
        self,
        argv: Sequence[str],
        on_output: Take,
        on_error: Take,
        *,
        source: Input | None = None,
        environment: Mapping[str, str] | None = None,
        directory: str | None = None,
        user: str | None = None,
        terminal: Terminal | None = None,
        seconds: float | None = None,
    ) -> int:
        """Run a program; its exit code, 128 + N after signal N. The time includes booting."""
        command = Command(argv, environment or {}, directory, user, terminal)
        limit = deadline(seconds)
        with self.start(command, on_output, on_error, source=source, seconds=seconds) as running:
            return running.run(None if limit is None else max(0.0, limit - time.monotonic()))

    @contextmanager
    def start(
        self,
        command: Command,
        on_output: Take,
        on_error: Take,
        *,
        source: Input | None = None,
        seconds: float | None = None,
    ) -> Iterator[Execution]:
        """Start a program, for those who resize its terminal or signal it while it runs."""
        self._await(f"The command {command.text!r} did not run", seconds)
        execution = launch(
            self._ports, command, source=source, on_output=on_output, on_error=on_error,
            directory=self._directory,
        )  # fmt: skip
        self._running.append(execution)
        try:
            with execution:
                yield execution
        finally:
            self._running.remove(execution)

    def signal(self, name: str) -> None:
        """Send a signal to the running commands."""
        for execution in list(self._running):
            execution.signal(name)

    def kill(self) -> None:
        """Kill the running commands."""
        self.signal("KILL")

    def copy_in(
        self,
        host_path: str | Path,
        guest_path: str,
        *,
        user: str | None = None,
        progress: Progress = silent,
    ) -> Copied:
        """Copy a file or directory into the guest, where it belongs to the user or root."""
        return self._copier(host_path, user, progress).copy_in(host_path, guest_path)

    def copy_out(
        self,
        guest_path: str,
        host_path: str | Path,
        *,
        user: str | None = None,
        progress: Progress = silent,
    ) -> Copied:
        """Copy a file or directory out of the guest, read there by the user or root."""
        return self._copier(guest_path, user, progress).copy_out(guest_path, host_path)

    def set_time(self, time_ns: int | None = None) -> None:
        """Set the guest's clock, in ns since 1970; to the host's if not said."""
        with open_agent(self._ports) as agent:
            if time_ns is None:
                set_clock(agent, HostClock())
            else:
                agent.set_time_ns(time_ns)

    def poweroff(self, mode: Shutdown = "powerdown") -> None:
        """Ask the guest to switch itself off, or restart, in good order."""
        with open_agent(self._ports) as agent:
            agent.shutdown(mode)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """The guest's file systems are written out and still: the moment to copy its disks."""
        with open_agent(self._ports) as agent:
            agent.freeze()
        try:
            yield
        finally:
            with open_agent(self._ports) as agent:
                agent.thaw()

    def _copier(self, path: str | Path, user: str | None, progress: Progress) -> Copier:
        self._await(f"{str(path)!r} was not copied", None)
        return Copier(self._ports, user, progress, CONNECT_SECONDS, self._directory)

    def _await(self, failure: str, seconds: float | None) -> None:
        """The first time, see that there is an agent; later whoever needs it waits for it."""
        if (self._answered and self._alive()) or self.ready(seconds):
            return
        if not self._alive():
            raise HospesError(f"{failure}: the machine has stopped.")
        shown = BOOT_SECONDS if seconds is None else seconds
        raise CommandTimeout(
            f"{failure}: the guest's agent did not answer within {shown:g} s; give it more time, "
            "or see that qemu-guest-agent is installed in the guest."
        )

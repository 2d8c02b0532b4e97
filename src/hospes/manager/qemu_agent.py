"""QEMU's agent, in a guest whose machine is in a process of its own."""

import os
from typing import Final, Self

from hospes.guests.execution.command import Command as Program
from hospes.guests.execution.command import Terminal as Size
from hospes.guests.qemu_session import SHELL, QemuSession
from hospes.manager.guest_agent import Command
from hospes.manager.link import WorkerPorts
from hospes.manager.manager import Manager, Terminal
from hospes.manager.store import MachineDirectory

DEFAULT_KIND: Final = "xterm-256color"
LOGIN_SHELL: Final = 'exec "${SHELL:-/bin/sh}" -l'


class QemuAgent:
    """A session with the agent; as many commands run beside each other as there are ports."""

    def __init__(self, machine: MachineDirectory, m: Manager, patience: float = 0.0) -> None:
        self.session = QemuSession(WorkerPorts(machine), lambda: machine.runs)
        self._progress = m.progress

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *ended: object) -> None:
        """Each port is given back by itself."""

    def run(self, command: Command, terminal: Terminal) -> int:
        """Run a command, waiting for the guest to be ready; its exit code."""
        return run_program(self.session, command, terminal)

    def copy_in(self, source: str, target: str) -> None:
        """Copy a file or directory of the host into the guest."""
        self.session.copy_in(source, target, progress=self._progress)

    def copy_out(self, source: str, target: str) -> None:
        """Copy a file or directory of the guest to the host."""
        self.session.copy_out(source, target, progress=self._progress)

    def shut_down(self, seconds: float) -> bool:
        """Ask the guest to switch itself off."""
        if not self.session.ready(seconds):
            return False
        self.session.poweroff()
        return True


def login_shell(user: str, *, terminal: bool) -> Command:
    """The shell that a user of the guest has, as after a login."""
    return Command((*SHELL, LOGIN_SHELL), input=True, terminal=terminal, user=user)


def run_program(session: QemuSession, command: Command, terminal: Terminal) -> int:
    """Run a command with its streams joined to the user's; its exit code."""
    words = command.words
    program = Program(
        words if len(words) > 1 else [*SHELL, words[0]],
        user=command.user,
        terminal=_size(terminal) if command.terminal else None,
    )
    source = terminal.input_fd if command.input else None
    with session.start(program, terminal.output, terminal.error, source=source) as running:
        if not (command.terminal and command.input):
            return running.run()
        with terminal.raw(lambda columns, rows: running.resize(rows, columns)):
            return running.run()


def _size(terminal: Terminal) -> Size:
    columns, rows = terminal.size
    return Size(rows, columns, os.environ.get("TERM") or DEFAULT_KIND)

"""A machine in this process, for a terminal: its console, a command or a shell in its guest."""

import os
import shlex
import threading
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from hospes.base import open_files
from hospes.base.errors import HospesError
from hospes.manager.manager import Manager, Terminal
from hospes.manager.ran import Ran
from hospes.manager.seed import Wishes, seed

if TYPE_CHECKING:
    from pathlib import Path

    from hospes.api import Machine
    from hospes.spec.machine import MachineSpec

TIMED_OUT: Final = 124
"""The exit code of timeout(1)."""
LOOK_SECONDS: Final = 0.5
REBOOT_ON_PANIC: Final = "panic=-1"
NOT_KEPT: Final = "what is written to the root disk is gone at the end; --name NAME keeps a machine"


def run_here(
    m: Manager,
    terminal: Terminal,
    asked: "MachineSpec",
    disks: Sequence[str],
    wishes: Wishes,
    command: Sequence[str] = (),
    *,
    vsock: "Path | None" = None,
    user: str | None = None,
    stats: bool = False,
    timeout: float | None = None,
) -> Ran:
    """Run a machine that is gone afterwards: its console, a command, or a user's shell."""
    from hospes.api import Machine

    if asked.volumes:
        open_files.allow_many()
    inside = bool(command) or user is not None
    words = [asked.append, *(guest_words(terminal, inside) if asked.image else [])]
    with seed(asked.image, wishes, m.progress) as extra:
        vm = Machine(
            asked.image,
            kernel=asked.kernel,
            initrd=asked.initrd,
            bios=asked.bios,
            append=" ".join(filter(None, words)),
            memory=asked.memory,
            cpus=asked.cpus,
            engine=asked.engine,
            disks=[*disks, *extra],
            interrupts=asked.interrupts,
            allow=asked.allow,
            network=asked.network,
            vsock=vsock or False,
            volumes=asked.volumes,
            agent=inside,
            progress=m.progress,
            on_remark=terminal.remark,
        )
    with closing(vm):
        if asked.image and vm.spec.from_disk and not command:
            terminal.remark(NOT_KEPT)
        if user is not None:
            ran = _shell(vm, user, m, terminal)
        elif command:
            ran = _command(vm, command, terminal, timeout)
        else:
            ran = _console(vm, terminal, timeout)
        return replace(ran, statistics=tuple(vm.stats.rows())) if stats else ran


def guest_words(terminal: Terminal, command: bool) -> list[str]:
    """What an image's guest is told: with a command, that a panic should be noticed."""
    if command:
        return [REBOOT_ON_PANIC]
    return [f"{name}={value}" for name, value in terminal.environment().items()]


def _console(vm: "Machine", terminal: Terminal, timeout: float | None) -> Ran:
    late = threading.Event()

    def stop() -> None:
        late.set()
        vm.stop()

    timer = threading.Timer(timeout or 0, stop)
    timer.daemon = True
    if timeout is not None:
        timer.start()
    try:
        ending = terminal.attach(vm)
    finally:
        timer.cancel()
    if late.is_set():
        return Ran(TIMED_OUT, f"the machine still ran after {timeout:g} s and was stopped")
    return Ran(ending.exit_code)


def _command(vm: "Machine", words: Sequence[str], terminal: Terminal, timeout: float | None) -> Ran:
    from hospes.api import CommandTimeout

    line = words[0] if len(words) == 1 else shlex.join(words)
    limit = time.monotonic() + (float("inf") if timeout is None else timeout)
    if not _boot(vm, limit):
        return Ran(TIMED_OUT, f"the guest was not ready after {timeout:g} s and was stopped")
    left = None if timeout is None else max(0.0, limit - time.monotonic())
    try:
        return Ran(vm.session.run(line, terminal.output, terminal.error, left))
    except CommandTimeout as error:
        return Ran(TIMED_OUT, str(error))


def _shell(vm: "Machine", user: str, m: Manager, terminal: Terminal) -> Ran:
    """A login shell on the user's terminal, or one that reads its commands from a file."""
    from hospes.guests.qemu_session import QemuSession
    from hospes.manager.qemu_agent import login_shell, run_program

    if not isinstance(vm.session, QemuSession):
        raise HospesError(
            f"the guest of this image has no other user than root; leave out --user {user}, or "
            "take the image debian"
        )
    m.progress("Booting", 0, 0)
    _boot(vm, float("inf"))
    m.progress("Booting", 1, 1)
    command = login_shell(user, terminal=os.isatty(terminal.input_fd))
    return Ran(run_program(vm.session, command, terminal))


def _boot(vm: "Machine", limit: float) -> bool:
    """Start it and wait until commands can run in it; False if that takes until the limit."""
    vm.start()
    while not vm.session.ready(min(LOOK_SECONDS, limit - time.monotonic())):
        if vm.core.ending is not None or vm.core.restarts:
            raise HospesError(f"the guest failed before the command could run: {_last_words(vm)}")
        if time.monotonic() >= limit:
            return False
    return True


def _last_words(vm: "Machine") -> str:
    """The line of the console that says most about a failure."""
    lines = [line.strip() for line in vm.console_output.splitlines() if line.strip()]
    panics = [line for line in lines if "Kernel panic" in line]
    return (panics or lines or ["it wrote nothing to its console"])[-1]

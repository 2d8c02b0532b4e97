"""Running a machine in the foreground: a guest's console, or one command in a guest."""

import shlex
import threading
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

from hospes.base.errors import HospesError
from hospes.manager.manager import Manager, Terminal
from hospes.manager.seed import Wishes, seed
from hospes.manager.verb import verb
from hospes.spec.disk import parse_disk
from hospes.spec.vm import EngineKind, InterruptKind

if TYPE_CHECKING:
    from hospes.api import Machine
    from hospes.spec.machine import MachineSpec

DEFAULT_IMAGE: Final = "tiny"
TIMED_OUT: Final = 124
"""The exit code of timeout(1)."""
LOOK_SECONDS: Final = 0.5
REBOOT_ON_PANIC: Final = "panic=-1"


@dataclass(frozen=True)
class Ran:
    """How a run ended; `statistics` are rows of group, name and value, if asked for."""

    exit_code: int
    remark: str = ""
    statistics: tuple[tuple[str, str, str], ...] = ()


@verb("POST /runs")
def run(
    m: Manager,
    image: Annotated[
        str | None, "an image; without one --kernel, --bios or what is on --disk is booted, or tiny"
    ] = None,
    *command: str,
    kernel: Annotated[Path | None, "a Linux Image, compressed or EFI kernel, or an ELF"] = None,
    initrd: Annotated[Path | None, "its first file system"] = None,
    append: Annotated[str, "words for the kernel's command line"] = "",
    memory: Annotated[str | None, "how much RAM, such as 512M or 4G"] = None,
    cpus: Annotated[int, "how many harts"] = 1,
    engine: Annotated[EngineKind, "what executes the guest"] = EngineKind.THREADED,
    disk: Annotated[
        list[str] | None, "a file, with ,format=raw|qcow2 or ,readonly; or size=2G for a new one"
    ] = None,
    allow: Annotated[
        list[Path] | None, "a directory in which disks' backing files may lie, besides their own"
    ] = None,
    user_data: Annotated[Path | None, "what cloud-init in the guest shall do"] = None,
    ssh_key: Annotated[list[Path] | None, "a public key whose owner may log in as root"] = None,
    bios: Annotated[Path | None, "M-mode firmware, or a bare-metal program"] = None,
    interrupts: Annotated[InterruptKind | None, "the interrupt architecture"] = None,
    stats: Annotated[bool, "print what was counted, at the end"] = False,
    timeout: Annotated[float | None, "stop after so many seconds"] = None,
    name: Annotated[str | None, "keep the machine under this name"] = None,
    detach: Annotated[bool, "keep the machine, leave it alone and print its name", "-d"] = False,
) -> Ran | str:
    """Run a guest: its console, or a command in it.

    The command's output and exit code are passed through. A single word is a line for the guest's
    shell; several words are a program and its arguments.
    """
    from hospes.spec.machine import MachineSpec

    terminal = m.terminal
    if terminal is None:
        raise HospesError("a machine in the foreground needs a terminal; use hospes.Machine")
    own = kernel is not None or bios is not None
    asked = MachineSpec(
        image=_image(image, command, own, disk),
        kernel=kernel and kernel.absolute(),
        initrd=initrd and initrd.absolute(),
        bios=bios and bios.absolute(),
        append=append,
        memory=memory,
        cpus=cpus,
        engine=engine,
        interrupts=interrupts,
        allow=tuple(place.absolute() for place in allow or ()),
    )
    wishes = Wishes(user_data, tuple(ssh_key or ()))
    if name is None and not detach:
        return _run_here(m, terminal, asked, disk or [], wishes, command, stats, timeout)
    _check_kept(command, stats, timeout)
    from hospes.manager.kept import run_kept

    words = _words(terminal, False) if asked.image and not detach else []
    return run_kept(m, asked, disk or [], wishes, name, words, detach)


def _run_here(
    m: Manager,
    terminal: Terminal,
    asked: "MachineSpec",
    disks: Sequence[str],
    wishes: Wishes,
    command: Sequence[str],
    stats: bool,
    timeout: float | None,
) -> Ran:
    """Run a machine in this process; it is gone afterwards."""
    from hospes.api import Machine

    words = [asked.append, *(_words(terminal, bool(command)) if asked.image else [])]
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
            agent=bool(command),
            progress=m.progress,
            on_remark=terminal.remark,
        )
    with closing(vm):
        go = _command if command else _console
        ran = go(vm, command, terminal, timeout)
        return replace(ran, statistics=tuple(vm.stats.rows())) if stats else ran


def _check_kept(command: Sequence[str], stats: bool, timeout: float | None) -> None:
    if command:
        raise HospesError(
            "a command is run in a machine of its own; leave out --name and -d, or start the "
            "machine first and run the command with 'hospes exec'"
        )
    if stats:
        raise HospesError("a machine that is kept counts on; use 'hospes stats', not --stats")
    if timeout is not None:
        raise HospesError("a machine that is kept has no time limit; leave out --timeout")


def _image(
    image: str | None, command: Sequence[str], own: bool, disks: Sequence[str] | None
) -> str | None:
    """The image to boot; none with files of the user's own, or when a disk is to boot."""
    _check(image, command, own)
    kept = any(parse_disk(text).path is not None for text in disks or ())
    if image is None and not own and (command or not kept):
        return DEFAULT_IMAGE
    return image


def _check(image: str | None, command: Sequence[str], own: bool) -> None:
    if image is not None and own:
        raise HospesError(
            f"the image {image!r} has its own kernel; leave out either it or --kernel and --bios"
        )
    if command and own:
        raise HospesError(
            "a command needs an image, whose guest has an agent to run it; "
            "leave out either the command or --kernel and --bios"
        )
    if command and image is not None:
        from hospes.guests import catalogue

        catalogue.check_commands(image)


def _words(terminal: Terminal, command: bool) -> list[str]:
    """What an image's guest is told: with a command, that a panic should be noticed."""
    if command:
        return [REBOOT_ON_PANIC]
    return [f"{name}={value}" for name, value in terminal.environment().items()]


def _console(vm: "Machine", _: Sequence[str], terminal: Terminal, timeout: float | None) -> Ran:
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
    vm.start()
    while not vm.session.ready(min(LOOK_SECONDS, limit - time.monotonic())):
        if vm.core.ending is not None or vm.core.restarts:
            raise HospesError(f"the guest failed before the command could run: {_last_words(vm)}")
        if time.monotonic() >= limit:
            return Ran(TIMED_OUT, f"the guest was not ready after {timeout:g} s and was stopped")
    left = None if timeout is None else max(0.0, limit - time.monotonic())
    try:
        return Ran(vm.session.run(line, terminal.output, terminal.error, left))
    except CommandTimeout as error:
        return Ran(TIMED_OUT, str(error))


def _last_words(vm: "Machine") -> str:
    """The line of the console that says most about a failure."""
    lines = [line.strip() for line in vm.console_output.splitlines() if line.strip()]
    panics = [line for line in lines if "Kernel panic" in line]
    return (panics or lines or ["it wrote nothing to its console"])[-1]

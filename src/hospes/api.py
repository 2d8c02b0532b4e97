"""The public Python face: a machine in a few lines.

    from hospes import Machine

    with Machine("tiny") as vm:
        print(vm.run("uname -m").stdout)
"""

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from hospes.base.errors import HospesError
from hospes.base.progress import Progress, silent
from hospes.guests.session import CommandTimeout, Session
from hospes.machine.host_files import Filter, HostFiles
from hospes.machine.life import Ending, EndKind, MachineState
from hospes.machine.machine import Machine as Core
from hospes.machine.registers import Registers
from hospes.machine.statistics import Statistics
from hospes.spec.boot import BootContent
from hospes.spec.disk import DiskSpec, VirtioBus, parse_disk
from hospes.spec.vm import EngineKind, VmSpec, parse_size

__all__ = [
    "CommandTimeout",
    "EndKind",
    "Ending",
    "Machine",
    "MachineState",
    "Registers",
    "Result",
    "Statistics",
    "describe",
]

AGENT_CONSOLE: Final = "hvc0"
POWEROFF_SECONDS: Final = 10.0


@dataclass(frozen=True)
class Result:
    """What a command in the guest did; `stdout` and `stderr` are its output as text."""

    exit_code: int
    stdout_bytes: bytes
    stderr_bytes: bytes

    @property
    def stdout(self) -> str:
        """Standard output, decoded as UTF-8."""
        return self.stdout_bytes.decode("utf-8", "replace")

    @property
    def stderr(self) -> str:
        """Standard error, decoded as UTF-8."""
        return self.stderr_bytes.decode("utf-8", "replace")


def describe(
    image: str | None = "tiny",
    *,
    kernel: str | Path | None = None,
    initrd: str | Path | None = None,
    bios: str | Path | None = None,
    append: str = "",
    memory: str | int | None = None,
    cpus: int = 1,
    engine: str = EngineKind.THREADED,
    disks: Sequence[str | Path | DiskSpec] = (),
    interrupts: str | None = None,
    allow: Sequence[str | Path] = (),
    agent: bool = True,
    progress: Progress = silent,
) -> VmSpec:
    """The VmSpec of a machine from what a user gives.

    A kernel or bios takes the place of the image; an image that is not in the cache is fetched.
    With no image and disks, the kernel on the first of them that has one is booted.
    With `agent`, an image's guest runs commands instead of a shell on its console. `disks` are
    paths or texts such as `data.qcow2`, `old.img,format=raw,bus=mmio` or `size=20G`; their
    backing files may lie in the directories `allow`, besides their own.
    """
    wanted: dict[str, Any] = {"cpus": cpus, "engine": engine, "bios": bios and Path(bios)}
    plugged = tuple(_disk(disk) for disk in disks)
    wanted |= {"disks": plugged, "interrupts": interrupts}
    wanted["allow"] = tuple(Path(place) for place in allow)
    if kernel is None and bios is None and image is not None:
        from hospes.guests import catalogue

        found = catalogue.ensure(image, progress)
        words = [found.manifest.append, f"hospes.agent={AGENT_CONSOLE}" if agent else ""]
        words += ["hospes.disks" if plugged else ""]
        words += ["hospes.mmio" if any(disk.bus is VirtioBus.MMIO for disk in plugged) else ""]
        words += [append]
        wanted |= {"kernel": found.kernel, "initrd": Path(initrd) if initrd else found.initrd}
        wanted["append"] = " ".join(filter(None, words))
        wanted["memory_bytes"] = found.manifest.memory_bytes
    else:
        wanted |= {"kernel": kernel and Path(kernel), "initrd": initrd and Path(initrd)}
        wanted["append"] = append
        wanted["from_disk"] = kernel is None and bios is None and bool(disks)
    if memory is not None:
        wanted["memory_bytes"] = parse_size(memory) if isinstance(memory, str) else memory
    return VmSpec(**wanted)


def _disk(wanted: str | Path | DiskSpec) -> DiskSpec:
    if isinstance(wanted, str):
        return parse_disk(wanted)
    return DiskSpec(wanted) if isinstance(wanted, Path) else wanted


def _find_boot(disks: Sequence[Any]) -> BootContent:
    # Here, for most machines have no need of it.
    from hospes.guests.boot_disk import find_boot_files

    return find_boot_files(disks)


class Machine:
    """A virtual machine: `start`ed on entering the context, ended and given back on leaving it.

    Takes the arguments of `describe`, or a VmSpec in place of the image's name. Any thread may
    call; commands run one at a time. `on_remark` is called, by any thread, with each of `remarks`
    when it comes.
    """

    def __init__(
        self,
        image: str | VmSpec | None = "tiny",
        *,
        progress: Progress = silent,
        on_remark: Callable[[str], None] | None = None,
        **wanted: Any,
    ) -> None:
        if isinstance(image, VmSpec):
            if wanted:
                raise HospesError(f"a VmSpec already says all; leave {', '.join(wanted)} out")
            self.spec = image
        else:
            self.spec = describe(image, progress=progress, **wanted)
        self.core = Core(
            self.spec,
            progress=progress,
            find_boot=_find_boot if self.spec.from_disk else None,
            on_remark=on_remark,
        )
        self.session = Session(
            self.core.agent, lambda: self.core.ending is None, lambda: self.core.restarts
        )
        self.core.agent.attach(self.session)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def start(self) -> None:
        """Begin to run, in a thread of its own; does nothing if it runs already."""
        if self.core.state is MachineState.CREATED:
            self.core.start()

    def run_here(self) -> Ending:
        """Run in the calling thread, in place of `start`, until the machine stops."""
        return self.core.run()

    def run(
        self, command: str | Sequence[str], timeout: float | None = None, *, check: bool = False
    ) -> Result:
        """Run a command in the guest, by its shell, and wait for its end.

        Words in a sequence are quoted for the shell. `timeout` is in seconds, booting included;
        beyond it the command is killed and CommandTimeout raised. With `check`, an exit code
        other than 0 raises HospesError.
        """
        self.start()
        text = command if isinstance(command, str) else shlex.join(command)
        output, errors = bytearray(), bytearray()
        code = self.session.run(text, output.extend, errors.extend, timeout)
        if check and code:
            last = errors.decode("utf-8", "replace").strip().splitlines()[-1:]
            raise HospesError(
                f"the command {text[:60]!r} ended with exit code {code}"
                + (f" ({last[0]})" if last else "")
            )
        return Result(code, bytes(output), bytes(errors))

    def pause(self) -> None:
        """Return once no guest instruction is executed any more; time stands still."""
        self.core.pause()

    def resume(self) -> None:
        """Go on after a pause."""
        self.core.resume()

    def registers(self, hart: int = 0) -> Registers:
        """A hart's registers between two instructions, by name: registers()["a0"]."""
        return self.core.registers(hart)

    def read(self, gpa: int, count: int) -> bytes:
        """Bytes of guest physical memory."""
        return self.core.read(gpa, count)

    def write(self, gpa: int, data: bytes) -> None:
        """Change guest physical memory."""
        self.core.write(gpa, data)

    def dirty_pages(self) -> list[int]:
        """Guest physical addresses of the 4 KiB pages written since this was last asked.

        By the guest, its devices or `write`; the first answer counts from power-on.
        """
        return self.core.dirty_pages()

    @property
    def state(self) -> MachineState:
        """created, running, paused or stopped."""
        return self.core.state

    @property
    def stats(self) -> Statistics:
        """Counts and times so far."""
        return self.core.statistics()

    @property
    def engine(self) -> str:
        """The engine that runs the guest; may be set while it runs."""
        return self.core.engine

    @engine.setter
    def engine(self, kind: str) -> None:
        self.core.engine = kind

    @property
    def remarks(self) -> tuple[str, ...]:
        """What the user should know of the disks, such as that the host's is full."""
        return self.core.remarks

    @property
    def console_output(self) -> str:
        """The end of what the guest has written to its console."""
        return self.core.console.history.decode("utf-8", "replace")

    def type(self, text: str | bytes) -> None:
        """Type on the guest's console; HospesError when the guest does not take it."""
        data = text.encode() if isinstance(text, str) else text
        if self.core.console.feed(data) < len(data):
            raise HospesError("the guest does not take what is typed; type less, or wait")

    def join_console(
        self,
        input_fd: int | None,
        output_fd: int | None,
        look: Filter | None = None,
        on_end: Callable[[], None] | None = None,
    ) -> HostFiles:
        """Join the console to open files of the host.

        `look` filters what is typed; `on_end` is called when there is no more input, or nowhere
        left to write the output.
        """
        return HostFiles(
            self.core.console, self.core.loop, input_fd, output_fd, look=look, on_end=on_end
        )

    def wait(self, timeout: float | None = None) -> Ending:
        """Wait until the machine stops."""
        return self.core.wait(timeout)

    def poweroff(self, timeout: float = POWEROFF_SECONDS) -> Ending:
        """Have the guest's agent switch the machine off in good order."""
        if not self.session.ready(timeout):
            raise HospesError("the guest's agent does not answer; stop the machine instead")
        self.session.poweroff()
        return self.core.wait(timeout)

    def stop(self) -> None:
        """Pull the plug."""
        self.core.stop()

    def close(self) -> None:
        """Pull the plug if need be, and give everything back."""
        self.core.close()

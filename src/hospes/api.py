"""The public Python face: a machine in a few lines.

    from hospes import Machine

    with Machine("tiny") as vm:
        print(vm.run("uname -m").stdout)
"""

import shlex
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from hospes.base.errors import HospesError
from hospes.base.progress import Progress, silent
from hospes.guests import agent_kinds
from hospes.guests.describe import agent_in, describe
from hospes.guests.session import CommandTimeout, Session
from hospes.machine import networks
from hospes.machine.balloon import MemoryStatistics
from hospes.machine.cable import Cable, OpenNetwork
from hospes.machine.host_files import Filter, HostFiles
from hospes.machine.life import Ending, EndKind, MachineState
from hospes.machine.machine import Machine as Core
from hospes.machine.registers import Registers
from hospes.machine.sockets import Vsock
from hospes.machine.statistics import Statistics
from hospes.spec.boot import BootContent
from hospes.spec.vm import VmSpec

if TYPE_CHECKING:
    from hospes.guests.guest_clock import ClockKeeper
    from hospes.guests.qemu_session import QemuSession
    from hospes.spec.firewall import FirewallStatus

__all__ = [
    "CommandTimeout",
    "EndKind",
    "Ending",
    "Machine",
    "MachineState",
    "MemoryStatistics",
    "Registers",
    "Result",
    "Statistics",
    "Vsock",
    "describe",
    "drive",
]

POWEROFF_SECONDS: Final = 60.0


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


def _find_boot(disks: Sequence[Any]) -> BootContent:
    # Here, for most machines have no need of it.
    from hospes.guests.boot_disk import find_boot_files

    return find_boot_files(disks)


def _clock_keeper(core: Core) -> "ClockKeeper":
    # Here, for most machines have no need of it.
    from hospes.guests.guest_clock import ClockKeeper

    return ClockKeeper(core)


def drive(spec: VmSpec, command: str, output: Callable[[bytes], object]) -> int:
    """Run one command in a machine's guest, then end the machine; the command's exit code.

    HospesError, too, when a disk had something for the user to put right.
    """
    with Machine(spec) as vm:
        try:
            code = vm.session.run(command, output, output)
            vm.poweroff()
        except HospesError as error:
            last = vm.console_output.strip().splitlines()[-1:]
            raise HospesError("; ".join((str(error).rstrip("."), *vm.remarks, *last))) from error
    if vm.remarks:
        raise HospesError("; ".join(vm.remarks))
    return code


class Machine:
    """A virtual machine: `start`ed on entering the context, ended and given back on leaving it.

    Takes the arguments of `describe`, or a VmSpec in place of the image's name. Any thread may
    call; commands run one at a time. `on_remark` is called, by any thread, with each of `remarks`
    when it comes. `open_network` makes what the network card is plugged into.
    """

    def __init__(
        self,
        image: str | VmSpec | None = "tiny",
        *,
        progress: Progress = silent,
        on_remark: Callable[[str], None] | None = None,
        open_network: OpenNetwork = networks.open_network,
        **wanted: Any,
    ) -> None:
        if isinstance(image, VmSpec):
            if wanted:
                raise HospesError(f"a VmSpec already says all; leave {', '.join(wanted)} out")
            self.spec, agent = image, agent_kinds.OWN
        else:
            self.spec = describe(image, progress=progress, driver=drive, **wanted)
            own = wanted.get("kernel") is None and wanted.get("bios") is None
            agent = agent_in(image if own else None)
        self.core = Core(
            self.spec,
            progress=progress,
            find_boot=_find_boot if self.spec.from_disk else None,
            open_network=open_network,
            on_remark=on_remark,
            on_clock=self._clock_is_wrong,
        )
        self._clock = _clock_keeper(self.core) if self.spec.ports else None
        self.session = self._session(agent)

    def _clock_is_wrong(self) -> None:
        if self._clock is not None:
            self._clock.wake()

    def _session(self, agent: str) -> "Session | QemuSession":
        if agent == agent_kinds.QEMU:
            # Here, for most machines have no need of it.
            from hospes.guests.qemu_session import QemuSession

            return QemuSession(self.core, lambda: self.core.ending is None)
        session = Session(
            self.core.agent, lambda: self.core.ending is None, lambda: self.core.restarts
        )
        self.core.agent.attach(session)
        return session

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *ended: object) -> None:
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

    def copy_in(self, host_path: str | Path, guest_path: str) -> None:
        """Copy a file or directory into the guest, as `cp -r` would; it belongs to root there.

        For images with qemu-guest-agent, such as debian; so is `copy_out`.
        """
        self._qemu_session("copied into").copy_in(host_path, guest_path)

    def copy_out(self, guest_path: str, host_path: str | Path) -> None:
        """Copy a file or directory out of the guest; nothing lands outside `host_path`."""
        self._qemu_session("copied out of").copy_out(guest_path, host_path)

    def _qemu_session(self, done: str) -> "QemuSession":
        from hospes.guests.qemu_session import QemuSession

        if not isinstance(self.session, QemuSession):
            raise HospesError(
                f"nothing can be {done} this guest, which has no qemu-guest-agent; take an image "
                "that has it, such as debian"
            )
        self.start()
        return self.session

    def pause(self) -> None:
        """Return once no guest instruction is executed any more; time stands still."""
        self.core.pause()

    def resume(self) -> None:
        """Go on after a pause; where the guest has the QEMU agent, its clock is set soon."""
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

    def open_port(self, name: str) -> socket.socket:
        """A stream socket joined to a named port of the guest, such as `org.hospes.stream.0`.

        Needs a machine made with ports=True. Closing it, or shutting down its writing, makes the
        guest read an end after all that was sent; a guest that closes the port makes the socket
        read an end. PortBusy while somebody has the port open.
        """
        return self.core.open_port(name)

    def stream_names(self) -> Sequence[str]:
        """The ports that nothing in the guest listens on of its own accord."""
        return self.core.stream_names()

    @property
    def vsock(self) -> Vsock:
        """The guest's sockets, to connect to and to listen for.

        Needs a machine made with vsock=True; HospesError otherwise.
        """
        return self.core.vsock

    @property
    def firewall(self) -> "FirewallStatus | None":
        """The rules for what passes the network card, and what they have done; None without."""
        return self.core.at_cable(lambda cable: cable.firewall)

    def set_firewall(self, *rules: str, reset: bool = False) -> None:
        """Add rules such as `deny:in`, `allow:in:tcp:80,out:*.lan` or `rate:out:10M`.

        With `reset` they take the place of all there were, and without any there is no firewall
        then. Connections that exist are decided about anew. HospesError without a network.
        """

        # Here, for most machines have no firewall.
        from hospes.spec.firewall_rules import firewall_of, parse_firewall

        def change(cable: Cable) -> None:
            before = None if reset or cable.firewall is None else cable.firewall.texts
            cable.guard(parse_firewall(rules, firewall_of(before)))

        self.core.at_cable(change)

    def set_link(self, up: bool) -> None:
        """Put the network card's cable in, or pull it out; HospesError without a network."""
        self.core.at_cable(lambda cable: cable.set_link(up))

    def balloon(self, target_bytes: int) -> None:
        """Ask the guest to make do with target_bytes of its memory.

        Needs a machine made with balloon=True. What the guest gives up goes back to the host, as
        fast as the guest finds it: `memory_statistics().balloon_bytes` tells how much has. With all
        of its memory as the target it gets everything back.
        """
        self.core.balloon(target_bytes)

    def memory_statistics(self) -> MemoryStatistics:
        """What the guest says about its memory now; HospesError if it does not answer."""
        return self.core.memory_statistics()

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
        if self._clock is not None:
            self._clock.close()
        self.core.close()

"""A machine: its life from creation to the end, on one thread that runs the guest."""

import atexit
import socket
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Final, Self, TypeVar

from hospes.base.clock import Clock, HostClock
from hospes.base.errors import GuestError, HospesError
from hospes.base.loop import Loop
from hospes.base.progress import Progress, silent
from hospes.devices.backends import EntropySource
from hospes.devices.power import PowerKind
from hospes.firmware.image import BootFiles
from hospes.machine import networks
from hospes.machine.balloon import ANSWER_SECONDS, Inquiry, MemoryStatistics, leave
from hospes.machine.boot import FindBoot, boot_files
from hospes.machine.cable import Cable, Environs, OpenNetwork, Publishing, plugged
from hospes.machine.console import Console
from hospes.machine.disks import Disks
from hospes.machine.life import Ending, EndKind, MachineState
from hospes.machine.mailbox import Mailbox
from hospes.machine.outside import HostEntropy, join_outside
from hospes.machine.ports import Ports
from hospes.machine.registers import Registers, registers_of
from hospes.machine.sockets import Vsock, sockets_of
from hospes.machine.statistics import Statistics
from hospes.machine.system import System
from hospes.spec.ports import STREAM_PORTS
from hospes.spec.vm import EngineKind, VmSpec

Result = TypeVar("Result")

READER_SECONDS: Final = 10.0
"""How long a reader of a console may take nothing before its output is given up at power-off."""
STALL_SECONDS: Final = 0.05
"""How often a guest held back by its console's reader is looked at."""


class Machine:
    """A machine made from a VmSpec: powered on when made, run by `run` or `start`.

    Guest code and devices run on one thread; every method may be called from any. `console` and
    `agent` are its two serial consoles. `close`, or leaving the context, gives everything back.
    `files` are booted in place of the spec's; `find_boot` looks for them on the disks of a machine
    that boots from those, at every power-on; `open_network` makes the network of one that has a
    card, once. `on_remark` is told, by any thread, what the user should know of the disks, when it
    happens; `on_clock`, by the machine's thread, when an agent in the guest could set its clock and
    the clock may be wrong: at its start, and after a pause.
    """

    def __init__(
        self,
        spec: VmSpec,
        files: BootFiles | None = None,
        *,
        clock: Clock | None = None,
        entropy: EntropySource | None = None,
        progress: Progress = silent,
        restart: bool = True,
        find_boot: FindBoot | None = None,
        open_network: OpenNetwork = networks.open_network,
        on_remark: Callable[[str], None] | None = None,
        on_clock: Callable[[], None] | None = None,
    ) -> None:
        self.spec = spec
        self.ending: Ending | None = None
        self.restarts = 0
        self._files, self._find_boot = files, find_boot
        self._restart = restart
        self._kind = EngineKind(spec.engine)
        self._mailbox = Mailbox(self._interrupt)
        self.console = Console("console", self._mailbox.ring)
        self.agent = Console("agent", self._mailbox.ring)
        self._ports = Ports(lambda: self.loop, self._mailbox.ring, on_clock)
        self._system: System | None = None
        self._disks = Disks(spec.disks, self._mailbox.ring, spec.allow, on_remark)
        self._outliving = ExitStack()
        self._outliving.callback(self._disks.close)
        environs = Environs(self._mailbox.ring, self._disks.report, clock or HostClock())
        consoles = self.console, self.agent
        try:
            self._outside = join_outside(
                spec, self._disks, open_network, environs, entropy or HostEntropy(), consoles,
                progress, self._outliving,
            )  # fmt: skip
            self._system = self._power_on()
        except BaseException:
            self._outliving.close()
            raise
        self._loop: Loop | None = None
        self._thread: threading.Thread | None = None
        self._runner: int | None = None
        self._error: BaseException | None = None
        self._paused = False
        self._stop: Ending | None = None
        self._ended = threading.Event()
        self._last: tuple[Statistics, list[Registers]] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *ended: object) -> None:
        self.close()

    @property
    def state(self) -> MachineState:
        """Where in its life the machine is."""
        if self.ending is not None:
            return MachineState.STOPPED
        if self._runner is None:
            return MachineState.CREATED
        return MachineState.PAUSED if self._paused else MachineState.RUNNING

    @property
    def network(self) -> Publishing:
        """The network in which ports can be published; HospesError if there is none such."""
        return plugged(self._outside.cable).publishing

    def at_cable(self, act: Callable[[Cable], Result]) -> Result:
        """Do something to the network card's cable; HospesError if there is none."""
        return self._call(lambda: act(plugged(self._outside.cable)))

    @property
    def vsock(self) -> Vsock:
        """The guest's sockets; HospesError if it has none."""
        return sockets_of(self._outside.vsock)

    @property
    def remarks(self) -> tuple[str, ...]:
        """What the user should know: sentences, each once, complete at the end."""
        return tuple(self._disks.remarks)

    @property
    def loop(self) -> Loop:
        """The thread for the machine's host files, started when first asked for."""
        if self._loop is None:
            self._loop = Loop("hospes input/output")
        return self._loop

    def run(self) -> Ending:
        """Run in this thread until the machine stops; an error inside the machine is raised."""
        if self._runner is not None or self._system is None:
            raise HospesError(f"the machine is {self.state} and cannot be started again")
        self._runner = threading.get_ident()
        self._system.begun = time.perf_counter()
        try:
            while self._stop is None:
                self._go_round()
        except BaseException as error:
            self._stop = Ending(EndKind.ERROR, 1, str(error))
            self._error = error
            raise
        finally:
            self._finish()
        return self._stop

    def start(self) -> None:
        """Run in a thread of its own."""
        if self._thread is not None or self.state is not MachineState.CREATED:
            raise HospesError(f"the machine is {self.state} and cannot be started again")
        atexit.register(self.close)
        self._thread = threading.Thread(target=self._run_aside, name="hospes vcpu", daemon=True)
        self._thread.start()

    def wait(self, seconds: float | None = None) -> Ending:
        """Wait for the machine to stop; raises the error that stopped it, if one did."""
        if not self._ended.wait(seconds):
            raise HospesError(f"the machine still runs after {seconds} s; stop it or wait longer")
        if self._error is not None:
            raise self._error
        assert self.ending is not None
        return self.ending

    def stop(self, message: str = "") -> None:
        """End the run soon, without asking the guest; may be called by a signal handler."""
        self._stop = self._stop or Ending(EndKind.USER, 0, message)
        self._mailbox.ring()

    def pause(self) -> None:
        """Return once no guest instruction is executed any more, and time stands still."""
        self._call(lambda: self._set_paused(True))

    def resume(self) -> None:
        """Go on after a pause."""
        self._call(lambda: self._set_paused(False))

    def read(self, gpa: int, count: int) -> bytes:
        """Bytes of guest physical memory."""
        return self._call(lambda: self._powered.memory.read(gpa, count))

    def write(self, gpa: int, data: bytes) -> None:
        """Change guest physical memory."""
        self._call(lambda: self._powered.memory.write(gpa, data))

    def dirty_pages(self) -> list[int]:
        """Guest physical addresses of the pages written since this was last asked, in order."""
        return self._call(self._powered.memory.dirty.take)

    def open_port(self, name: str) -> socket.socket:
        """A stream socket joined to a port of the guest, whose host side it opens.

        Shutting down its writing, or closing it, makes the guest read an end after all that was
        sent; a guest that closes the port makes the socket read an end. PortBusy while somebody
        has the port open.
        """
        return self._call(lambda: self._ports.open(self._powered.board.ports, name))

    def stream_names(self) -> Sequence[str]:
        """The ports that nothing in the guest listens on of its own accord."""
        return STREAM_PORTS if self.spec.ports else ()

    def balloon(self, target_bytes: int) -> None:
        """Ask the guest to make do with target_bytes of its memory; what it gives up goes back to
        the host, as fast as the guest finds it. All of its memory again: it gets everything back.
        """
        memory_bytes = self.spec.memory_bytes
        self._call(lambda: leave(self._powered.board.balloon, memory_bytes, target_bytes))

    def memory_statistics(self, seconds: float = ANSWER_SECONDS) -> MemoryStatistics:
        """What the guest says about its memory now; HospesError if it says nothing in time."""
        inquiry = Inquiry()
        self._call(lambda: inquiry.begin(self._powered.board.balloon))
        return inquiry.result(seconds)

    def registers(self, hart: int = 0) -> Registers:
        """A hart's registers, between two instructions."""
        if not 0 <= hart < self.spec.cpus:
            raise HospesError(f"there is no hart {hart}; the machine has {self.spec.cpus}")
        if self._last is not None:
            return self._last[1][hart]
        return self._call(lambda: registers_of(self._powered.harts[hart]))

    def statistics(self) -> Statistics:
        """Counts and times since power-on; after the end, the last ones."""
        if self._last is not None:
            return self._last[0]
        return self._call(self._powered.statistics)

    @property
    def engine(self) -> EngineKind:
        """The engine that runs the guest; setting it changes engines between two instructions."""
        return self._kind

    @engine.setter
    def engine(self, kind: EngineKind | str) -> None:
        if kind not in EngineKind.__members__.values():
            names = " or ".join(one.value for one in EngineKind)
            raise HospesError(f"there is no engine {kind!r}; choose {names}")
        self._call(lambda: self._choose(EngineKind(kind)))

    def close(self) -> None:
        """Stop if need be and give everything back: threads, memory, files."""
        atexit.unregister(self.close)
        if self.ending is None:
            self.stop("closed")
            if self._thread is not None:
                self._thread.join()
            elif self._runner is None:
                self._finish()
        self._ports.close()
        if self._loop is not None:
            self._loop.close()
            self._loop = None

    @property
    def _powered(self) -> System:
        if self._system is None:
            raise HospesError("the machine has stopped; start a new one")
        return self._system

    def _power_on(self) -> System:
        spec, files = self.spec, self._files
        if files is None:
            disks = self._disks
            spec, files = boot_files(spec, self._find_boot, disks.settled(), disks.report)
        system = System(spec, files, self._outside, self._kind)
        system.debug = lambda hart: self._set_paused(True)
        self._ports.watch(system.board.ports)
        return system

    def _call(self, function: Callable[[], Result]) -> Result:
        """Call in the machine's thread; directly when there is none, or this is it."""
        alone = self._runner is None and self._thread is None
        if alone or self._runner == threading.get_ident():
            return self._guarded(function)
        return self._mailbox.post(lambda: self._guarded(function)).result()

    @staticmethod
    def _guarded(function: Callable[[], Result]) -> Result:
        try:
            return function()
        except GuestError as error:
            raise HospesError(f"{error}; choose another address") from None

    def _interrupt(self) -> None:
        """Have guest code return; harts that do not run return at their next turn."""
        system = self._system
        if system is not None:
            for vcpu in system.vcpus:
                vcpu.engine.kick(vcpu.hart)

    def _set_paused(self, paused: bool) -> None:
        self._paused = paused
        if paused:
            self._powered.hold()
        else:
            self._powered.release()
            self._ports.time_stood_still(self._powered.board.ports)

    def _choose(self, kind: EngineKind) -> None:
        self._powered.choose(kind)
        self._kind = kind

    def _run_aside(self) -> None:
        try:
            self.run()
        except Exception as error:
            self._error = error

    def _go_round(self) -> None:
        """One turn of the machine: calls, input, guest code, or sleep."""
        self._mailbox.carry_out()
        system = self._powered
        for console, stream in system.streams(self.console, self.agent):
            if console.input_waiting:
                console.deliver(stream)
        if self._paused:
            self._mailbox.sleep(None)
        elif system.stalled():
            self._sleep(STALL_SECONDS)
            system.board.bus.tick()
        elif not system.turn() and system.power is None:
            self._sleep(system.due_in_ns() / 1e9)
        if system.power is not None:
            self._switch(system)

    def _sleep(self, seconds: float) -> None:
        begun = time.perf_counter_ns()
        if seconds > 0:
            self._mailbox.sleep(seconds)
        self._powered.idle_ns += time.perf_counter_ns() - begun

    def _switch(self, system: System) -> None:
        """The guest asked for the power switch: off, or off and on again."""
        assert system.power is not None
        self._await_readers(system)
        if system.power.kind is PowerKind.OFF or not self._restart:
            self._stop = Ending(EndKind.GUEST, system.power.code)
            return
        system.close()
        self._system = None
        if self._outside.cable is not None:
            self._outside.cable.reset()
        self.console.opening = self.agent.opening = b""
        self._system = self._power_on()
        self.restarts += 1

    def _await_readers(self, system: System) -> None:
        """Before the power goes, let the consoles' readers take what was written, as long as they
        take anything."""
        sent, deadline = -1, 0.0
        while not system.flush() and self._stop is None:
            now, before = time.monotonic(), sent
            sent = self.console.bytes_out + self.agent.bytes_out
            if sent != before:
                deadline = now + READER_SECONDS
            elif now >= deadline:
                return
            self._mailbox.sleep(STALL_SECONDS / 10)
            self._mailbox.carry_out()

    def _finish(self) -> None:
        """The end: keep the last numbers, give back the rest."""
        system, self._system = self._system, None
        try:
            if system is not None:
                self._last = (system.statistics(), [registers_of(hart) for hart in system.harts])
                system.close()
        finally:
            self._outliving.close()
        self._mailbox.close("the machine has stopped; start a new one")
        self.ending = self._stop or Ending(EndKind.USER)
        self._ended.set()

"""The powered-on machine: all that a power cycle throws away and makes anew."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from hospes.devices.irq.line import HartLines, MessagePort
from hospes.devices.power import PowerEvent
from hospes.devices.stream import CharacterStream
from hospes.engine.engine import Exit
from hospes.engine.timebase import ClockTimebase
from hospes.firmware.image import BootFiles
from hospes.firmware.sbi.call import A0, HartState
from hospes.firmware.sbi.entry import enter_supervisor
from hospes.firmware.sbi.sbi import Sbi
from hospes.isa.riscv.encoding import ENVCFG_STCE, STI
from hospes.isa.riscv.hart import Hart
from hospes.isa.riscv.interrupt_file import receive_message
from hospes.isa.riscv.priv import reset
from hospes.isa.riscv.trap import poll_interrupts
from hospes.machine.boards import virt
from hospes.machine.boards.surroundings import Surroundings
from hospes.machine.console import Console
from hospes.machine.engines import Engines
from hospes.machine.mmio import Mmio
from hospes.machine.outside import Outside
from hospes.machine.platform import SbiPlatform
from hospes.machine.statistics import Statistics
from hospes.machine.vcpu import PARTS, Vcpu
from hospes.memory.space import Memory
from hospes.spec.vm import EngineKind, InterruptKind, VmSpec

TICK_NS: Final = 100
FAR_NS: Final = 3600 * 10**9
HTIF_SLICE: Final = 20_000
"""Instructions between two looks at `tohost`."""


class System:
    """Memory, board, harts and firmware of one machine, from power-on to power-off.

    `power` is what the guest has asked for, if anything. Only the machine's thread comes in here.
    """

    def __init__(self, spec: VmSpec, files: BootFiles, outside: Outside, kind: EngineKind) -> None:
        self.power: PowerEvent | None = None
        self.debug: Callable[[Hart], None] = lambda hart: None
        self.begun = time.perf_counter()
        self.idle_ns = 0
        self._clock = outside.clock
        self._held_ns: int | None = None
        self.timebase = ClockTimebase(outside.clock)
        self.memory = Memory(spec.memory_bytes)
        try:
            self._assemble(spec, files, outside, kind)
        except BaseException:
            self.memory.close()
            raise

    def _assemble(
        self, spec: VmSpec, files: BootFiles, outside: Outside, kind: EngineKind
    ) -> None:
        surroundings = Surroundings(
            memory=self.memory,
            lines=[self._line(number) for number in range(spec.cpus)],
            timebase=lambda: self.timebase.ticks(self.harts[0]),
            clock=outside.clock,
            console=outside.console,
            agent=outside.agent,
            entropy=outside.entropy,
            on_power=self.switch,
            ports=[self._port(number) for number in range(spec.cpus)],
            disks=outside.disks,
            cable=outside.cable,
            vsock=outside.vsock,
            folders=outside.folders,
        )
        board = virt.build(spec, files, surroundings)
        board.load(self.memory)
        # What is in guest memory now need not be kept twice.
        self.board = replace(board, placement=replace(board.placement, segments=()))
        self.engines = Engines(self.memory, self.board, self.timebase, outside.progress)
        self.kind = kind
        self.harts: list[Hart] = [self.engines.hart(number) for number in range(spec.cpus)]
        self.mmio = Mmio(self.board.bus)
        engine = self.engines.engine(kind)
        self.vcpus = [Vcpu(hart, engine, self) for hart in self.harts]
        for hart in self.harts:
            hart.aia = int(spec.interrupt_kind is InterruptKind.AIA)
        self.sbi = None if files.firmware else self._firmware()
        self._start_harts()

    def _line(self, number: int) -> HartLines:
        """What devices drive: hart `number`'s interrupt lines."""

        def drive(bit: int, level: bool) -> None:
            hart = self.harts[number]
            if level:
                hart.lines |= bit
                poll_interrupts(hart)
            else:
                hart.lines &= ~bit

        return drive

    def _port(self, number: int) -> MessagePort:
        """What takes messages: hart `number`'s interrupt file.

        The sender's slice ends: it is likely to wait for the other hart, whose turn comes.
        """

        def receive(identity: int) -> None:
            receive_message(self.harts[number], identity)
            if len(self.vcpus) > 1:
                for vcpu in self.vcpus:
                    vcpu.attention = True

        return receive

    def _firmware(self) -> Sbi:
        return Sbi(SbiPlatform(self.vcpus, self.memory, self.board.console, self.switch))

    def _start_harts(self) -> None:
        """Every hart in M-mode firmware; with our own only hart 0, in the kernel."""
        place = self.board.placement
        for number, hart in enumerate(self.harts):
            hart.hartid = number
            if self.sbi is not None:
                enter_supervisor(hart, place.entry, place.fdt_gpa)
                if number:
                    self.vcpus[number].state = HartState.STOPPED
                continue
            reset(hart)
            hart.host_sbi = 0
            hart.x[A0], hart.x[A0 + 1] = number, place.fdt_gpa
            hart.x[A0 + 2] = place.dynamic_info_gpa
            hart.pc = hart.next_pc = place.entry

    def switch(self, event: PowerEvent) -> None:
        """The guest switches itself off, or resets itself."""
        self.power = self.power or event
        for vcpu in self.vcpus:
            vcpu.attention = True
            vcpu.hart.kick = 1

    def complete_access(self, hart: Hart) -> bool:
        """For Vcpu: a load or store at a device exit."""
        return self.mmio.complete(hart)

    def step(self, hart: Hart) -> Exit | None:
        """For Vcpu: the instruction at pc, by the reference engine."""
        return self.engines.reference.step(hart)

    def hypercall(self, hart: Hart) -> None:
        """For Vcpu: an ecall to our own firmware."""
        assert self.sbi is not None
        self.sbi.call(hart)

    def breakpoint(self, hart: Hart) -> None:
        """For Vcpu: a debugger's breakpoint."""
        self.debug(hart)

    def turn(self) -> bool:
        """Let every hart that can run have a slice; False if none could."""
        self.board.bus.tick()
        ready = [vcpu for vcpu in self.vcpus if vcpu.runnable()]
        budget = self.engines.slice(self.kind, len(self.vcpus), len(ready))
        if self.board.htif is not None:
            budget = min(budget, HTIF_SLICE)
        for vcpu in ready:
            if self.power is None:
                vcpu.run_slice(budget)
        return bool(ready)

    def due_in_ns(self) -> int:
        """How long all harts may sleep: until a timer or a device has something to do."""
        delays = [FAR_NS]
        device = self.board.bus.due_in_ns()
        if device is not None:
            delays.append(device)
        for vcpu in self.vcpus:
            hart = vcpu.hart
            if vcpu.state != HartState.STOPPED and hart.mie & STI and hart.menvcfg & ENVCFG_STCE:
                ticks = hart.stimecmp - self.timebase.ticks(hart)
                delays.append(max(0, ticks) * TICK_NS)
        return min(delays)

    def stalled(self) -> bool:
        """Whether the guest's output has nowhere to go."""
        return self.board.console.full or self.board.agent.full

    def streams(self, console: Console, agent: Console) -> list[tuple[Console, CharacterStream]]:
        """Which stream each console feeds."""
        return [(console, self.board.console), (agent, self.board.agent)]

    def hold(self) -> None:
        """Before a pause: finish output and what disks are doing, stop the time."""
        self.board.bus.tick()
        self.board.bus.drain()
        if self._held_ns is None:
            self._held_ns = self._clock.monotonic_ns()

    def release(self) -> None:
        """After a pause: time goes on from where it stood."""
        if self._held_ns is not None:
            self.timebase.start_ns += self._clock.monotonic_ns() - self._held_ns
            self._held_ns = None
            self.engines.follow_timebase()

    def choose(self, kind: EngineKind) -> None:
        """Go on with another engine; both see the same harts."""
        if kind == self.kind:
            return
        self.kind = kind
        engine = self.engines.engine(kind)
        for vcpu in self.vcpus:
            vcpu.engine = engine
            vcpu.hart.resync = 1

    def statistics(self) -> Statistics:
        """The numbers since power-on."""
        elapsed = time.perf_counter() - self.begun
        parts = {"guest": sum(vcpu.guest_ns for vcpu in self.vcpus) / 1e9}
        for reason, part in PARTS.items():
            parts[part] = sum(vcpu.handling_ns[reason] for vcpu in self.vcpus) / 1e9
        parts["idle"] = self.idle_ns / 1e9
        parts["other"] = max(0.0, elapsed - sum(parts.values()))
        exits = {r.name.lower(): sum(v.exits[r] for v in self.vcpus) for r in Exit}
        return Statistics(
            engine_name=self.kind.value,
            instructions=sum(hart.instret for hart in self.harts),
            elapsed=elapsed,
            time=parts,
            exits={name: count for name, count in exits.items() if count},
            devices=self.board.bus.exits(),
            hypercalls=dict(self.sbi.calls) if self.sbi else {},
            engine=self.engines.statistics(),
        )

    def close(self) -> None:
        """Power off: everything is given back."""
        self.flush()
        self.board.bus.drain()
        for function in self.board.functions.values():
            function.close()
        self._let_go()
        self.memory.close()

    def flush(self) -> bool:
        """Pass output on to the consoles; True if they took all of it."""
        self.board.bus.tick()
        taken = (self.board.console.flush(), self.board.agent.flush())
        return all(taken)

    def _let_go(self) -> None:
        """Undo the circles of references, so that engines' memory goes now and not some time."""
        for vcpu in self.vcpus:
            vcpu.handlers = ()
        for hart in self.harts:
            del hart.port
        self.vcpus.clear()
        self.harts.clear()
        self.engines.close()

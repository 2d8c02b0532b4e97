"""The reference engine: runs the instructions' functions themselves, one at a time."""

from typing import Final

from hospes.engine.engine import Exit
from hospes.engine.port import DeviceAccess, DeviceBus, Ram, ReferencePort
from hospes.engine.timebase import InstructionTimebase, Timebase
from hospes.isa.instruction_set import InstructionSet
from hospes.isa.riscv.encoding import EXIT_DEVICE, EXIT_NONE, ILLEGAL_INSTRUCTION
from hospes.isa.riscv.hart import Hart
from hospes.isa.riscv.profile import RV64
from hospes.isa.riscv.trap import pending_interrupt, take_trap
from hospes.isa.subset import Illegal, Trap

POLL_INTERVAL: Final = 64
"""Instructions between looks at the timer and the interrupt lines, unless asked for earlier."""


class ReferenceEngine:
    """Executes harts by calling the semantics, for judging other engines and finishing their work.

    With a bus, device accesses are made at once; without one they end a run with Exit.DEVICE.
    Without a timebase, time follows the retired instructions. `instructions` decodes.
    """

    def __init__(
        self,
        ram: Ram,
        bus: DeviceBus | None = None,
        timebase: Timebase | None = None,
        instructions: InstructionSet = RV64,
    ) -> None:
        self.ram = ram
        self.bus = bus
        self.timebase: Timebase = timebase or InstructionTimebase()
        self.instructions = instructions
        self._ports: dict[int, ReferencePort] = {}

    def run(self, hart: Hart, budget: int) -> Exit:
        """Run up to `budget` instructions, trapping ones included."""
        port = self._attach(hart)
        poll_in = 0
        for _ in range(budget):
            if poll_in == 0 or hart.poll:
                poll_in = POLL_INTERVAL
                if hart.kick:
                    hart.kick = 0
                    return Exit.KICK
                self._interrupt(hart)
                if hart.exit_reason:
                    return Exit(hart.exit_reason)
            poll_in -= 1
            self._execute(hart, port, 0)
            if hart.exit_reason:
                return Exit(hart.exit_reason)
        return Exit.BUDGET

    def run_to(self, hart: Hart, instret: int, traps: int) -> Exit:
        """Run until so many instructions have retired, or after that many traps on the way.

        Interrupts are looked for at the start, and where an instruction may have made one
        deliverable: as another engine does, whose run is being repeated.
        """
        port = self._attach(hart)
        hart.poll = 1
        while hart.instret < instret and traps >= 0:
            if hart.poll:
                self._interrupt(hart)
                if hart.exit_reason:
                    return Exit(hart.exit_reason)
            before = hart.instret
            self._execute(hart, port, 0)
            if hart.exit_reason:
                return Exit(hart.exit_reason)
            traps -= hart.instret == before
        return Exit.BUDGET

    def step(self, hart: Hart) -> Exit | None:
        """Execute the one instruction at pc, without looking for interrupts first.

        After another engine's Exit.DEVICE its translation, and exit_instruction, are made use of.
        None if nothing needs attention.
        """
        known = hart.exit_instruction if hart.exit_reason == EXIT_DEVICE else 0
        port = self._attach(hart)
        self._execute(hart, port, known)
        return Exit(hart.exit_reason) if hart.exit_reason else None

    def kick(self, hart: Hart) -> None:
        """Make a run of this hart in another thread return soon, with Exit.KICK."""
        hart.kick = 1

    def statistics(self) -> dict[str, int]:
        """Nothing beyond what the harts count."""
        return {}

    def _attach(self, hart: Hart) -> ReferencePort:
        """The hart's port, ready for a start."""
        port = self._ports.get(id(hart))
        if port is None or port.hart is not hart:
            port = self._ports[id(hart)] = ReferencePort(hart, self.ram, self.bus, self.timebase)
        hart.port = port
        port.begin()
        hart.exit_reason = EXIT_NONE
        hart.exit_instruction = 0
        return port

    def _interrupt(self, hart: Hart) -> None:
        """Deliver an interrupt, if one is due, before the instruction at pc."""
        cause = pending_interrupt(hart)
        if cause:
            take_trap(hart, cause, 0)
            hart.pc = hart.next_pc

    def _execute(self, hart: Hart, port: ReferencePort, known: int) -> None:
        """Fetch (unless the instruction's bits are known) and execute, traps included."""
        word = known
        try:
            word = known or port.fetch(hart.pc)
            decoded = self.instructions.decode(word)
            if decoded is None:
                raise Illegal
            hart.next_pc = hart.pc + decoded.insn.length
            decoded.insn.function(hart, *decoded.operands)
            hart.instret += 1
        except Trap as trap:
            take_trap(hart, trap.cause, trap.tval)
        except Illegal:
            take_trap(hart, ILLEGAL_INSTRUCTION, word)
        except DeviceAccess:
            hart.exit_instruction = word
            hart.exit_reason = EXIT_DEVICE
            return
        port.end_hint()
        hart.pc = hart.next_pc

"""A virtual CPU: one hart on an engine, and what is done about each reason to leave guest code."""

from collections.abc import Callable
from time import perf_counter_ns
from typing import Final, Protocol

from hospes.base.errors import HospesError
from hospes.engine.engine import Engine, Exit
from hospes.firmware.sbi.call import HartState
from hospes.isa.riscv.hart import Hart
from hospes.isa.riscv.trap import update_timer

SLICE_ACCESSES: Final = 512
"""Device accesses after which a slice ends, as they take time but few instructions."""

PARTS: Final = {Exit.DEVICE: "devices", Exit.HYPERCALL: "hypercalls"}


class Surroundings(Protocol):
    """What a VCPU needs from its machine."""

    def complete_access(self, hart: Hart) -> bool:
        """Answer a plain load or store to a device; False if the instruction has to be executed."""
        ...

    def step(self, hart: Hart) -> Exit | None:
        """Execute one instruction, devices included; an Exit if it asks for one."""
        ...

    def hypercall(self, hart: Hart) -> None:
        """Answer a call to our own firmware."""
        ...

    def breakpoint(self, hart: Hart) -> None:
        """A debugger's breakpoint was reached."""
        ...


class Vcpu:
    """Runs one hart in slices; every Exit has its method in `handlers`.

    A handler returns whether the hart goes on within its slice. `state` is the hart's HSM state;
    `waiting` that it stands after a wfi; `attention` ends a slice at the next exit.
    """

    def __init__(self, hart: Hart, engine: Engine, surroundings: Surroundings) -> None:
        self.hart = hart
        self.engine = engine
        self.surroundings = surroundings
        self.state = HartState.STARTED
        self.waiting = False
        self.attention = False
        self.exits = [0] * len(Exit)
        self.handling_ns = [0] * len(Exit)
        self.guest_ns = 0
        self.accesses_left = 0
        self.handlers = self.table()

    def table(self) -> tuple[Callable[[], bool], ...]:
        """The method for each Exit, by number."""
        methods = {
            Exit.BUDGET: self.pause,
            Exit.KICK: self.kicked,
            Exit.DEVICE: self.access_device,
            Exit.HYPERCALL: self.call_firmware,
            Exit.WFI: self.wait,
            Exit.BREAKPOINT: self.stop_at_breakpoint,
            Exit.REFERENCE: self.step,
            Exit.FRAME: self.provide_frame,
            Exit.SHUTDOWN: self.pause,
        }
        return tuple(methods[reason] for reason in Exit)

    def run_slice(self, budget: int) -> None:
        """Run about `budget` instructions, or until the hart waits or the machine is asked for."""
        hart, run, handlers, exits = self.hart, self.engine.run, self.handlers, self.exits
        spent = self.handling_ns
        end = hart.instret + budget
        self.accesses_left = SLICE_ACCESSES
        self.attention = False
        begun = perf_counter_ns()
        while True:
            reason = run(hart, end - hart.instret)
            left = perf_counter_ns()
            self.guest_ns += left - begun
            exits[reason] += 1
            go_on = handlers[reason]()
            begun = perf_counter_ns()
            spent[reason] += begun - left
            if not go_on or self.attention or hart.instret >= end:
                return

    def runnable(self) -> bool:
        """Whether there is something to execute; wakes from wfi and from suspension."""
        if not self.waiting and self.state == HartState.STARTED:
            return True
        if self.state == HartState.STOPPED:
            return False
        hart = self.hart
        update_timer(hart)
        if not (hart.mip | hart.lines | hart.timer_due) & hart.mie:
            return False
        hart.poll = 1
        self.waiting = False
        self.state = HartState.STARTED
        return True

    def pause(self) -> bool:
        """The slice is over."""
        return False

    def kicked(self) -> bool:
        """Another thread wants the machine's attention."""
        self.hart.kick = 0
        return False

    def wait(self) -> bool:
        """A wfi: nothing to do until an interrupt is pending."""
        self.waiting = True
        return False

    def access_device(self) -> bool:
        """A load or store that is not to RAM."""
        self.accesses_left -= 1
        if not self.surroundings.complete_access(self.hart):
            return self.step()
        return self.accesses_left > 0

    def call_firmware(self) -> bool:
        """An ecall to our own SBI, which may have stopped or suspended the hart."""
        self.surroundings.hypercall(self.hart)
        return self.state == HartState.STARTED

    def step(self) -> bool:
        """The reference engine executes the instruction, and may leave with a reason itself."""
        reason = self.surroundings.step(self.hart)
        if reason is None or reason == Exit.BUDGET:
            return self.accesses_left > 0
        if reason in (Exit.DEVICE, Exit.REFERENCE):
            raise HospesError(
                f"the instruction at pc {self.hart.pc:#x} cannot be completed "
                f"({reason.name.lower()} at {self.hart.exit_gpa:#x}); report this with the image"
            )
        return self.handlers[reason]()

    def stop_at_breakpoint(self) -> bool:
        """A debugger's breakpoint."""
        self.surroundings.breakpoint(self.hart)
        return False

    def provide_frame(self) -> bool:
        """All frames are present from the start, so none can be missing."""
        raise HospesError(
            f"the memory at guest physical address {self.hart.exit_gpa:#x} has no frame; "
            "report this with the image"
        )

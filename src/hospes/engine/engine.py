"""What every engine offers: run a hart for a while and say why it stopped."""

from enum import IntEnum
from typing import Protocol

from hospes.isa.riscv import encoding
from hospes.isa.riscv.hart import Hart


class Exit(IntEnum):
    """Why `Engine.run` returned; also the value of Hart.exit_reason."""

    BUDGET = encoding.EXIT_BUDGET
    """The instructions asked for have run."""
    KICK = encoding.EXIT_KICK
    """Another thread asked for the hart's attention."""
    DEVICE = encoding.EXIT_DEVICE
    """An access at exit_gva, exit_gpa is not to RAM; nothing of the instruction at pc has run."""
    HYPERCALL = encoding.EXIT_HYPERCALL
    """A trap for our own SBI: exit_cause and exit_tval; pc is at the trapping instruction."""
    WFI = encoding.EXIT_WFI
    """The hart waits for an interrupt; pc is past the wfi."""
    BREAKPOINT = encoding.EXIT_BREAKPOINT
    """A debugger's breakpoint at pc."""
    REFERENCE = encoding.EXIT_REFERENCE
    """The instruction at pc is left to the reference engine."""
    FRAME = encoding.EXIT_FRAME
    """The memory at exit_gpa must be provided before the instruction at pc can run."""
    SHUTDOWN = encoding.EXIT_SHUTDOWN
    """The machine was switched off or reset by the guest."""


class Engine(Protocol):
    """Executes harts; knows nothing of devices."""

    def run(self, hart: Hart, budget: int) -> Exit:
        """Run about `budget` instructions, or until something needs attention."""
        ...

    def kick(self, hart: Hart) -> None:
        """Make a run of this hart in another thread return soon, with Exit.KICK."""
        ...

    def statistics(self) -> dict[str, int]:
        """What the engine counts, by name."""
        ...

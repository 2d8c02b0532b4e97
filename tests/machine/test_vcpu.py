"""Every reason to leave guest code, with an engine that plays them from a list."""

import pytest

from hospes.base.errors import HospesError
from hospes.engine.engine import Exit
from hospes.firmware.sbi.call import HartState
from hospes.isa.riscv.encoding import STI
from hospes.isa.riscv.hart import Hart
from hospes.machine.vcpu import SLICE_ACCESSES, Vcpu


class Script:
    """An engine and the surroundings, as one list of events."""

    def __init__(self, *exits: Exit) -> None:
        self.exits = list(exits)
        self.log: list[str] = []
        self.completes = True
        self.step_exit: Exit | None = None
        self.hart = Hart()
        self.vcpu = Vcpu(self.hart, self, self)

    def run(self, hart: Hart, budget: int) -> Exit:
        hart.instret += 1
        return self.exits.pop(0) if self.exits else Exit.BUDGET

    def kick(self, hart: Hart) -> None:
        hart.kick = 1

    def statistics(self) -> dict[str, int]:
        return {}

    def step(self, hart: Hart) -> Exit | None:
        self.log.append("step")
        return self.step_exit

    def complete_access(self, hart: Hart) -> bool:
        self.log.append("access")
        return self.completes

    def hypercall(self, hart: Hart) -> None:
        self.log.append("call")

    def breakpoint(self, hart: Hart) -> None:
        self.log.append("breakpoint")


def test_every_exit_has_a_handler() -> None:
    assert len(Script().vcpu.handlers) == len(Exit)


def test_a_slice_goes_on_after_what_it_can_settle_itself() -> None:
    script = Script(Exit.DEVICE, Exit.HYPERCALL, Exit.REFERENCE, Exit.BUDGET, Exit.DEVICE)
    script.vcpu.run_slice(1000)
    assert script.log == ["access", "call", "step"]
    assert script.exits == [Exit.DEVICE]
    assert script.vcpu.exits[Exit.DEVICE] == script.vcpu.exits[Exit.BUDGET] == 1
    assert script.vcpu.guest_ns > 0


def test_an_access_that_needs_the_instruction_is_stepped() -> None:
    script = Script(Exit.DEVICE)
    script.completes = False
    script.vcpu.run_slice(1000)
    assert script.log == ["access", "step"]


def test_a_step_may_itself_ask_for_something() -> None:
    script = Script(Exit.REFERENCE, Exit.BUDGET)
    script.step_exit = Exit.WFI
    script.vcpu.run_slice(1000)
    assert script.vcpu.waiting


def test_a_step_that_cannot_be_made_is_an_error() -> None:
    script = Script(Exit.REFERENCE)
    script.step_exit = Exit.DEVICE
    with pytest.raises(HospesError, match="cannot be completed"):
        script.vcpu.run_slice(1000)
    with pytest.raises(HospesError, match="has no frame"):
        Script(Exit.FRAME).vcpu.run_slice(1000)


@pytest.mark.parametrize("reason", [Exit.KICK, Exit.WFI, Exit.BREAKPOINT, Exit.SHUTDOWN])
def test_a_slice_ends(reason: Exit) -> None:
    script = Script(reason, Exit.DEVICE)
    script.hart.kick = 1
    script.vcpu.run_slice(1000)
    assert script.exits == [Exit.DEVICE]
    assert script.vcpu.waiting == (reason is Exit.WFI)
    assert script.hart.kick == (reason is not Exit.KICK)


def test_instructions_and_accesses_are_limited() -> None:
    script = Script(*[Exit.HYPERCALL] * 100)
    script.vcpu.run_slice(10)
    assert len(script.log) == 10
    script = Script(*[Exit.DEVICE] * 10000)
    script.vcpu.run_slice(1_000_000)
    assert len(script.log) == SLICE_ACCESSES


def test_attention_ends_the_slice() -> None:
    script = Script(Exit.DEVICE, Exit.DEVICE)
    script.complete_access = lambda hart: setattr(script.vcpu, "attention", True) or True  # type: ignore[method-assign,func-returns-value]
    script.vcpu.run_slice(1000)
    assert script.exits == [Exit.DEVICE]


def test_a_call_that_stops_the_hart_ends_the_slice() -> None:
    script = Script(Exit.HYPERCALL, Exit.DEVICE)
    script.vcpu.state = HartState.STOPPED
    script.vcpu.run_slice(1000)
    assert script.exits == [Exit.DEVICE]
    assert not script.vcpu.runnable()


@pytest.mark.parametrize("state", [HartState.STARTED, HartState.SUSPENDED])
def test_waiting_ends_with_an_enabled_interrupt(state: HartState) -> None:
    vcpu = Script().vcpu
    vcpu.waiting, vcpu.state = True, state
    assert not vcpu.runnable()
    vcpu.hart.lines = STI
    assert not vcpu.runnable()
    vcpu.hart.mie = STI
    assert vcpu.runnable()
    assert (vcpu.hart.poll, vcpu.waiting, vcpu.state) == (1, False, HartState.STARTED)

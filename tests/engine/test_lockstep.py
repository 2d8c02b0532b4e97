"""Lockstep: equal engines stay equal, and a difference is found where it begins."""

from hospes.engine.engine import Engine, Exit
from hospes.engine.lockstep import Lockstep, Side
from hospes.engine.port import ReferencePort
from hospes.engine.reference import ReferenceEngine
from hospes.engine.threaded.engine import ThreadedEngine
from hospes.isa.riscv.hart import Hart
from hospes.isa.riscv.priv import reset
from hospes.isa.riscv.profile import RV64
from hospes.memory.space import RAM_BASE, Memory

MEMORY = 1 << 20
LOOP_INSTRUCTIONS = 12
PROGRAM = """
    lla t0, handler
    csrw mtvec, t0
    li s0, 0x80010000
    li s1, 300
loop:
    addi a0, a0, 7
    mul a1, a0, a0
    sd a1, 0(s0)
    lw a2, 2(s0)
    xor a3, a3, a2
    .word 0
    addi s0, s0, 24
    addi s1, s1, -1
    bnez s1, loop
    wfi
    j loop
.balign 4
handler:
    csrr t1, mepc
    addi t1, t1, 4
    csrw mepc, t1
    mret
"""
SUPERVISOR = """
    lla t0, 1f
    csrw mepc, t0
    li t0, -1
    csrw pmpaddr0, t0
    li t0, 0x1f
    csrw pmpcfg0, t0
    mret
1:  addi a0, a0, 1
    ecall
"""


class Faulty(ReferenceEngine):
    """A reference engine that goes wrong once at an address, in one register or one byte of memory,
    as soon as so many instructions have retired."""

    def __init__(self, memory: Memory, address: int, after: int, *, in_memory: bool) -> None:
        super().__init__(memory)
        self.address, self.after, self.in_memory = address, after, in_memory

    def _execute(self, hart: Hart, port: ReferencePort, known: int) -> None:
        wrong = hart.pc == self.address and 0 <= hart.instret - self.after < LOOP_INSTRUCTIONS
        super()._execute(hart, port, known)
        if wrong and self.in_memory:
            self.ram.store(hart.x[8] + 3, 1, self.ram.load(hart.x[8] + 3, 1) ^ 0x10)
        elif wrong:
            hart.x[13] ^= 1 << 40


def side(name: str, engine: Engine | None, memory: Memory, source: str) -> Side:
    memory.write(RAM_BASE, RV64.assemble(source, RAM_BASE))
    hart = Hart()
    reset(hart)
    hart.pc = RAM_BASE
    reference = ReferenceEngine(memory)
    return Side(name, engine or reference, hart, memory, reference.step)


def pair(source: str, engine: Engine | None = None, memory: Memory | None = None) -> Lockstep:
    memory = memory or Memory(MEMORY)
    leader = side("threaded", engine or ThreadedEngine(memory), memory, source)
    return Lockstep(leader, side("reference", None, Memory(MEMORY), source))


def test_equal_engines_stay_equal_until_the_guest_waits() -> None:
    lockstep = pair(PROGRAM)
    assert lockstep.run(1_000_000) is None
    assert lockstep.exit is Exit.WFI
    assert lockstep.leader.hart.instret == lockstep.follower.hart.instret > 300 * 12


def test_any_step_will_do() -> None:
    for step in (1, 7, 100):
        lockstep = pair(PROGRAM)
        assert lockstep.run(1000, step) is None
        assert 1000 <= lockstep.leader.hart.instret <= 1016


def test_a_wrong_register_is_found_at_its_instruction() -> None:
    memory = Memory(MEMORY)
    address = RV64.program(PROGRAM, RAM_BASE).symbols["loop"] + 16
    lockstep = pair(PROGRAM, Faulty(memory, address, 2000, in_memory=False), memory)
    difference = lockstep.run(1_000_000)
    assert difference is not None
    assert (difference.pc, difference.instructions) == (address, 1)
    text = str(difference)
    assert "(xor a3, a3, a2)" in text
    assert "x[13]: threaded" in text
    assert len(difference.lines) == 1


def test_a_wrong_byte_in_memory_is_found() -> None:
    memory = Memory(MEMORY)
    address = RV64.program(PROGRAM, RAM_BASE).symbols["loop"] + 8
    lockstep = pair(PROGRAM, Faulty(memory, address, 3000, in_memory=True), memory)
    difference = lockstep.run(1_000_000)
    assert difference is not None
    assert (difference.pc, difference.instructions) == (address, 1)
    (line,) = difference.lines
    assert line.startswith(f"memory at {lockstep.leader.hart.x[8] + 3:#x}")


def test_a_hypercall_ends_the_run_on_both_sides() -> None:
    lockstep = pair(SUPERVISOR)
    for hart in (lockstep.leader.hart, lockstep.follower.hart):
        hart.host_sbi = 1
    assert lockstep.run(1000) is None
    assert lockstep.exit is Exit.HYPERCALL
    assert lockstep.leader.hart.pc == lockstep.follower.hart.pc


def test_an_exit_of_only_one_side_is_a_difference() -> None:
    lockstep = pair(SUPERVISOR)
    lockstep.leader.hart.host_sbi = 1
    difference = lockstep.run(1000)
    assert difference is not None
    assert any(line.startswith(("exit: HYPERCALL", "host_sbi")) for line in difference.lines)


def test_a_guest_that_only_traps_does_not_keep_it_for_ever() -> None:
    lockstep = pair("lla t0, 1f; csrw mtvec, t0; .balign 4; 1: .word 0")
    assert lockstep.run(1000, 10) is None
    assert lockstep.leader.hart.instret == 3

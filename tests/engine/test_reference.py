"""The reference engine: runs, steps, exits, devices."""

from collections.abc import Callable

import pytest

from hospes.engine.engine import Exit
from hospes.engine.reference import POLL_INTERVAL, ReferenceEngine
from hospes.engine.timebase import InstructionTimebase
from hospes.isa.riscv import priv
from hospes.isa.riscv.encoding import INTERRUPT, MEI, MODE_S
from hospes.isa.riscv.hart import Hart
from hospes.isa.riscv.profile import RV64
from hospes.memory.space import RAM_BASE, Memory

DEVICE = 0x1000_0000
HANDLER = RAM_BASE + 0x800


def encode(name: str, /, **fields: int) -> int:
    return RV64.by_name[name][0].encode(fields)


NOP = encode("addi", rd=0, rs1=0, imm=0)
LOAD = encode("lw", rd=6, rs1=5, imm=4)
STORE = encode("sh", rs1=5, rs2=6, imm=2)
SPIN = encode("jal", rd=0, imm=0)


class Registers:
    """A bus with 16 bytes of device registers; an access can have a side effect."""

    def __init__(self) -> None:
        self.accesses: list[tuple[str, int, int, int]] = []
        self.effect: Callable[[], None] = lambda: None

    def read(self, gpa: int, size: int) -> int | None:
        if not DEVICE <= gpa < DEVICE + 16:
            return None
        self.accesses.append(("read", gpa, size, 0))
        self.effect()
        return 0xDEAD_BEEF_F00D_CAFE

    def write(self, gpa: int, size: int, value: int) -> bool:
        if not DEVICE <= gpa < DEVICE + 16:
            return False
        self.accesses.append(("write", gpa, size, value))
        self.effect()
        return True


class Setup:
    """A hart in M-mode with a program, on an engine with or without a bus."""

    def __init__(self, *words: int, bus: bool = True) -> None:
        self.memory = Memory(1 << 20)
        self.bus = Registers()
        self.timebase = InstructionTimebase()
        self.engine = ReferenceEngine(self.memory, self.bus if bus else None, self.timebase)
        self.h = Hart()
        priv.reset(self.h)
        self.h.pc = RAM_BASE
        self.h.mtvec = HANDLER
        self.h.x[5] = DEVICE
        gpa = RAM_BASE
        for word in words:
            size = 4 if word & 3 == 3 else 2
            self.memory.store(gpa, size, word)
            gpa += size


def test_budget() -> None:
    setup = Setup(SPIN)
    assert setup.engine.run(setup.h, 1000) == Exit.BUDGET
    assert setup.h.instret == 1000
    assert setup.engine.run(setup.h, 0) == Exit.BUDGET


def test_a_guest_that_only_traps_still_ends() -> None:
    setup = Setup()
    assert setup.engine.run(setup.h, 100) == Exit.BUDGET
    assert setup.h.instret == 0
    assert setup.h.pc == HANDLER


def test_kick_is_noticed_and_used_up() -> None:
    setup = Setup(SPIN)
    setup.engine.kick(setup.h)
    assert setup.engine.run(setup.h, 1000) == Exit.KICK
    assert setup.engine.run(setup.h, 10) == Exit.BUDGET


def test_compressed_and_wide_instructions_advance_pc() -> None:
    setup = Setup(encode("c.addi", rd=5, imm=1), NOP, encode("c.addi", rd=5, imm=1))
    setup.engine.run(setup.h, 3)
    assert setup.h.pc == RAM_BASE + 8
    assert setup.h.x[5] == DEVICE + 2


def test_a_store_into_code_is_seen() -> None:
    setup = Setup(encode("sw", rs1=5, rs2=6, imm=8), NOP, NOP)
    setup.h.x[5], setup.h.x[6] = RAM_BASE, encode("addi", rd=7, rs1=0, imm=9)
    setup.engine.run(setup.h, 3)
    assert setup.h.x[7] == 9


def test_devices_are_reached_at_once() -> None:
    setup = Setup(LOAD, STORE)
    assert setup.engine.run(setup.h, 2) == Exit.BUDGET
    assert setup.h.x[6] == 0xFFFF_FFFF_F00D_CAFE
    assert setup.bus.accesses == [
        ("read", DEVICE + 4, 4, 0),
        ("write", DEVICE + 2, 2, 0xCAFE),
    ]


def test_without_a_bus_a_device_ends_the_run() -> None:
    setup = Setup(NOP, LOAD, bus=False)
    assert setup.engine.run(setup.h, 10) == Exit.DEVICE
    assert setup.h.pc == RAM_BASE + 4
    assert (setup.h.exit_gva, setup.h.exit_gpa) == (DEVICE + 4, DEVICE + 4)
    assert setup.h.exit_instruction == LOAD
    assert setup.h.instret == 1
    assert setup.engine.step(setup.h) == Exit.DEVICE


def test_another_engine_completes_a_device_access() -> None:
    """The exit's translation and instruction are used: neither is looked up again."""
    setup = Setup(NOP, LOAD, bus=False)
    setup.engine.run(setup.h, 10)
    other = ReferenceEngine(setup.memory, setup.bus, setup.timebase)
    setup.h.exit_gva, setup.h.x[5] = 0x7777_0000, 0x7777_0000 - 4
    setup.memory.store(RAM_BASE + 4, 4, 0)
    assert other.step(setup.h) is None
    assert setup.bus.accesses == [("read", DEVICE + 4, 4, 0)]
    assert setup.h.pc == RAM_BASE + 8
    assert setup.h.instret == 2


def test_a_hint_is_used_once() -> None:
    setup = Setup(LOAD, LOAD, bus=False)
    setup.engine.run(setup.h, 1)
    other = ReferenceEngine(setup.memory, setup.bus, setup.timebase)
    setup.h.exit_gva, setup.h.x[5] = 0x7777_0000, 0x7777_0000 - 4
    other.step(setup.h)
    other.step(setup.h)
    assert (setup.h.mcause, setup.h.mtval) == (5, 0x7777_0000)


@pytest.mark.parametrize(
    ("name", "gva", "cause"),
    [
        ("lw", DEVICE + 1, 5),
        ("sw", DEVICE + 1, 7),
        ("ld", DEVICE + 0xFFC, 5),
        ("ld", 0x7777_0000, 5),
        ("sd", 0x7777_0000, 7),
        ("amoadd.w", DEVICE, 7),
    ],
)
def test_what_a_device_does_not_take_is_an_access_fault(name: str, gva: int, cause: int) -> None:
    setup = Setup(encode(name, rs1=5))
    setup.h.x[5] = gva
    assert setup.engine.step(setup.h) is None
    assert (setup.h.pc, setup.h.mcause, setup.h.mtval) == (HANDLER, cause, gva)
    assert setup.bus.accesses == []


def test_a_device_interrupts_before_the_next_instruction() -> None:
    setup = Setup(NOP, LOAD, NOP)
    setup.memory.store(HANDLER, 4, NOP)
    setup.h.mstatus |= 1 << 3
    setup.h.mie = MEI

    def raise_line() -> None:
        setup.h.lines |= MEI

    setup.bus.effect = raise_line
    setup.engine.run(setup.h, 3)
    assert setup.h.mcause == INTERRUPT | 11
    assert setup.h.mepc == RAM_BASE + 8
    assert setup.h.pc == HANDLER + 4


def test_lines_set_from_outside_are_seen_within_the_interval() -> None:
    setup = Setup(SPIN)
    setup.h.mstatus |= 1 << 3
    setup.h.mie = MEI
    setup.engine.run(setup.h, 10)
    setup.h.lines = MEI
    setup.memory.store(HANDLER, 4, SPIN)
    setup.engine.run(setup.h, POLL_INTERVAL)
    assert setup.h.mepc == RAM_BASE


def test_step_takes_no_interrupt() -> None:
    setup = Setup(NOP)
    setup.h.mstatus |= 1 << 3
    setup.h.mie = setup.h.lines = MEI
    assert setup.engine.step(setup.h) is None
    assert setup.h.pc == RAM_BASE + 4


def test_wfi_and_hypercalls_end_a_run() -> None:
    setup = Setup(encode("wfi"), encode("ecall"))
    assert setup.engine.run(setup.h, 10) == Exit.WFI
    setup.h.host_sbi = 1
    setup.h.mode = MODE_S
    priv.refresh(setup.h)
    setup.h.pmpcfg[0], setup.h.pmp_base[0], setup.h.pmp_last[0] = 0x1F, 0, (1 << 56) - 1
    setup.h.pmp_count, setup.h.pmp_low, setup.h.pmp_high = 1, 1, 0
    assert setup.engine.run(setup.h, 10) == Exit.HYPERCALL
    assert setup.h.exit_cause == 9


def test_exit_reason_is_cleared_by_the_next_run() -> None:
    setup = Setup(encode("wfi"), SPIN)
    setup.engine.run(setup.h, 10)
    assert setup.engine.run(setup.h, 10) == Exit.BUDGET


@pytest.mark.parametrize(
    ("operation", "old", "operand", "new"),
    [
        ("amoswap", 1, 2, 2),
        ("amoadd", 0xFFFF_FFFF, 2, 1),
        ("amoand", 6, 3, 2),
        ("amoor", 6, 3, 7),
        ("amoxor", 6, 3, 5),
        ("amomin", 0xFFFF_FFFF, 1, 0xFFFF_FFFF),
        ("amomax", 0xFFFF_FFFF, 1, 1),
        ("amominu", 0xFFFF_FFFF, 1, 1),
        ("amomaxu", 0xFFFF_FFFF, 1, 0xFFFF_FFFF),
    ],
)
def test_atomic_operations(operation: str, old: int, operand: int, new: int) -> None:
    setup = Setup(encode(f"{operation}.w", rd=7, rs1=5, rs2=6))
    setup.h.x[5], setup.h.x[6] = RAM_BASE + 0x100, operand
    setup.memory.store(RAM_BASE + 0x100, 8, 0x55 << 32 | old)
    setup.engine.step(setup.h)
    assert setup.memory.load(RAM_BASE + 0x100, 8) == 0x55 << 32 | new
    assert setup.h.x[7] & 0xFFFF_FFFF == old


def test_flushes_are_told_to_other_engines() -> None:
    setup = Setup(encode("sfence.vma"), encode("fence.i"))
    for _ in range(2):
        setup.h.resync = 0
        setup.engine.step(setup.h)
        assert setup.h.resync == 1


def test_two_harts_have_their_own_translations() -> None:
    setup = Setup(SPIN)
    other = Hart()
    priv.reset(other)
    other.pc = RAM_BASE
    setup.engine.run(setup.h, 5)
    setup.engine.run(other, 7)
    assert (setup.h.instret, other.instret) == (5, 7)

"""Device accesses completed without executing them give what executing them gives."""

import pytest

from hospes.engine.engine import Exit
from hospes.engine.reference import ReferenceEngine
from hospes.isa.riscv.hart import SINK, Hart
from hospes.isa.riscv.priv import reset
from hospes.isa.riscv.profile import RV64
from hospes.machine.mmio import Mmio
from hospes.memory.space import Memory

DEVICE = 0x1000_0000
PC = 0x8000_0000
VALUE = 0x8877_6655_8483_8281


class Register:
    """A bus with one register everywhere near DEVICE."""

    def __init__(self) -> None:
        self.written: list[tuple[int, int, int]] = []

    def read(self, gpa: int, size: int) -> int | None:
        return VALUE & ((1 << 8 * size) - 1) if DEVICE <= gpa < DEVICE + 64 else None

    def write(self, gpa: int, size: int, value: int) -> bool:
        self.written.append((gpa, size, value))
        return DEVICE <= gpa < DEVICE + 64


def hart_at(word: int, memory: Memory) -> Hart:
    hart = Hart()
    reset(hart)
    hart.pc = PC
    hart.x[8], hart.x[9] = DEVICE, 0xFEDC_BA98_7654_3210
    memory.store(PC, 4, word)
    return hart


PLAIN = [
    f"{name} {register}, 8(s0)"
    for name in ("lb", "lh", "lw", "ld", "lbu", "lhu", "lwu", "sb", "sh", "sw", "sd")
    for register in ("s1", "x0")
]
COMPRESSED = [f"c.{name} s1, 8(s0)" for name in ("lw", "ld", "sw", "sd")]


@pytest.mark.parametrize("text", PLAIN + COMPRESSED)
def test_as_the_reference_engine_does_it(text: str) -> None:
    word = int.from_bytes(RV64.assemble(text), "little")
    memory = Memory(1 << 16)
    expected, bus = hart_at(word, memory), Register()
    ReferenceEngine(memory, bus).step(expected)
    hart, own_bus = hart_at(word, memory), Register()
    assert ReferenceEngine(memory).run(hart, 1) is Exit.DEVICE
    assert hart.exit_instruction == word
    assert Mmio(own_bus).complete(hart)
    assert list(hart.x)[:SINK] == list(expected.x)[:SINK]
    assert (hart.pc, hart.instret) == (expected.pc, expected.instret)
    assert own_bus.written == bus.written
    memory.close()


@pytest.mark.parametrize(
    ("text", "gpa"),
    [
        ("lw s1, 0(s0)", DEVICE + 2),
        ("lw s1, 0(s0)", 0x5000_0000),
        ("sw s1, 0(s0)", 0x5000_0000),
        ("amoadd.w s1, s1, (s0)", DEVICE),
        ("flw ft0, 0(s0)", DEVICE),
    ],
)
def test_the_rest_is_left_alone(text: str, gpa: int) -> None:
    hart = Hart()
    hart.pc, hart.exit_gpa = PC, gpa
    hart.exit_instruction = int.from_bytes(RV64.assemble(text), "little")
    assert not Mmio(Register()).complete(hart)
    assert (hart.pc, hart.instret, hart.x[9]) == (PC, 0, 0)


def test_an_engine_that_does_not_tell_the_instruction() -> None:
    hart = Hart()
    hart.exit_gpa = DEVICE
    assert not Mmio(Register()).complete(hart)

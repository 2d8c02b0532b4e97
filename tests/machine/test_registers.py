"""Registers by every name they have."""

import pytest

from hospes.isa.riscv.hart import Hart
from hospes.isa.riscv.priv import reset
from hospes.machine.registers import registers_of


def test_names() -> None:
    hart = Hart()
    reset(hart)
    for number in range(32):
        hart.x[number], hart.f[number] = 100 + number, 200 + number
    hart.pc, hart.fs, hart.satp = 0x8000_0000, 3, 7
    registers = registers_of(hart)
    assert registers["pc"] == registers.pc == 0x8000_0000
    assert registers["a0"] == registers["x10"] == 110
    assert registers["t6"] == 131
    assert registers["f31"] == 231
    assert registers["satp"] == 7
    assert registers["mstatus"] >> 13 & 3 == 3
    assert registers["mstatus"] >> 63 == 1
    assert registers.mode == "M"
    assert len(registers.x) == len(registers.f) == 32
    with pytest.raises(KeyError):
        registers["nothing"]

"""Every instruction of RV64IMAC against unicorn: all registers, the pc and memory.

HOSPES_CASES sets the number of cases per instruction. unicorn 2.1 (the RISC-V model of QEMU 5.0)
does not know Zba, Zbb, Zbs and Zicond; tests.isa.riscv.test_zb has those.
"""

import os
import random

import pytest
import unicorn
from tests.isa.riscv.plain_hart import DATA, EDGES, hart
from unicorn import riscv_const as reg

from hospes.isa.insn import Insn
from hospes.isa.riscv import rv_a, rv_i, rv_iw, rv_m
from hospes.isa.riscv.hart import Hart
from hospes.isa.riscv.profile import RV64

CASES = int(os.environ.get("HOSPES_CASES", "300")) // 5
MODULES = {module.__name__ for module in (rv_i, rv_iw, rv_m, rv_a)}
CHECKED = [made for made in RV64.insns if made.function.__module__ in MODULES]
CODE = 0x8000_0000
DATA_BYTES = 64
ATOMIC_BYTES = {"w": 4, "d": 8}


class Oracle:
    """A unicorn hart in M-mode with a page of code and one of data."""

    def __init__(self) -> None:
        self.machine = unicorn.Uc(unicorn.UC_ARCH_RISCV, unicorn.UC_MODE_RISCV64)
        self.machine.mem_map(CODE, 0x1000)
        self.machine.mem_map(DATA, 0x1000)

    def run(self, word: int, h: Hart, data: bytes) -> tuple[list[int], int, bytes]:
        """Registers, pc and data after the instruction, from the state of h."""
        machine = self.machine
        machine.mem_write(CODE, word.to_bytes(4, "little"))
        machine.ctl_remove_cache(CODE, CODE + 4)
        machine.mem_write(DATA, data)
        for number in range(1, 32):
            machine.reg_write(reg.UC_RISCV_REG_X0 + number, h.x[number])
        try:
            machine.emu_start(CODE, 0, count=1)
        except unicorn.UcError as error:
            # A jump has then happened; only what it leads to is not mapped.
            if error.errno != unicorn.UC_ERR_FETCH_UNMAPPED:
                raise
        registers = [machine.reg_read(reg.UC_RISCV_REG_X0 + number) for number in range(32)]
        pc = machine.reg_read(reg.UC_RISCV_REG_PC)
        return registers, pc, bytes(machine.mem_read(DATA, DATA_BYTES))


def random_case(made: Insn, rng: random.Random) -> tuple[int, Hart] | None:
    """A word and a hart for it; None if the word is another instruction's or has no address."""
    word = rng.getrandbits(8 * made.length) & ~made.mask | made.match
    if RV64.find(word) is not made:
        return None
    h = hart()
    for number in range(1, 32):
        h.x[number] = rng.choice([rng.choice(EDGES), rng.getrandbits(64)])
    if "(" not in made.syntax or made.name == "jalr":
        return word, h
    values = {
        name: source if isinstance(source, int) else source.extract(word)
        for name, source in made.operands
    }
    if values["rs1"] == 0:
        return None
    step = ATOMIC_BYTES[made.name.split(".")[1]] if "imm" not in values else 1
    gva = DATA + rng.randrange(0, DATA_BYTES - 8 + 1, step)
    h.x[values["rs1"]] = gva - values.get("imm", 0)
    return word, h


@pytest.mark.parametrize("made", CHECKED, ids=[made.name for made in CHECKED])
def test_as_unicorn(made: Insn) -> None:
    rng, oracle = random.Random(made.name), Oracle()
    done = 0
    while done < CASES:
        case = random_case(made, rng)
        if case is None:
            continue
        word, h = case
        data = rng.randbytes(DATA_BYTES)
        h.port.content[:] = data  # type: ignore[attr-defined]
        theirs = oracle.run(word, h, data)
        decoded = RV64.decode(word)
        assert decoded is not None
        h.next_pc = h.pc + made.length
        decoded.insn.function(h, *decoded.operands)
        ours = (list(h.x)[:32], h.next_pc, bytes(h.port.content))  # type: ignore[attr-defined]
        assert ours == theirs, RV64.disassemble(word, CODE)
        done += 1

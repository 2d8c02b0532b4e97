"""RV64: the instructions of the machines Hospes makes, from all extensions' modules."""

from typing import Final

from hospes.isa.instruction_set import InstructionSet
from hospes.isa.riscv import rv_a, rv_c, rv_i, rv_iw, rv_m, zba, zbb, zbs, zicond

RV64: Final = InstructionSet(
    "RV64", [rv_i, rv_iw, rv_m, rv_a, rv_c, zba, zbb, zbs, zicond]
)

"""RV64I and C alone: what an access to a device may be, decoded without loading all the rest."""

from typing import Final

from hospes.isa.instruction_set import InstructionSet
from hospes.isa.riscv import rv_c, rv_i
from hospes.isa.riscv.assembly import dialect

ACCESSES: Final = InstructionSet("RV64I and C", [rv_i, rv_c], dialect)

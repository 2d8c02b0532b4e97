"""RV64: the instructions of the machines Hospes makes, from all extensions' modules."""

from typing import Final

from hospes.isa.instruction_set import InstructionSet
from hospes.isa.riscv import (
    rv_a,
    rv_c,
    rv_d,
    rv_d_convert,
    rv_dc,
    rv_f,
    rv_f_convert,
    rv_i,
    rv_iw,
    rv_m,
    rv_priv,
    zba,
    zbb,
    zbs,
    zicbo,
    zicond,
    zicsr,
)
from hospes.isa.riscv.assembly import dialect

INTEGER: Final = (rv_i, rv_iw, rv_m, rv_a, rv_c, zba, zbb, zbs, zicond)
SYSTEM: Final = (zicsr, rv_priv, zicbo)
FLOATING_POINT: Final = (rv_f, rv_f_convert, rv_d, rv_d_convert, rv_dc)

RV64: Final = InstructionSet("RV64", [*INTEGER, *SYSTEM, *FLOATING_POINT], dialect)

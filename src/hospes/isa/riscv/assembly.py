"""How RISC-V instructions are written: loaded when one is, as most machines only decode."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hospes.isa.syntax import Dialect


def dialect() -> "Dialect":
    """The Dialect of RISC-V."""
    from hospes.isa.riscv.dialect import RiscvDialect

    return RiscvDialect()

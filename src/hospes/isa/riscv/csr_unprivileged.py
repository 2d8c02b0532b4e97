"""Unprivileged CSRs: floating-point control and status, Zicntr's counters."""

from typing import Final

from hospes.isa.riscv.csr_machine import read_mcycle, read_minstret
from hospes.isa.riscv.csr_table import Csr, csr
from hospes.isa.riscv.encoding import FS_DIRTY
from hospes.isa.riscv.hart import Hart
from hospes.isa.riscv.priv import refresh_fp
from hospes.isa.subset import time_now

FFLAGS: Final = 0x1F
FRM_SHIFT: Final = 5
FRM: Final = 7


def write_fflags(h: Hart, value: int) -> None:
    """The accrued exceptions; FS becomes Dirty (it is not Off, or the access were illegal)."""
    h.fflags = value & FFLAGS
    h.fs = FS_DIRTY


@csr(0x001, "fflags", write=write_fflags)
def read_fflags(h: Hart) -> int:
    """The accrued exceptions."""
    return h.fflags


def write_frm(h: Hart, value: int) -> None:
    """The dynamic rounding mode; reserved values are kept, and make its use illegal."""
    h.fs = FS_DIRTY
    if h.frm != (value & FRM):
        h.frm = value & FRM
        refresh_fp(h)


@csr(0x002, "frm", write=write_frm)
def read_frm(h: Hart) -> int:
    """The dynamic rounding mode."""
    return h.frm


def write_fcsr(h: Hart, value: int) -> None:
    """fflags and frm in one."""
    write_fflags(h, value)
    write_frm(h, value >> FRM_SHIFT)


@csr(0x003, "fcsr", write=write_fcsr)
def read_fcsr(h: Hart) -> int:
    """fflags and frm in one."""
    return h.fflags | ((h.frm & FRM) << FRM_SHIFT)


@csr(0xC01, "time")
def read_time(h: Hart) -> int:
    """Ticks of the 10 MHz timebase."""
    return time_now(h)


COUNTERS: Final = (
    Csr(0xC00, "cycle", read=read_mcycle),
    Csr(0xC02, "instret", read=read_minstret),
    *(Csr(0xC00 + n, f"hpmcounter{n}") for n in range(3, 32)),
)

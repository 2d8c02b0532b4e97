"""How M-mode firmware leaves a hart to the supervisor: delegation, counters, mode and registers."""

from typing import Final

from hospes.firmware.sbi.call import A0
from hospes.isa.riscv.encoding import (
    COUNTERS,
    ENVCFG_ADUE,
    ENVCFG_CBCFE,
    ENVCFG_CBIE,
    ENVCFG_CBZE,
    ENVCFG_STCE,
    MODE_S,
    PMP_NAPOT,
    PMP_RWX,
    SUPERVISOR_INTERRUPTS,
)
from hospes.isa.riscv.hart import Hart
from hospes.isa.riscv.pmp import refresh_pmp
from hospes.isa.riscv.priv import refresh, reset
from hospes.isa.subset import flush_tlb

ECALL_FROM_S: Final = 9
ECALL_FROM_M: Final = 11
DELEGATED_EXCEPTIONS: Final = 0xFFFF & ~(1 << ECALL_FROM_S | 1 << ECALL_FROM_M)
PMP_EVERYTHING: Final = (1 << 54) - 1


def enter_supervisor(hart: Hart, gpa: int, argument: int) -> None:
    """Set a hart up as SBI hands it over: at gpa in S-mode, a0 its id, a1 the argument.

    Paging and interrupts are off (SBI 2.0, 9.1). Every exception but an ecall from S-mode is the
    supervisor's own, as are the timer (Sstc), the counters and the cache-block operations. User
    programs may read the counters: as with OpenSBI, for Linux leaves that as it finds it.
    """
    reset(hart)
    hart.host_sbi = 1
    hart.medeleg = DELEGATED_EXCEPTIONS
    hart.mideleg = SUPERVISOR_INTERRUPTS
    hart.mcounteren = hart.scounteren = COUNTERS
    hart.menvcfg = ENVCFG_STCE | ENVCFG_ADUE | ENVCFG_CBZE | ENVCFG_CBCFE | ENVCFG_CBIE
    hart.pmpcfg[0] = PMP_NAPOT | PMP_RWX
    hart.pmpaddr[0] = PMP_EVERYTHING
    refresh_pmp(hart)
    hart.x[A0] = hart.hartid
    hart.x[A0 + 1] = argument
    hart.pc = hart.next_pc = gpa
    hart.mode = MODE_S
    refresh(hart)
    flush_tlb(hart)

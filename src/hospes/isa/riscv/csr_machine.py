"""Machine-level CSRs (Privileged ISA, chapter 3)."""

from typing import Final

from hospes.base.bits import U64_MAX, u64
from hospes.isa.riscv.csr_table import Csr, csr
from hospes.isa.riscv.encoding import (
    COUNTER_CY,
    COUNTER_IR,
    COUNTERS,
    ENVCFG_ADUE,
    ENVCFG_CBCFE,
    ENVCFG_CBIE,
    ENVCFG_CBIE_SHIFT,
    ENVCFG_CBZE,
    ENVCFG_FIOM,
    ENVCFG_STCE,
    FS_DIRTY,
    MACHINE_INTERRUPTS,
    MISA,
    STATUS_FS_SHIFT,
    STATUS_MIE,
    STATUS_MPIE,
    STATUS_MPP,
    STATUS_MPP_SHIFT,
    STATUS_MPRV,
    STATUS_MXR,
    STATUS_SD,
    STATUS_SIE,
    STATUS_SPIE,
    STATUS_SPP,
    STATUS_SUM,
    STATUS_TSR,
    STATUS_TVM,
    STATUS_TW,
    STI,
    SUPERVISOR_INTERRUPTS,
)
from hospes.isa.riscv.hart import Hart
from hospes.isa.riscv.priv import refresh_context, set_fs
from hospes.isa.riscv.trap import poll_interrupts, update_timer

MSTATUS_WRITABLE: Final = (
    STATUS_SIE | STATUS_MIE | STATUS_SPIE | STATUS_MPIE | STATUS_SPP | STATUS_MPP | STATUS_MPRV
    | STATUS_SUM | STATUS_MXR | STATUS_TVM | STATUS_TW | STATUS_TSR
)  # fmt: skip
"""FS is kept apart; UXL and SXL are fixed at 2 (64); VS, XS and the endianness bits at 0."""
MPP_RESERVED: Final = 2

MEDELEG_WRITABLE: Final = 0xB3FF
"""Every synchronous cause that exists except an ecall from M-mode."""
MENVCFG_WRITABLE: Final = (
    ENVCFG_FIOM | ENVCFG_CBIE | ENVCFG_CBCFE | ENVCFG_CBZE | ENVCFG_ADUE | ENVCFG_STCE
)
CBIE_RESERVED: Final = 2
TVEC_WRITABLE: Final = U64_MAX ^ 2
"""Modes Direct (0) and Vectored (1)."""
EPC_WRITABLE: Final = U64_MAX ^ 1
"""IALIGN is 16 bits."""


def write_mstatus(h: Hart, value: int) -> None:
    """WARL: a reserved MPP is not taken (Privileged ISA, 3.1.6)."""
    new = (h.mstatus & ~MSTATUS_WRITABLE) | (value & MSTATUS_WRITABLE)
    if ((value >> STATUS_MPP_SHIFT) & 3) == MPP_RESERVED:
        new = (new & ~STATUS_MPP) | (h.mstatus & STATUS_MPP)
    fs = (value >> STATUS_FS_SHIFT) & 3
    if fs != h.fs:
        set_fs(h, fs)
    if new != h.mstatus:
        h.mstatus = new
        refresh_context(h)
        poll_interrupts(h)


@csr(0x300, "mstatus", write=write_mstatus)
def read_mstatus(h: Hart) -> int:
    """FS composed in; SD says that it is Dirty."""
    dirty = STATUS_SD if h.fs == FS_DIRTY else 0
    return h.mstatus | ((h.fs & 3) << STATUS_FS_SHIFT) | dirty


def write_mideleg(h: Hart, value: int) -> None:
    """Supervisor interrupts can be delegated, machine ones cannot (Privileged ISA, 3.1.8)."""
    h.mideleg = value & SUPERVISOR_INTERRUPTS
    poll_interrupts(h)


@csr(0x303, "mideleg", write=write_mideleg)
def read_mideleg(h: Hart) -> int:
    """The interrupts that trap to S-mode."""
    return h.mideleg


def write_mie(h: Hart, value: int) -> None:
    """One enable bit for each interrupt that exists."""
    h.mie = value & (SUPERVISOR_INTERRUPTS | MACHINE_INTERRUPTS)
    poll_interrupts(h)


@csr(0x304, "mie", write=write_mie)
def read_mie(h: Hart) -> int:
    """The interrupts enabled one by one."""
    return h.mie


def write_mip(h: Hart, value: int) -> None:
    """Supervisor bits are writable, STIP only while stimecmp does not drive it."""
    writable = SUPERVISOR_INTERRUPTS
    if (h.menvcfg & ENVCFG_STCE) != 0:
        writable = SUPERVISOR_INTERRUPTS & ~STI
    h.mip = value & writable
    poll_interrupts(h)


@csr(0x344, "mip", write=write_mip)
def read_mip(h: Hart) -> int:
    """Software-written bits, interrupt lines, and the timer."""
    update_timer(h)
    return h.mip | h.lines | h.timer_due


def write_menvcfg(h: Hart, value: int) -> None:
    """WARL: a reserved CBIE is not taken; PBMTE is 0. STCE hands mip.STIP to stimecmp or back."""
    new = value & MENVCFG_WRITABLE
    if ((value >> ENVCFG_CBIE_SHIFT) & 3) == CBIE_RESERVED:
        new = (new & ~ENVCFG_CBIE) | (h.menvcfg & ENVCFG_CBIE)
    h.menvcfg = new
    if (new & ENVCFG_STCE) != 0:
        h.mip = h.mip & ~STI
        update_timer(h)
        poll_interrupts(h)
    else:
        h.timer_due = 0


@csr(0x30A, "menvcfg", write=write_menvcfg)
def read_menvcfg(h: Hart) -> int:
    """What lower privilege modes may use."""
    return h.menvcfg


def write_mcountinhibit(h: Hart, value: int) -> None:
    """A stopped counter keeps its value in its offset; this instruction itself still counts."""
    retired = u64(h.instret + 1)
    changed = h.mcountinhibit ^ value
    if (changed & COUNTER_CY) != 0:
        stops = (value & COUNTER_CY) != 0
        h.mcycle_offset = h.mcycle_offset + (retired if stops else -retired)
    if (changed & COUNTER_IR) != 0:
        stops = (value & COUNTER_IR) != 0
        h.minstret_offset = h.minstret_offset + (retired if stops else -retired)
    h.mcountinhibit = value & (COUNTER_CY | COUNTER_IR)


@csr(0x320, "mcountinhibit", write=write_mcountinhibit)
def read_mcountinhibit(h: Hart) -> int:
    """Which of cycle and instret stand still."""
    return h.mcountinhibit


def write_mcycle(h: Hart, value: int) -> None:
    """The next instruction reads what was written (Zicntr: the write follows the increment)."""
    h.mcycle_offset = value
    if (h.mcountinhibit & COUNTER_CY) == 0:
        h.mcycle_offset = value - h.instret - 1


@csr(0xB00, "mcycle", write=write_mcycle)
def read_mcycle(h: Hart) -> int:
    """A cycle is the time of one instruction: exact, and the same in every engine."""
    if (h.mcountinhibit & COUNTER_CY) != 0:
        return h.mcycle_offset
    return u64(h.instret + h.mcycle_offset)


def write_minstret(h: Hart, value: int) -> None:
    """The next instruction reads what was written (Zicntr: the write follows the increment)."""
    h.minstret_offset = value
    if (h.mcountinhibit & COUNTER_IR) == 0:
        h.minstret_offset = value - h.instret - 1


@csr(0xB02, "minstret", write=write_minstret)
def read_minstret(h: Hart) -> int:
    """Instructions retired before this one."""
    if (h.mcountinhibit & COUNTER_IR) != 0:
        return h.minstret_offset
    return u64(h.instret + h.minstret_offset)


STORAGE: Final = (
    Csr(0x302, "medeleg", field="medeleg", write_mask=MEDELEG_WRITABLE),
    Csr(0x305, "mtvec", field="mtvec", write_mask=TVEC_WRITABLE),
    Csr(0x306, "mcounteren", field="mcounteren", write_mask=COUNTERS),
    Csr(0x340, "mscratch", field="mscratch", write_mask=U64_MAX),
    Csr(0x341, "mepc", field="mepc", write_mask=EPC_WRITABLE),
    Csr(0x342, "mcause", field="mcause", write_mask=U64_MAX),
    Csr(0x343, "mtval", field="mtval", write_mask=U64_MAX),
    Csr(0xF14, "mhartid", field="hartid"),
)

CONSTANTS: Final = (
    Csr(0x301, "misa", constant=MISA),
    Csr(0xF11, "mvendorid"),
    Csr(0xF12, "marchid"),
    Csr(0xF13, "mimpid"),
    Csr(0xF15, "mconfigptr"),
    *(Csr(0xB00 + n, f"mhpmcounter{n}") for n in range(3, 32)),
    *(Csr(0x320 + n, f"mhpmevent{n}") for n in range(3, 32)),
)

NO_TRIGGERS: Final = (
    Csr(0x7A0, "tselect"),
    Csr(0x7A1, "tdata1"),
    Csr(0x7A2, "tdata2"),
    Csr(0x7A3, "tdata3"),
    Csr(0x7A4, "tinfo", constant=1),
)
"""Sdtrig without a trigger: type 0 in tdata1, "no trigger" in tinfo."""

"""The architectural state of one RISC-V hart, shared word for word by Python and generated code."""

from typing import Final

from hospes.base.layout import Struct, Word, Words
from hospes.isa.subset import Port

SINK: Final = 32
"""The register number that takes writes to x0."""

MODE_U: Final = 0
MODE_S: Final = 1
MODE_M: Final = 3


class Hart(Struct):
    """One hart: registers, CSRs, and the results that engine and machine hand each other.

    x[0] is never written: decoders turn a destination of x0 into x[SINK]. f holds raw bits, a
    single-precision value NaN-boxed (Unprivileged ISA, section 21.2).
    """

    x = Words(33)
    f = Words(32)
    pc = Word()
    next_pc = Word()
    instret = Word()
    mode = Word()
    hartid = Word()

    fs = Word()
    fflags = Word()
    frm = Word()
    fp_ok = Words(8)

    reservation = Word()
    reserved_value = Word()

    mstatus = Word()
    misa = Word()
    mie = Word()
    mip = Word()
    lines = Word()
    medeleg = Word()
    mideleg = Word()
    mtvec = Word()
    mepc = Word()
    mcause = Word()
    mtval = Word()
    mscratch = Word()
    mcounteren = Word()
    mcountinhibit = Word()
    menvcfg = Word()
    minstret_offset = Word()
    mcycle_offset = Word()
    stvec = Word()
    sepc = Word()
    scause = Word()
    stval = Word()
    sscratch = Word()
    scounteren = Word()
    senvcfg = Word()
    satp = Word()
    stimecmp = Word()
    pmpcfg = Words(16)
    pmpaddr = Words(16)
    csr_value = Word()

    context = Word()
    walk_gpa = Word()
    walk_permissions = Word()
    walk_shift = Word()

    host_sbi = Word()
    exit_reason = Word()
    exit_cause = Word()
    exit_tval = Word()
    exit_gva = Word()
    exit_gpa = Word()

    port: Port

"""The architectural state of one RISC-V hart, shared word for word by Python and generated code."""

from typing import Final

from hospes.base.layout import Struct, Word, Words
from hospes.isa.subset import Port

SINK: Final = 32
"""The register number that takes writes to x0."""

MODE_U: Final = 0
MODE_S: Final = 1
MODE_M: Final = 3

FILE_WORDS: Final = 4
"""Words of 64 bits in either array of an interrupt file."""


class Hart(Struct):
    """One hart: registers, CSRs, and the results that engine and machine hand each other.

    x[0] is never written: decoders turn a destination of x0 into x[SINK]. f holds raw bits, a
    single-precision value NaN-boxed (Unprivileged ISA, section 21.2).

    With aia 1 the hart has Ssaia and an interrupt file (eip to eithreshold), which drives SEIP in
    lines and is apart from the hart: resetting the hart leaves it alone.

    Derived state: context and fp_ok (priv.refresh); pmp_base, pmp_last (inclusive byte addresses),
    pmp_count (entries that can match) from pmpcfg and pmpaddr; pmp_low to pmp_high, the range
    around the last address looked up in which pmp_match (a pmpcfg byte) governs. timer_due is
    mip.STIP as Sstc last saw it. walk_shift is the extent over which a translation is uniform, PMP
    included; walk_leaf_shift the size of the leaf page itself, which sfence.vma forgets whole.

    Asked of the engine: poll is 1 when an interrupt may have become deliverable, so that it looks
    before the next instruction; kick is set by another thread to end a run; resync is 1 when
    translations or code were flushed from Python, so that an engine with caches of its own flushes
    them before it goes on. exit_instruction holds the bits of the instruction that left for a
    device access, or 0 if the engine does not tell them: they spare a fetch.
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
    aia = Word()
    siselect = Word()
    eip = Words(FILE_WORDS)
    eie = Words(FILE_WORDS)
    eidelivery = Word()
    eithreshold = Word()
    pmpcfg = Words(16)
    pmpaddr = Words(16)
    pmp_base = Words(16)
    pmp_last = Words(16)
    pmp_count = Word()
    pmp_low = Word()
    pmp_high = Word()
    pmp_match = Word()
    csr_value = Word()

    context = Word()
    walk_gpa = Word()
    walk_permissions = Word()
    walk_shift = Word()
    walk_leaf_shift = Word()
    timer_due = Word()
    poll = Word()
    kick = Word()
    resync = Word()

    host_sbi = Word()
    exit_reason = Word()
    exit_cause = Word()
    exit_tval = Word()
    exit_gva = Word()
    exit_gpa = Word()
    exit_instruction = Word()

    port: Port

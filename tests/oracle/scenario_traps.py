"""Programs about traps: exceptions in each mode, delegation, returns, code that changes itself."""

from tests.oracle.transcript import EPILOGUE, enter, leave, say, show

EXCEPTIONS = """
    .word 0xffffffff
    .half 0
    li t0, 0x5000000
    lw t1, 4(t0)
    sh t1, 8(t0)
    fld ft0, 16(t0)
    li t0, PAGES
    amoadd.d t1, t1, (t0)
    addi t0, t0, 4
    lr.d t1, (t0)
    lw t1, 3(t0)
    csrr t1, 0x5c0
    csrw cycle, t1
    csrr t1, mhartid
    csrr t1, sscratch
    mret
    la t0, {label}
    la t1, m_resume
    sd t0, 0(t1)
    la t1, s_resume
    sd t0, 0(t1)
    li t1, 0x5000000
    jr t1
.balign 8
{label}:
    nop
    nop
    nop
    la t1, m_resume
    sd zero, 0(t1)
    la t1, s_resume
    sd zero, 0(t1)
"""
FLOAT_ON = "li t0, 0x2000; csrs mstatus, t0\n"


def exceptions() -> str:
    """The same instructions in M, S and U, with nothing delegated and with all of it."""
    lines = [FLOAT_ON + say("machine")]
    lines.append(EXCEPTIONS.replace("    mret\n", "").format(label="target_m"))
    for delegated in (0, 0xB3FF & ~(3 << 8)):
        lines.append(f"li t0, {delegated}; csrw medeleg, t0; csrw medeleg, t0")
        for mode in "su":
            lines.append(say(f"{mode} with {delegated:#x} delegated") + enter(mode))
            lines.append(EXCEPTIONS.format(label=f"target_{mode}_{delegated}") + leave())
    return "\n".join(lines) + EPILOGUE


def returns() -> str:
    """mret and sret from every stacked state: mode, enables and MPRV afterwards."""
    lines = []
    for mode in "usm":
        for bits in (0, 1 << 7, 1 << 7 | 1 << 17, 1 << 17 | 1 << 5 | 1 << 1):
            lines.append(f"li t0, (1 << 17) | 0xaa; csrc mstatus, t0; li t0, {bits}")
            lines.append("csrs mstatus, t0" + enter(mode))
            if mode == "m":
                lines.append(show("csr:mstatus"))
            else:
                lines.append(leave() + show("csr:mstatus"))
    for spp in (0, 1 << 8):
        for bits in (0, 1 << 5, 1 << 5 | 1 << 17):
            lines.append(f"li t0, (1 << 17) | 0x1aa; csrc mstatus, t0; li t0, {spp | bits}")
            lines.append("csrs mstatus, t0; la t0, 7f; csrw sepc, t0; sret; 7:" + leave())
            lines.append(show("csr:mstatus"))
    lines.append("li t0, 0x100; csrs mstatus, t0" + enter("s"))
    for spp in ("csrs", "csrc"):
        lines.append(f"li t0, 0x100; {spp} sstatus, t0; la t0, 7f; csrw sepc, t0; sret; 7:")
    lines.append(leave() + show("csr:mstatus"))
    return "\n".join(lines) + EPILOGUE


def vectored() -> str:
    """Vectored mtvec and stvec: exceptions go to the base, interrupts to the cause's slot."""
    slots = "; ".join(f"j slot_{n}" for n in range(16))
    told = "\n".join(f"slot_{n}: li s0, {n}; j slots_end" for n in range(16))
    return f"""
    j over
.balign 256
vectors:
    {slots}
{told}
slots_end:
    csrw mip, zero
    li t0, CLINT
    sw zero, 0(t0)
    li t1, -1
    li t0, MTIMECMP
    sd t1, 0(t0)
    csrr s1, mcause
    csrr s2, scause
    mv a0, s0
    call puthex
    mv a0, s1
    call puthex
    mv a0, s2
    call puthex
    call newline
    jr s3
over:
    la t0, vectors
    ori t0, t0, 1
    csrw mtvec, t0
    csrw stvec, t0
    la s3, 1f
    ecall
1:  la s3, 1f
    .word 0
1:  li t0, 0xaaa
    csrw mie, t0
{"".join(_raise(bit) for bit in (1, 5, 9))}
    li t0, CLINT
    li t1, 1
    la s3, 1f
    csrci mstatus, 8
    sw t1, 0(t0)
    csrsi mstatus, 8
    nop
    j .
1:  la s3, 1f
    csrci mstatus, 8
    li t0, MTIMECMP
    sd zero, 0(t0)
    csrsi mstatus, 8
    nop
    j .
1:
{EPILOGUE}"""


def _raise(bit: int) -> str:
    """Make one interrupt pending by mip and take it in M-mode."""
    return f"""
    la s3, 1f
    csrci mstatus, 8
    li t0, {1 << bit}
    csrs mip, t0
    csrsi mstatus, 8
    nop
    j .
1:
"""


def changing_code() -> str:
    """Code that is rewritten, at once and across two pages, runs as it is after fence.i."""
    lines = ["li s0, PAGES + 0xffc; li s1, 0x00008067; li s2, 0"]
    for number in range(20):
        place = "PAGES + 0xffa" if number % 2 else "PAGES + 0xff8"
        word = 0x00000513 | (number + 1) << 20
        lines.append(f"li s0, {place}; li t0, {word}; sw t0, 0(s0); sw s1, 4(s0); fence.i")
        lines.append("jalr s0; mv s2, a0\n" + show("s2"))
    lines.append("li s0, PAGES + 0xffe; li t0, 0x12300513; sh t0, 0(s0); srli t0, t0, 16")
    lines.append("sh t0, 2(s0); sw s1, 4(s0); fence.i; jalr s0; mv s2, a0\n" + show("s2"))
    lines.append("li t0, 0x4560; sh t0, 2(s0); fence.i; jalr s0; mv s2, a0\n" + show("s2"))
    return "\n".join(lines) + EPILOGUE


def floating_state() -> str:
    """mstatus.FS: off is illegal, a load makes it dirty, SD follows."""
    status = "csrr s1, mstatus; srli s2, s1, 63; srli s1, s1, 13; andi s1, s1, 3\n" + show(
        "s1", "s2"
    )
    lines = []
    for fs in range(4):
        for instruction in (
            "fld ft0, 0(sp)", "fadd.d ft0, ft0, ft0", "csrw fcsr, zero", "fsd ft0, -8(sp)",
            "fmv.x.d t0, ft0", "feq.d t0, ft0, ft0", "csrr t0, frm", "fsrm t0",
            "fcvt.w.d t0, ft0", "fsgnj.d ft0, ft0, ft1", "fmv.d.x ft0, t0",
        ):  # fmt: skip
            lines.append(f"li t0, 0x6000; csrc mstatus, t0; li t0, {fs << 13}; csrs mstatus, t0")
            lines.append(f"li t0, 0; {instruction}\n{say(f'{instruction} with FS {fs}')}{status}")
    return "\n".join(lines) + EPILOGUE

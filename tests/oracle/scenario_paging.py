"""Programs about address translation: the permission matrix, superpages, faults across pages."""

from tests.oracle.transcript import EPILOGUE, enter, leave, say, show

SV39, SV48, SV57 = 8, 9, 10
ROOTS = {SV39: "TABLES", SV48: "TABLES + 0x3000", SV57: "TABLES + 0x4000"}

QUICK = """
    j tables
# A trap in a try: cause in s1, value in s2; goes on at s3, in M-mode without MPRV.
.balign 4
quick:
    csrr s1, mcause
    csrr s2, mtval
    li t0, 1 << 17
    csrc mstatus, t0
    jr s3
# Load (a1 = 0), store (1) or execute (2) at s5 with the status bits in s4.
try:
    li s1, 0
    li s2, 0
    la s3, tried
    li t0, (3 << 11) | (3 << 18)
    csrc mstatus, t0
    csrs mstatus, s4
    li t0, 2
    beq a1, t0, 3f
    li t1, 1 << 17
    li t2, 1
    beq a1, t2, 2f
    csrs mstatus, t1
    ld t0, 0(s5)
    j 4f
2:  csrs mstatus, t1
    sd zero, 8(s5)
4:  csrc mstatus, t1
    ret
3:  csrw mepc, s5
    mret
tried:
    ret
# Tables: identity for devices and RAM by gigapages, the test page at 1 GiB by three levels.
tables:
    li t0, TABLES
    li t1, 0xC7
    sd t1, 0(t0)
    li t1, (0x80000 << 10) | 0xCF
    sd t1, 16(t0)
    li t1, ((TABLES + 0x1000) >> 2) | 1
    sd t1, 8(t0)
    li t2, TABLES + 0x1000
    li t1, ((TABLES + 0x2000) >> 2) | 1
    sd t1, 0(t2)
    li t2, TABLES + 0x3000
    li t1, (TABLES >> 2) | 1
    sd t1, 0(t2)
    li t2, TABLES + 0x4000
    li t1, ((TABLES + 0x3000) >> 2) | 1
    sd t1, 0(t2)
    li t0, PAGES
    li t1, 0x73
    sd t1, 0(t0)
"""

CONTEXTS = ("0", "1 << 19", "1 << 11", "(1 << 11) | (1 << 18)", "(1 << 11) | (1 << 19)",
            "(1 << 11) | (3 << 18)")  # fmt: skip
"""U, U with MXR, S, S with SUM, with MXR, with both."""


def satp(mode: int) -> str:
    """Switch translation on."""
    return f"li t0, ({mode} << 60) | (({ROOTS[mode]}) >> 12); csrw satp, t0; sfence.vma\n"


def _attempts() -> str:
    """The three accesses in every context: the cause, and what became of the PTE."""
    lines = []
    for context in CONTEXTS:
        lines.append(f"li s4, {context}")
        for access in range(3):
            lines.append("sd s9, 0(s6); sfence.vma")
            lines.append(f"li a1, {access}; call try; mv a0, s1; call puthex")
            lines.append("ld a0, 0(s6); xor a0, a0, s9; call puthex")
        lines.append("li a0, '/'; call putc")
    return "\n".join(lines)


def matrix(mode: int, pte: str, base: str, va: str, step: int) -> str:
    """Each low byte of a leaf entry at `pte` pointing to `base`, in each context, each access."""
    label = f"matrix_{mode}_{base}"
    return f"""
{say(f"permissions, mode {mode}, entry {pte} to {base}")}
    la t0, quick
    csrw mtvec, t0
{satp(mode)}
    li s6, {pte}
    li s5, {va}
    li s8, 0
{label}:
    li s9, ({base}) >> 2
    or s9, s9, s8
    mv a0, s8
    call puthex
{_attempts()}
    call newline
    addi s8, s8, {step}
    li t0, 256
    blt s8, t0, {label}
    csrw satp, zero
    sfence.vma
    la t0, m_handler
    csrw mtvec, t0
"""


FOUR_KIB = ("TABLES + 0x2000", "PAGES", "0x40000000")
TWO_MIB = ("TABLES + 0x1000", "0x80200000", "0x40100000")
ONE_GIB = ("TABLES + 0x8", "0x80000000", "0x40300000")
MISALIGNED = ("TABLES + 0x1000", "0x80201000", "0x40100000")


def permissions(mode: int, step: int) -> str:
    """The matrix for pages of 4 KiB and, more coarsely, larger ones."""
    parts = [matrix(mode, *FOUR_KIB, step)]
    parts += [matrix(mode, *where, 17) for where in (TWO_MIB, MISALIGNED, ONE_GIB)]
    return QUICK + "".join(parts) + EPILOGUE


def faults(mode: int) -> str:
    """Addresses that are not canonical, bad entries on the way, bits that are reserved."""
    addresses = (
        "0x40000000", "0x4000000000", "0x3ffffffff8", "-1 << 38", "-1 << 39", "1 << 47",
        "-1 << 47", "1 << 56", "-1 << 56", "1 << 63", "-8", "0x40001000", "0x40200000",
    )  # fmt: skip
    lines = [QUICK, "la t0, quick; csrw mtvec, t0", satp(mode), "li s4, 1 << 11"]
    lines += ["li s6, TABLES + 0x2000; li t0, (PAGES >> 2) | 0xCF; sd t0, 0(s6); sfence.vma"]
    for address in addresses:
        for access in range(3):
            lines.append(f"li s5, {address}; li a1, {access}; call try")
            lines.append(show("s5", "s1", "s2"))
    entries = [1 << bit for bit in (8, 9, 54, 58, 60, 61, 62, 63)]
    levels = {
        "TABLES + 0x2000": "(PAGES >> 2) | 0xCF",
        "TABLES + 0x1000": "((TABLES + 0x2000) >> 2) | 1",
    }
    for place, base in levels.items():
        for bits in [*entries, 0x10, 0x20, 0x40, 0x80]:
            lines.append(f"li s6, {place}; li s7, {base}; li t0, {bits}; xor t0, t0, s7")
            lines.append("sd t0, 0(s6); sfence.vma; li s5, 0x40000000; li a1, 0; call try")
            lines.append("sd s7, 0(s6); sfence.vma\n" + show("s1", "s2"))
    return "\n".join(lines) + EPILOGUE


def across(mode: int) -> str:
    """Accesses and an instruction that lie across two pages, of which one or both are bad."""
    good = "(PAGES >> 2) | 0xDF"
    flags = {"good": good, "absent": "0", "read-only": "((PAGES + 0x1000) >> 2) | 0xD3"}
    lines = [QUICK, "la t0, quick; csrw mtvec, t0", satp(mode), "li s4, 0"]
    lines += ["li t0, PAGES + 0x1000; li t1, 0x1111111111111111; sd t1, -8(t0); sd t1, 0(t0)"]
    for first in flags.values():
        for second in flags.values():
            lines.append(f"li s6, TABLES + 0x2000; li t0, {first}; sd t0, 0(s6)")
            lines.append(f"li t0, {second}; sd t0, 8(s6); sfence.vma")
            for offset in ("0xff9", "0xffc", "0xfff"):
                for access in range(2):
                    lines.append(f"li s5, 0x40000000 + {offset} - {8 * access}")
                    lines.append(f"li a1, {access}; call try")
                    lines.append(show("s1", "s2"))
            lines.append("li t0, PAGES + 0x1000; ld s1, -8(t0); ld s2, 0(t0)\n" + show("s1", "s2"))
            lines.append("li t0, PAGES + 0x1000; li t1, 0x00730000; sw t1, -4(t0); fence.i")
            lines.append("li s5, 0x40000ffe; li a1, 2; call try\n" + show("s1", "s2"))
            lines.append("csrr s1, mepc\n" + show("s1"))
    return "\n".join(lines) + EPILOGUE


def spaces(mode: int) -> str:
    """Address spaces by ASID: each keeps its own translations, global pages are everyone's."""
    first = f"({mode} << 60) | (({ROOTS[mode]}) >> 12)"
    lines = [QUICK, "la t0, quick; csrw mtvec, t0", satp(mode), "li s4, 1 << 11"]
    for number in range(4):
        lines.append(f"li t0, PAGES + 0x1000 * {number}; li t1, 0x{number + 1}0; sd t1, 0(t0)")
    for asid in (1, 2, 0xFFFF, 1, 2):
        lines.append(f"li t0, {first} | ({asid} << 44); csrw satp, t0; li t1, {asid}")
        lines.append("li s6, TABLES + 0x2000; andi t1, t1, 3; slli t1, t1, 12; li t0, PAGES")
        lines.append("add t0, t0, t1; srli t0, t0, 2; ori t0, t0, 0xCF; sd t0, 0(s6)")
        lines.append(f"li t1, {asid}; sfence.vma zero, t1; li s5, 0x40000000; li a1, 0; call try")
        lines.append(show("s1", "csr:satp"))
        lines.append("li t2, 1 << 17; li t0, 3 << 11; csrc mstatus, t0; csrs mstatus, s4")
        lines.append("csrs mstatus, t2; ld s1, 0(s5); csrc mstatus, t2\n" + show("s1"))
        lines.append("li t1, 0x40000000; sfence.vma t1\n")
    return "\n".join(lines) + EPILOGUE


def supervisor(mode: int) -> str:
    """Page faults delegated to S-mode, taken there under translation, from S and from U."""
    return f"""
{QUICK}
    li t0, 0xb000
    csrw medeleg, t0
    li t0, (PAGES >> 2) | 0xDF
    li s6, TABLES + 0x2000
    sd t0, 0(s6)
{satp(mode)}
{enter("s")}
{say("supervisor")}
    li t0, 0x50000000
    ld t1, 0(t0)
    sd t1, 4(t0)
    la t1, 5f
    la t2, s_resume
    sd t1, 0(t2)
    jr t0
5:  li t0, 0x40000000
    ld t1, 0(t0)
    csrr t1, scause
{show("t1")}
    li t0, 1 << 18
    csrs sstatus, t0
{leave()}
{say("user")}
    li t0, PAGES
    la t1, body
    la t2, body_end
1:  lw a0, 0(t1)
    sw a0, 0(t0)
    addi t0, t0, 4
    addi t1, t1, 4
    bltu t1, t2, 1b
    fence.i
    li t0, 0x1800
    csrc mstatus, t0
    li t0, 0x40000000
    csrw mepc, t0
    la t0, back
    la t1, m_resume
    sd t0, 0(t1)
    la t1, go_machine
    li t0, 1
    sd t0, 0(t1)
    mret
body:
    li t0, 0x60000000
    ld t2, 0(t0)
    sw t2, 2(t0)
    li t0, 0x80000000
    ld t2, 0(t0)
    amoadd.w t2, t2, (t0)
    lr.d t2, (t0)
    ecall
body_end:
back:
{EPILOGUE}"""

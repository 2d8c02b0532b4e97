"""Programs about interrupts: priorities, delegation, the timers, wfi, software interrupts."""

from itertools import product

from tests.oracle.transcript import EPILOGUE, enter, leave, say, show

LINES = {"ssi": 1 << 1, "sti": 1 << 5, "sei": 1 << 9}
MSIP = "li t0, CLINT; li t1, 1; sw t1, 0(t0)\n"
MTIP = "li t0, MTIMECMP; sd zero, 0(t0)\n"
SETTLE = "csrr t0, mip; csrr t0, mip\n"
QUIET = "csrw mie, zero; csrci mstatus, 10\n"


def priorities(delegated: int) -> str:
    """Every set of pending interrupts in every mode, enabled or not there: what is taken, and in
    which order."""
    lines = [f"li t0, {delegated}; csrw mideleg, t0"]
    for pending in range(32):
        lines.append(say(f"pending {pending:x}"))
        for mode, enabled in (("m", 1), ("m", 0), ("s", 1), ("s", 0), ("u", 0)):
            lines.append(QUIET)
            bits = sum(bit for n, bit in enumerate(LINES.values()) if pending >> n & 1)
            lines.append(f"li t0, {bits}; csrw mip, t0")
            lines.append(MSIP * (pending >> 3 & 1) + MTIP * (pending >> 4 & 1) + SETTLE)
            lines.append("li t0, 0xaaa; csrw mie, t0")
            if mode == "m":
                lines.append("csrsi mstatus, 8; nop; nop; csrci mstatus, 8" if enabled else "nop")
                lines.append(show("csr:mip"))
                lines.append("csrw mip, zero; li t0, CLINT; sw zero, 0(t0)")
                lines.append("li t1, -1; li t0, MTIMECMP; sd t1, 0(t0)\n" + SETTLE)
                continue
            lines.append(f"li t0, 0x2a; csrc mstatus, t0; li t0, {2 * enabled}; csrs mstatus, t0")
            lines.append(enter(mode) + "nop\n" + leave() + show("csr:mip"))
    return "\n".join(lines) + EPILOGUE


def views() -> str:
    """sip and sie show what is delegated; what of them can be written."""
    lines = []
    for delegated, pending in product((0, 2, 0x20, 0x222), (0, 0x222)):
        lines.append(f"csrw mie, zero; li t0, {delegated}; csrw mideleg, t0")
        lines.append(f"li t0, {pending}; csrw mip, t0; csrw mie, t0")
        lines.append(show("csr:sip", "csr:sie", "csr:mip", "csr:mie"))
        lines.append("li t0, -1; csrw sie, t0; csrw sip, t0\n" + show("csr:sip", "csr:sie"))
        lines.append(show("csr:mie") + "csrw sip, zero; csrw sie, zero\n")
        lines.append(show("csr:sip", "csr:sie", "csr:mie") + "csrw mip, zero\n")
    return "\n".join(lines) + EPILOGUE


def timers() -> str:
    """mtimecmp and stimecmp: pending from their time on, and taken back by a later one."""
    soon = "li t0, MTIME; ld t1, 0(t0); addi t1, t1, 200\n"
    return f"""
{say("machine timer")}
    li t0, 0x80
    csrw mie, t0
{soon}
    li t0, MTIMECMP
    sd t1, 0(t0)
1:  csrr s1, mip
    andi s1, s1, 0x80
    beqz s1, 1b
    li t1, -1
    sd t1, 0(t0)
{SETTLE}
    csrr s1, mip
{show("s1")}
{soon}
    li t0, MTIMECMP
    sd t1, 0(t0)
1:  wfi
    csrr s1, mip
    andi s1, s1, 0x80
    beqz s1, 1b
    csrsi mstatus, 8
    nop
    csrci mstatus, 8
{soon}
    li t0, MTIMECMP
    sd t1, 0(t0)
    li t0, 0x80
    csrs mstatus, t0
{enter("s")}
    li t0, MTIMECMP
1:  ld t1, 0(t0)
    addi t1, t1, 1
    bnez t1, 1b
{leave()}
{say("supervisor timer")}
    li t0, 1 << 63
    csrs menvcfg, t0
    li t0, 2
    csrs mcounteren, t0
    li t0, 0x20
    csrw mideleg, t0
    csrw mie, t0
    csrs mip, t0
{show("csr:mip")}
    csrr t1, time
    addi t1, t1, 200
    csrw stimecmp, t1
1:  csrr s1, mip
    andi s1, s1, 0x20
    beqz s1, 1b
    li t1, -1
    csrw stimecmp, t1
{show("csr:mip")}
{enter("s")}
    csrr t1, time
    addi t1, t1, 300
    csrw stimecmp, t1
    csrsi sstatus, 2
1:  csrr t1, sie
    andi t1, t1, 0x20
    bnez t1, 1b
{show("csr:sie")}
    li t0, 0x20
    csrs sie, t0
    csrw stimecmp, zero
    nop
{show("csr:sie", "csr:sip")}
    li t1, -1
    csrw stimecmp, t1
{show("csr:sip")}
{leave()}
    li t0, MTIME
    ld t1, 0(t0)
    csrr t2, time
    ld t0, 0(t0)
    sltu t1, t2, t1
    sltu t0, t0, t2
{show("t1", "t0")}
{EPILOGUE}"""


def waiting() -> str:
    """wfi goes on when something is pending and enabled, whether or not it can be taken."""
    return f"""
    li t0, 2
    csrw mideleg, t0
    csrw mie, t0
    csrw mip, t0
    wfi
{say("pending, not delegated to M")}
    csrw mideleg, zero
    csrci mstatus, 8
    wfi
{say("pending, MIE off")}
    csrsi mstatus, 8
    nop
    csrci mstatus, 8
    li t0, 2
    csrw mideleg, t0
    csrw mip, t0
{enter("s")}
    csrci sstatus, 2
    wfi
    csrsi sstatus, 2
    nop
{leave()}
    csrci mstatus, 8
{MSIP}
    li t0, 8
    csrw mie, t0
    wfi
{say("software interrupt")}
    csrsi mstatus, 8
    nop
{EPILOGUE}"""

"""Bare-metal programs that tell over the UART what happens to them, here and in QEMU.

PRELUDE has the routines programs use: `putc`, `puts`, `puthex` (all with a0), and trap handlers for
M- and S-mode. A handler prints one line: its mode, cause, value, for exceptions the address, and
the previous mode and interrupt enable. It goes on behind the instruction, or at the address in
`m_resume` or `s_resume` (once), and in M-mode if `go_machine` is set (once). Sources of interrupts
are cleared.
"""

import subprocess
from pathlib import Path
from typing import Final

from tests.machine.bare import BASE, MEMORY, bare_machine
from tests.oracle.judges import QEMU, QEMU_CPU

from hospes.isa.riscv.profile import RV64
from hospes.machine.life import EndKind
from hospes.spec.vm import EngineKind

EQUATES: Final = """
.equ TEST, 0x100000
.equ CLINT, 0x2000000
.equ MTIMECMP, CLINT + 0x4000
.equ MTIME, CLINT + 0xBFF8
.equ UART, 0x10000000
.equ STACK, 0x80100000
.equ TRAP_STACK, 0x80108000
.equ S_TRAP_STACK, 0x80110000
.equ TABLES, 0x80200000
.equ PAGES, 0x80300000
"""

HANDLER: Final = """
.balign 4
{m}_handler:
    csrrw sp, {m}scratch, sp
    addi sp, sp, -128
    sd ra, 0(sp)
    sd a0, 8(sp)
    sd t0, 16(sp)
    sd t1, 24(sp)
    sd t2, 32(sp)
    sd t5, 40(sp)
    sd t6, 48(sp)
    li a0, '{M}'
    call putc
    csrr a0, {m}cause
    mv t0, a0
    call puthex
    csrr a0, {m}tval
    call puthex
    bltz t0, {m}_interrupt
    csrr a0, {m}epc
    call puthex
    la t1, {m}_resume
    ld t2, 0(t1)
    sd zero, 0(t1)
    bnez t2, 1f
    csrr t2, {m}epc
    lhu t0, 0(t2)
    addi t2, t2, 2
    andi t0, t0, 3
    addi t0, t0, -3
    bnez t0, 1f
    addi t2, t2, 2
1:  csrw {m}epc, t2
    j {m}_told
{m}_interrupt:
    {quench}
{m}_told:
    csrr a0, {m}status
    {previous}
    call puthex
    call newline
    {away}
    ld ra, 0(sp)
    ld a0, 8(sp)
    ld t0, 16(sp)
    ld t1, 24(sp)
    ld t2, 32(sp)
    ld t5, 40(sp)
    ld t6, 48(sp)
    addi sp, sp, 128
    csrrw sp, {m}scratch, sp
    {m}ret
"""
MACHINE_HANDLER: Final = HANDLER.format(
    m="m",
    M="M",
    quench="""
    li t0, CLINT
    sw zero, 0(t0)
    li t1, -1
    li t0, MTIMECMP
    sd t1, 0(t0)
    csrw stimecmp, t1
    csrw mip, zero""",
    previous="li t0, 0x1888\n and a0, a0, t0",
    away="""
    la t1, go_machine
    ld t2, 0(t1)
    beqz t2, 1f
    sd zero, 0(t1)
    li t2, 0x1800
    csrs mstatus, t2
1:""",
)
SUPERVISOR_HANDLER: Final = HANDLER.format(
    m="s",
    M="S",
    quench="csrci sip, 2\n csrr t0, scause\n andi t0, t0, 31\n li t1, 1\n sll t1, t1, t0\n"
    " csrc sie, t1",
    previous="li t0, 0x122\n and a0, a0, t0",
    away="",
)
ROUTINES: Final = """
putc:
    li t6, UART
1:  lbu t5, 5(t6)
    andi t5, t5, 0x20
    beqz t5, 1b
    sb a0, 0(t6)
    ret
newline:
    li a0, 10
    j putc
puts:
    addi sp, sp, -16
    sd ra, 0(sp)
    sd s11, 8(sp)
    mv s11, a0
1:  lbu a0, 0(s11)
    beqz a0, 2f
    call putc
    addi s11, s11, 1
    j 1b
2:  ld ra, 0(sp)
    ld s11, 8(sp)
    addi sp, sp, 16
    ret
# A blank and the number without leading zeros.
puthex:
    addi sp, sp, -32
    sd ra, 0(sp)
    sd s10, 8(sp)
    sd s11, 16(sp)
    mv s11, a0
    li a0, 32
    call putc
    li s10, 64
1:  addi s10, s10, -4
    beqz s10, 2f
    srl a0, s11, s10
    beqz a0, 1b
2:  srl a0, s11, s10
    andi a0, a0, 15
    addi a0, a0, 48
    li t5, 58
    blt a0, t5, 3f
    addi a0, a0, 39
3:  call putc
    addi s10, s10, -4
    bgez s10, 2b
    ld ra, 0(sp)
    ld s10, 8(sp)
    ld s11, 16(sp)
    addi sp, sp, 32
    ret
finish:
    li t0, TEST
    li t1, 0x5555
    sw t1, 0(t0)
    j .
"""
PRELUDE: Final = (
    EQUATES
    + "\n    j start\n"
    + ROUTINES
    + MACHINE_HANDLER
    + SUPERVISOR_HANDLER
    + """
.balign 8
m_resume: .dword 0
s_resume: .dword 0
go_machine: .dword 0
start:
    li sp, STACK
    li t0, TRAP_STACK
    csrw mscratch, t0
    li t0, S_TRAP_STACK
    csrw sscratch, t0
    la t0, m_handler
    csrw mtvec, t0
    la t0, s_handler
    csrw stvec, t0
    li t0, -1
    csrw pmpaddr0, t0
    li t0, 0x1f
    csrw pmpcfg0, t0
    csrw mideleg, zero
    csrw medeleg, zero
    csrw mie, zero
    li t0, MTIMECMP
    li t1, -1
    sd t1, 0(t0)
    csrw stimecmp, t1
"""
)
EPILOGUE: Final = "\n j finish\n"
MODE_BITS: Final = {"u": 0, "s": 1 << 11, "m": 3 << 11}


def say(text: str) -> str:
    """Print a line."""
    return f'la a0, 1f; call puts; j 2f; 1: .asciz "{text}\\n"; .balign 4; 2:\n'


def show(*sources: str) -> str:
    """Print registers or CSRs (written `csr:name`) on a line."""
    lines = []
    for name in sources:
        take = f"csrr a0, {name[4:]}" if name.startswith("csr:") else f"mv a0, {name}"
        lines.append(f"{take}; call puthex; ")
    return "".join(lines) + "call newline\n"


def enter(mode: str, target: str = "7f") -> str:
    """Go on in a mode at a label (default: right here)."""
    here = "7:\n" if target == "7f" else ""
    return f"""
    li t0, 0x1800
    csrc mstatus, t0
    li t0, {MODE_BITS[mode]}
    csrs mstatus, t0
    la t0, {target}
    csrw mepc, t0
    mret
{here}"""


def leave() -> str:
    """From S- or U-mode back to M-mode by an ecall, which must not be delegated; it is told."""
    return """
    la t0, go_machine
    li t1, 1
    sd t1, 0(t0)
    ecall
"""


class Collector:
    """A console's sink that keeps everything."""

    def __init__(self) -> None:
        self.data = bytearray()

    def write(self, data: bytes) -> int:
        self.data += data
        return len(data)

    def input_taken(self) -> None:
        """Input is not used."""


def hospes_transcript(source: str, engine: EngineKind) -> str:
    """What the program tells in a machine of ours; it must switch the machine off."""
    collector = Collector()
    with bare_machine(PRELUDE + source, engine=engine) as machine:
        machine.console.attach(collector)
        ending = machine.run()
    assert (ending.kind, ending.exit_code) == (EndKind.GUEST, 0)
    return collector.data.decode()


def qemu_transcript(source: str, directory: Path, features: str = "", timeout_s: int = 60) -> str:
    """What the program tells in QEMU with these features of the CPU added."""
    image = directory / "program.bin"
    image.write_bytes(RV64.assemble(PRELUDE + source, BASE))
    output = directory / "transcript.txt"
    command = [
        QEMU, "-M", "virt", "-m", f"{MEMORY >> 20}M", "-cpu", QEMU_CPU + features, "-bios", "none",
        "-device", f"loader,file={image},addr={BASE:#x}", "-display", "none", "-monitor", "none",
        "-serial", f"file:{output}",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, timeout=timeout_s, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return output.read_text()

"""Programs for a supervisor with AIA, here and in QEMU: what its CSRs and the APLIC say.

The program is the same bytes in both. Here our own firmware starts it; in QEMU a few instructions
of M-mode do, which delegate interrupts and the clock's source, and tell the APLIC the address of
the supervisor's interrupt files.
"""

import random
import re
import shutil
import subprocess
from pathlib import Path
from typing import Final

from tests.machine.bare import BASE, KERNEL, MEMORY, kernel_machine
from tests.oracle.judges import QEMU, QEMU_CPU
from tests.oracle.transcript import EQUATES, ROUTINES, Collector, show

from hospes.isa.riscv.csr import CSR_NUMBERS
from hospes.isa.riscv.profile import RV64
from hospes.machine.life import EndKind
from hospes.spec.vm import EngineKind

RTC_SOURCE: Final = 11
SELECTS: Final = (0x70, 0x72, *range(0x80, 0x88, 2), *range(0xC0, 0xC8, 2))
SETIP, SETIPNUM, IN_CLRIP, CLRIPNUM, SETIE = 0x1C00, 0x1CDC, 0x1D00, 0x1DDC, 0x1E00
TARGET: Final = 0x3000 + 4 * RTC_SOURCE
WRITES: Final[tuple[tuple[int, tuple[int, ...]], ...]] = (
    (SETIP, (0, 1 << RTC_SOURCE, 0xFFFF_FFFF)),
    (SETIPNUM, (RTC_SOURCE,)),
    (0x2000, (RTC_SOURCE,)),
    (0x2004, (RTC_SOURCE << 24,)),
    (IN_CLRIP, (0, 1 << RTC_SOURCE)),
    (CLRIPNUM, (RTC_SOURCE, 0, 5)),
    (SETIE, (1 << RTC_SOURCE, 0xFFFF_FFFF)),
    (0x1EDC, (RTC_SOURCE,)),
    (0x1F00, (0, 1 << RTC_SOURCE)),
    (0x1FDC, (RTC_SOURCE, 0)),
    (0x3000, (1, 77, 255)),
    (TARGET, tuple(range(0, 256, 5))),
    (0x0, (0, 0x100, 0x104)),
)
"""Registers of the APLIC and what is written to them; the first four set pending bits."""
AIA_CSRS: Final = ("siselect", "sireg", "stopei", "stopi")
NAMED: Final = {name: f"{CSR_NUMBERS[name]:#x}" for name in AIA_CSRS}
ABSENT: Final = {0x71, *range(0x73, 0x80), *range(0x88, 0xC0, 2), *range(0xC8, 0x100, 2)}
"""Reserved numbers, and registers without identities: QEMU 7.2 has an illegal instruction where
sections 3.7 and 3.8 want zero."""
THRESHOLD_WRITTEN: Final = " 72 72 0 {:x} 0"
"""eithreshold after all ones: WLRL, so anything that holds 255."""

MACHINE: Final = f"""
.equ APLIC_M, 0xc000000
    li t0, -1
    csrw pmpaddr0, t0
    li t0, 0x1f
    csrw pmpcfg0, t0
    li t0, 0x222
    csrw mideleg, t0
    li t0, APLIC_M
    li t1, 0x28000
    li t2, 0x1bc8
    add t2, t0, t2
    sw t1, 0(t2)
    sw zero, 4(t2)
    li t1, 0x400
    sw t1, {4 * RTC_SOURCE}(t0)
    li t0, 0xb1ff
    csrw medeleg, t0
    li t0, 0x1800
    csrc mstatus, t0
    li t0, 0x800
    csrs mstatus, t0
    li t0, {KERNEL}
    csrw mepc, t0
    mret
"""

PRELUDE: Final = (
    EQUATES.replace("0x80100000", "0x80500000").replace("0x80110000", "0x80510000")
    + """
.equ APLIC, 0xd000000
.equ IMSIC, 0x28000000
.equ RTC, 0x101000
    j start
"""
    + ROUTINES
    + f"""
.balign 4
# s9 = cause of a trap; an exception is stepped over, an external interrupt claimed into s8.
s_handler:
    csrr s9, scause
    bltz s9, 1f
    csrr s8, sepc
    addi s8, s8, 4
    csrw sepc, s8
    csrr s8, stval
    sret
1:  csrrw s8, {NAMED["stopei"]}, x0
    sret
start:
    li sp, STACK
    la t0, s_handler
    csrw stvec, t0
    csrw sie, zero
    li s4, APLIC
    li s5, IMSIC
    li s6, RTC
"""
)


def select_numbers() -> str:
    """Every number in siselect, and what reading and writing sireg then does.

    Of priorities (0x30 to 0x3F), which may be anything here, only whether they are there.
    """
    return f"""
    li s0, 0
1:  li s9, 0
    li s2, 0
    li s3, 0
    csrw {NAMED["siselect"]}, s0
    csrr s1, {NAMED["siselect"]}
    csrr s2, {NAMED["sireg"]}
    li t0, -1
    csrw {NAMED["sireg"]}, t0
    csrr s3, {NAMED["sireg"]}
    srli t0, s0, 4
    addi t0, t0, -3
    bnez t0, 2f
    li s2, 0
    li s3, 0
2:
{show("s0", "s1", "s2", "s3", "s9")}
    addi s0, s0, 1
    li t0, 0x200
    bltu s0, t0, 1b
    j finish
"""


def corrected(line: str) -> str:
    """A line of select_numbers in QEMU, as it should be."""
    if line == THRESHOLD_WRITTEN.format(0x7FF):
        return THRESHOLD_WRITTEN.format(0xFF)
    number = int(line.split(maxsplit=1)[0], 16)
    trapped = f" {number:x} {number:x} 0 0 2"
    return f" {number:x} {number:x} 0 0 0" if number in ABSENT and line == trapped else line


def _file_operation(choose: random.Random) -> str:
    kind = choose.random()
    if kind < 0.4:
        return f"li t0, {choose.randrange(260)}; sw t0, {choose.choice((0, 0, 0, 8))}(s5)"
    if kind < 0.6:
        return f"csrrw s0, {NAMED['stopei']}, x0"
    operation = choose.choice(("csrrw", "csrrs", "csrrc"))
    select = choose.choice(SELECTS)
    value = choose.getrandbits(64) & choose.getrandbits(64)
    if select < 0x80:
        operation, value = "csrrw", choose.choice((0, 1, 1, choose.randrange(256)))
    return (
        f"li t0, {select}; csrw {NAMED['siselect']}, t0; li t0, {value}\n"
        f"{operation} s0, {NAMED['sireg']}, t0"
    )


def interrupt_file(seed: int, operations: int = 100) -> str:
    """Random messages, claims and changes, and what the hart sees after each."""
    choose = random.Random(seed)
    lines = ["li t0, 0x200; csrw sie, t0"]
    for _ in range(operations):
        lines.append(f"li s0, 0; li s9, 0; li s8, 0\n{_file_operation(choose)}")
        lines.append(f"csrr s1, {NAMED['stopei']}; csrr s2, sip; csrr s3, {NAMED['stopi']}")
        if choose.random() < 0.3:
            lines.append("csrsi sstatus, 2; nop; csrci sstatus, 2")
        lines.append("sltu s3, zero, s3" + "\n" + show("s0", "s1", "s2", "s3", "s8", "s9"))
    return "\n".join(lines) + "\n j finish\n"


class Source:
    """Random operations on the clock's source, kept to where QEMU 10 follows the specification.

    It does not clear the pending bit of a level-sensitive source when the input goes low (4.7), and
    tells the wire of a Detached one (4.5.2).
    """

    def __init__(self, choose: random.Random, modes: tuple[int, ...]) -> None:
        self.choose = choose
        self.modes = modes
        self.mode = 0
        self.level = 0

    @property
    def low(self) -> bool:
        """Whether this is a level-sensitive source whose input is low."""
        return (self.mode, self.level) in ((6, 0), (7, 1))

    def configure(self) -> str:
        """Another mode, with the wire low."""
        self.mode, self.level = self.choose.choice(self.modes), 0
        return (
            f"sw zero, {4 * RTC_SOURCE}(s4); sw zero, 0x10(s6)\n"
            f"li t0, {self.mode}; sw t0, {4 * RTC_SOURCE}(s4)\n"
            f"li t0, {TARGET}; add t0, t0, s4; sw zero, 0(t0)\n" + self._clear_pending()
        )

    def operation(self) -> str:
        """A write to a register, or a level of the wire."""
        if self.choose.random() < 0.35:
            self.level ^= 1
            clear = self._clear_pending() if self.low else ""
            return f"{clear}li t0, {self.level}; sw t0, 0x10(s6)"
        choices = WRITES[4:] if self.low else WRITES
        register, values = self.choose.choice(choices)
        return self._write(register, self.choose.choice(values))

    def _clear_pending(self) -> str:
        return self._write(CLRIPNUM, RTC_SOURCE) + "\n"

    def _write(self, register: int, value: int) -> str:
        return f"li t0, {register}; add t0, s4, t0; li t1, {value}; sw t1, 0(t0)"

    def shown(self) -> str:
        """What the registers say of the source, and what messages have come."""
        lines = [f"lw s0, 0(s4); lw s1, {4 * RTC_SOURCE}(s4)"]
        for register, offset in (("s2", SETIP), ("s3", IN_CLRIP), ("s7", SETIE)):
            lines.append(f"li t0, {offset}; add t0, t0, s4; lw {register}, 0(t0)")
            lines.append(f"srli {register}, {register}, {RTC_SOURCE}")
            lines.append(f"andi {register}, {register}, 1")
        lines.append(f"csrrw s8, {NAMED['stopei']}, x0; csrrw s9, {NAMED['stopei']}, x0")
        inputs = () if self.mode == 1 else ("s3",)
        lines.append(show("s0", "s1", "s2", *inputs, "s7", "s8", "s9"))
        return "\n".join(lines)


def sources(modes: tuple[int, ...], seed: int, operations: int = 100) -> str:
    """Random changes to a source in some of its modes, and the messages it sends."""
    source = Source(random.Random(seed), modes)
    lines = ["sw zero, 12(s6); sw zero, 8(s6); li t0, 0x104; sw t0, 0(s4)"]
    for select in range(0xC0, 0xC8, 2):
        lines.append(f"li t0, {select}; csrw {NAMED['siselect']}, t0; li t0, -1")
        lines.append(f"csrw {NAMED['sireg']}, t0")
    for number in range(operations):
        change = source.operation() if number % 25 else source.configure()
        lines += [change, source.shown()]
    return "\n".join(lines) + "\n j finish\n"


def qemu_version() -> int:
    """The installed QEMU's major version; 0 if there is none."""
    if shutil.which(QEMU) is None:
        return 0
    said = subprocess.run([QEMU, "--version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"version (\d+)", said)
    return int(found[1]) if found else 0


def hospes_transcript(source: str, engine: EngineKind) -> str:
    """What the program tells in a machine of ours."""
    collector = Collector()
    with kernel_machine(PRELUDE + source, engine=engine) as machine:
        machine.console.attach(collector)
        ending = machine.run()
    assert (ending.kind, ending.exit_code) == (EndKind.GUEST, 0)
    return collector.data.decode()


def qemu_transcript(source: str, directory: Path, timeout_s: int = 60) -> str:
    """What it tells in QEMU."""
    output = directory / "transcript.txt"
    command = [
        QEMU, "-M", "virt,aia=aplic-imsic", "-m", f"{MEMORY >> 20}M", "-bios", "none",
        "-cpu", QEMU_CPU + ",x-smaia=true,x-ssaia=true",
        "-display", "none", "-monitor", "none", "-serial", f"file:{output}",
    ]  # fmt: skip
    for name, address, text in (("machine", BASE, MACHINE), ("program", KERNEL, PRELUDE + source)):
        image = directory / f"{name}.bin"
        image.write_bytes(RV64.assemble(text, address))
        command += ["-device", f"loader,file={image},addr={address:#x}"]
    done = subprocess.run(command, capture_output=True, timeout=timeout_s, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return output.read_text()

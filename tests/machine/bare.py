"""Bare-metal programs and little kernels for machines in tests."""

from dataclasses import replace
from pathlib import Path

from hospes.firmware.image import BootFiles, Executable, ImageKind, Segment
from hospes.isa.riscv.profile import RV64
from hospes.machine.machine import Machine
from hospes.spec.disk import DiskSpec
from hospes.spec.vm import EngineKind, InterruptKind, VmSpec
from hospes.spec.volume import VolumeSpec

BASE = 0x8000_0000
KERNEL = 0x8020_0000
MEMORY = 8 << 20

EQUATES = """
.equ TEST, 0x100000
.equ RTC, 0x101000
.equ CLINT, 0x2000000
.equ UART, 0x10000000
.equ PASS, 0x5555
.equ FAIL, 0x3333
.equ RESET, 0x7777
"""


def executable(source: str, base: int, symbols: tuple[str, ...] = ()) -> Executable:
    """An assembled program at an address."""
    program = RV64.program(EQUATES + source, base)
    segment = Segment(base, program.code, len(program.code))
    named = {name: program.symbols[name] for name in symbols}
    return Executable("test program", ImageKind.ELF, (segment,), base, False, named)


def bare_machine(
    source: str,
    *,
    cpus: int = 1,
    engine: EngineKind = EngineKind.REFERENCE,
    symbols: tuple[str, ...] = (),
    restart: bool = True,
    disks: tuple[DiskSpec, ...] = (),
    ports: bool = False,
    volumes: tuple[VolumeSpec, ...] = (),
) -> Machine:
    """A machine that runs a program in M-mode at 0x8000_0000."""
    files = BootFiles(firmware=executable(source, BASE, symbols))
    spec = replace(_spec(cpus, engine), disks=disks, ports=ports, volumes=volumes)
    return Machine(spec, files, restart=restart)


def kernel_machine(
    source: str,
    *,
    cpus: int = 1,
    engine: EngineKind = EngineKind.REFERENCE,
    interrupts: InterruptKind = InterruptKind.AIA,
) -> Machine:
    """A machine that runs a program as a kernel, in S-mode, on our own SBI."""
    spec = replace(_spec(cpus, engine), bios=None, kernel=Path("test.elf"), interrupts=interrupts)
    return Machine(spec, BootFiles(kernel=executable(source, KERNEL)))


def _spec(cpus: int, engine: EngineKind) -> VmSpec:
    return VmSpec(bios=Path("test.elf"), cpus=cpus, memory_bytes=MEMORY, engine=engine)

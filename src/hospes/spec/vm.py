"""What a user asks for when asking for a machine: frozen, checked, each refusal one sentence."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from hospes.base.errors import HospesError
from hospes.spec.disk import DiskSpec
from hospes.spec.net import NO_NETWORK, NetworkSpec
from hospes.spec.size import format_size
from hospes.spec.volume import VolumeSpec, check_volumes
from hospes.spec.vsock import VsockSpec

CPUS_MAX: Final = 64
DISKS_MAX: Final = 24
DISKS_AND_VOLUMES_MAX: Final = 26
"""So that there are enough slots for them and for everything else."""
PAGE_BYTES: Final = 4096
MEMORY_MIN_BYTES: Final = 1024 * 1024
MEMORY_MAX_BYTES: Final = 1 << 40
MEMORY_DEFAULT_BYTES: Final = 1 << 30
APPEND_MAX_BYTES: Final = 1023
"""Linux on RISC-V keeps 1024 bytes of command line, the terminating zero included."""


class EngineKind(StrEnum):
    """Which engine runs the guest's instructions."""

    THREADED = "threaded"
    REFERENCE = "reference"


class InterruptKind(StrEnum):
    """Which interrupt architecture the machine has."""

    AIA = "aia"
    PLIC = "plic"


@dataclass(frozen=True)
class VmSpec:
    """One machine: processors, memory and what it boots; HospesError if that cannot be.

    Without a choice of `interrupts`, it is AIA, or the PLIC for M-mode firmware.
    With `from_disk` it boots what its disks hold, and the kernel only if they hold nothing.
    Backing files of disks may lie in the directories `allow`, besides the disk's own.
    With `ports`, it has a console with many ports (spec/ports.py) for what goes on beside its
    consoles; with `balloon`, the guest can be asked to make do with less memory. It has a network
    card if `network` is of a kind that has one. The guest finds `volumes` by their mount tags, and
    with `vsock` it has sockets to the host.
    """

    kernel: Path | None = None
    initrd: Path | None = None
    bios: Path | None = None
    append: str = ""
    cpus: int = 1
    memory_bytes: int = MEMORY_DEFAULT_BYTES
    engine: EngineKind = EngineKind.THREADED
    disks: tuple[DiskSpec, ...] = ()
    interrupts: InterruptKind | None = None
    from_disk: bool = False
    allow: tuple[Path, ...] = ()
    ports: bool = False
    balloon: bool = False
    network: NetworkSpec = NO_NETWORK
    volumes: tuple[VolumeSpec, ...] = ()
    vsock: VsockSpec | None = None

    def __post_init__(self) -> None:
        _check_boot(self)
        _check_append(self.append)
        _check_cpus(self.cpus)
        _check_memory(self.memory_bytes)
        _check_engine(self.engine)
        _check_interrupts(self.interrupts, self.bios)
        if len(self.disks) > DISKS_MAX:
            raise HospesError(f"{len(self.disks)} disks cannot be had; ask for up to {DISKS_MAX}")
        check_volumes(self.volumes)
        together = len(self.disks) + len(self.volumes)
        if together > DISKS_AND_VOLUMES_MAX:
            raise HospesError(
                f"{together} disks and shared folders cannot be had; ask for up to "
                f"{DISKS_AND_VOLUMES_MAX} together"
            )

    @property
    def interrupt_kind(self) -> InterruptKind:
        """What was asked for, or goes with what is booted."""
        if self.interrupts is not None:
            return InterruptKind(self.interrupts)
        return InterruptKind.AIA if self.bios is None else InterruptKind.PLIC


def _check_boot(spec: VmSpec) -> None:
    if spec.from_disk and not spec.disks:
        raise HospesError("there is no disk to boot from; give --disk or the name of an image")
    if spec.from_disk and spec.bios is not None:
        raise HospesError(f"firmware {spec.bios} boots by itself; leave it out to boot from a disk")
    if spec.from_disk and spec.kernel is None and spec.initrd is None:
        return
    if spec.kernel is None and spec.bios is None:
        raise HospesError("there is nothing to boot; give --kernel, --bios or the name of an image")
    if spec.initrd is not None and spec.kernel is None:
        raise HospesError(f"initrd {spec.initrd} is of no use without a kernel; add --kernel")
    if spec.append and spec.kernel is None:
        raise HospesError("a kernel command line is of no use without a kernel; add --kernel")


def _check_append(append: str) -> None:
    if not append.isprintable():
        raise HospesError("the kernel command line has control characters; remove them")
    size = len(append.encode())
    if size > APPEND_MAX_BYTES:
        raise HospesError(
            f"the kernel command line has {size} bytes, but Linux on RISC-V keeps only "
            f"{APPEND_MAX_BYTES}; shorten --append"
        )


def _check_cpus(cpus: int) -> None:
    if not 1 <= cpus <= CPUS_MAX:
        raise HospesError(f"{cpus} CPUs cannot be had; ask for 1 to {CPUS_MAX}")


def _check_memory(memory_bytes: int) -> None:
    low, high = format_size(MEMORY_MIN_BYTES), format_size(MEMORY_MAX_BYTES)
    if not MEMORY_MIN_BYTES <= memory_bytes <= MEMORY_MAX_BYTES:
        raise HospesError(
            f"{format_size(memory_bytes)} bytes of memory cannot be had; ask for {low} to {high}"
        )
    if memory_bytes % PAGE_BYTES:
        raise HospesError(
            f"memory of {memory_bytes} bytes is not a multiple of {PAGE_BYTES}; "
            f"ask for {memory_bytes + -memory_bytes % PAGE_BYTES}"
        )


def _check_engine(engine: str) -> None:
    if engine not in EngineKind.__members__.values():
        names = " or ".join(kind.value for kind in EngineKind)
        raise HospesError(f"there is no engine {engine!r}; choose {names}")


def _check_interrupts(kind: str | None, bios: Path | None) -> None:
    if kind is not None and kind not in InterruptKind.__members__.values():
        names = " or ".join(kind.value for kind in InterruptKind)
        raise HospesError(f"there is no interrupt architecture {kind!r}; choose {names}")
    if kind == InterruptKind.AIA and bios is not None:
        raise HospesError(
            f"firmware {bios} cannot have AIA, which is of supervisor level here; "
            "leave out --interrupts aia or --bios"
        )

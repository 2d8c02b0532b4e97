"""A machine as it was asked for, and as it is kept."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hospes.spec.disk import DiskSpec
from hospes.spec.net import NO_NETWORK, NetworkSpec
from hospes.spec.vm import EngineKind, InterruptKind
from hospes.spec.volume import VolumeSpec

SPEC_VERSION: Final = 1


@dataclass(frozen=True, kw_only=True)
class MachineSpec:
    """A machine as it was asked for, so that it can be started the same way again.

    Paths are absolute, but for disks of the machine's own, which are in its directory.
    """

    version: int = SPEC_VERSION
    image: str | None = None
    kernel: Path | None = None
    initrd: Path | None = None
    bios: Path | None = None
    append: str = ""
    memory: str | None = None
    cpus: int = 1
    engine: EngineKind = EngineKind.THREADED
    disks: tuple[DiskSpec, ...] = ()
    interrupts: InterruptKind | None = None
    allow: tuple[Path, ...] = ()
    network: NetworkSpec = NO_NETWORK
    vsock_cid: int = 0
    volumes: tuple[VolumeSpec, ...] = ()

    @property
    def boots_disk(self) -> bool:
        """Whether it boots what a disk of the user's own holds."""
        return self.image is None and self.kernel is None and self.bios is None

"""A machine that is kept: what was asked for, and what its directory says of its life."""

from pathlib import Path
from typing import Final

import msgspec

from hospes.spec.disk import DiskSpec
from hospes.spec.net import NO_NETWORK, NetworkSpec
from hospes.spec.vm import EngineKind, InterruptKind, VmSpec
from hospes.spec.volume import VolumeSpec

SPEC_FILE: Final = "machine.json"
LOCK_FILE: Final = "lock"
"""Locked (flock) by the process that runs the machine; whether it runs is known by nothing else."""
SOCKET_FILE: Final = "socket"
CONSOLE_FILE: Final = "console.log"
OLDER_CONSOLE_FILE: Final = "console.log.1"
WORKER_LOG_FILE: Final = "worker.log"
STARTED_FILE: Final = "started.json"
ENDING_FILE: Final = "ending.json"
RESERVE_FILE: Final = "reserve"
"""Space for writing down the end, should the machine fill the host's disk."""

SPEC_VERSION: Final = 1


class MachineSpec(msgspec.Struct, frozen=True, kw_only=True):
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
    volumes: tuple[VolumeSpec, ...] = ()


class Boot(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker is given: the machine to make, and which agent its guest has ("" for none).

    With `paused`, no guest instruction is executed before a client lets the machine go on.
    """

    spec: VmSpec
    agent: str = ""
    paused: bool = False


class Started(msgspec.Struct, frozen=True, kw_only=True):
    """The last start: the worker's process, and when, in seconds since 1970."""

    process: int
    when_s: float
    agent: str = ""


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """The last end. `kind` says why; `exit_code` is the guest's when it switched itself off."""

    kind: str
    exit_code: int
    when_s: float
    message: str = ""
    remarks: tuple[str, ...] = ()

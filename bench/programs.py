"""The programs compared: how a user starts each on a Linux guest and on bare metal."""

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.folder_loads import TAG
from bench.guest import LinuxGuest
from bench.system_guest import SystemGuest
from hospes.base.errors import HospesError
from hospes.base.log import hospes_version
from hospes.spec.volume import VolumeKind, VolumeSpec

QEMU: Final = "qemu-system-riscv64"
QEMU_NAME: Final = "QEMU"
HOSPES_NAME: Final = "Hospes"
FIRST_CARD, SECOND_CARD = "52:54:00:00:00:01", "52:54:00:00:00:02"
NETWORK: Final = "bench"
BARE_MEMORY: Final = "1024M"


@dataclass(frozen=True)
class Program:
    """One machine program: its command lines for Linux, a raw M-mode image and a whole system.

    `nat` is added for a card on user-mode NAT, where 10.0.2.2 leads to the host's loopback.
    `cabled` is Linux in a network with another one, which has the first of the two ready; both are
    given the same directory.
    `shared` is for Linux with a folder of the host, whose mount tag is `folder_loads.TAG`; for
    QEMU, a virtiofsd must serve it at `virtiofsd_socket`.
    """

    name: str
    version: str
    linux: Callable[[LinuxGuest, str], list[str]]
    bare: Callable[[Path], list[str]]
    system: Callable[[SystemGuest], list[str]]
    nat: tuple[str, ...]
    cabled: Callable[[LinuxGuest, str, Path, bool], list[str]]
    shared: Callable[[LinuxGuest, Path, VolumeKind], list[str]]


def virtiofsd_socket(folder: Path) -> Path:
    """Where a virtiofsd that serves a folder to QEMU listens."""
    return folder.with_suffix(".socket")


def _mebibytes(size_bytes: int) -> str:
    return f"{size_bytes >> 20}M"


def qemu() -> Program:
    """QEMU as it is installed; HospesError if it is not."""
    path = shutil.which(QEMU)
    if path is None:
        raise HospesError(
            f"{QEMU} is not installed; the bench compares with it: "
            "install it with 'apt-get install qemu-system-misc'"
        )
    told = subprocess.run([path, "--version"], capture_output=True, text=True, check=True).stdout
    version = re.search(r"version (\S+)", told)
    start = [path, "-M", "virt", "-nographic"]

    def linux(guest: LinuxGuest, append: str) -> list[str]:
        return [
            *start, "-m", _mebibytes(guest.memory_bytes), "-kernel", str(guest.kernel),
            "-initrd", str(guest.initrd), "-append", append,
        ]  # fmt: skip

    def bare(image: Path) -> list[str]:
        return [*start, "-m", BARE_MEMORY, "-bios", str(image)]

    def system(guest: SystemGuest) -> list[str]:
        disks = (
            f"file={guest.fresh_root()},format=qcow2",
            f"file={guest.scratch},format=raw",
            f"file={guest.packages},format=raw,readonly=on",
        )
        return [
            *start, "-m", _mebibytes(guest.memory_bytes), "-kernel", str(guest.image.kernel),
            "-initrd", str(guest.image.initrd), "-append", guest.append,
            *(word for disk in disks for word in ("-drive", f"{disk},if=virtio")),
        ]  # fmt: skip

    def cabled(guest: LinuxGuest, append: str, place: Path, first: bool) -> list[str]:
        cable = f"addr.type=unix,addr.path={place / 'cable'},server={'on' if first else 'off'}"
        card = f"virtio-net-pci,romfile=,netdev=net,mac={FIRST_CARD if first else SECOND_CARD}"
        return [*linux(guest, append), "-netdev", f"stream,id=net,{cable}", "-device", card]

    def shared(guest: LinuxGuest, folder: Path, kind: VolumeKind) -> list[str]:
        if kind == VolumeKind.VIRTIOFS:
            memory = f"memory-backend-memfd,id=ram,size={_mebibytes(guest.memory_bytes)},share=on"
            return [
                *linux(guest, guest.append), "-object", memory, "-machine", "memory-backend=ram",
                "-chardev", f"socket,id=folder,path={virtiofsd_socket(folder)}",
                "-device", f"vhost-user-fs-pci,chardev=folder,tag={TAG}",
            ]  # fmt: skip
        options = f"local,path={folder},mount_tag={TAG},security_model=mapped-xattr"
        return [*linux(guest, guest.append), "-virtfs", options]

    number = version[1] if version else "unknown"
    nat = ("-netdev", "user,id=nat", "-device", "virtio-net-pci,netdev=nat,romfile=")
    return Program(QEMU_NAME, number, linux, bare, system, nat, cabled, shared)


def hospes() -> Program:
    """This checkout's Hospes, started by its command line."""
    start = [sys.executable, "-m", "hospes", "run"]

    def linux(guest: LinuxGuest, append: str) -> list[str]:
        return [
            *start, "--memory", _mebibytes(guest.memory_bytes), "--kernel", str(guest.kernel),
            "--initrd", str(guest.initrd), "--append", append,
        ]  # fmt: skip

    def bare(image: Path) -> list[str]:
        return [*start, "--memory", BARE_MEMORY, "--bios", str(image)]

    def system(guest: SystemGuest) -> list[str]:
        base = guest.image.disk
        assert base is not None
        disks = (
            str(guest.fresh_root()),
            str(guest.scratch),
            f"{guest.packages},format=raw,readonly",
        )
        return [
            *start, "--memory", _mebibytes(guest.memory_bytes), "--append", guest.append,
            "--allow", str(base.parent), *(word for disk in disks for word in ("--disk", disk)),
        ]  # fmt: skip

    def cabled(guest: LinuxGuest, append: str, place: Path, first: bool) -> list[str]:
        home = ["env", f"HOSPES_HOME={place}"]
        if first:
            create = [*home, sys.executable, "-m", "hospes", "network", "create", NETWORK]
            subprocess.run(create, stdout=subprocess.DEVNULL, check=True)
        return [*home, *linux(guest, append), "--network", f"switch:{NETWORK}"]

    def shared(guest: LinuxGuest, folder: Path, kind: VolumeKind) -> list[str]:
        volume = VolumeSpec(folder, "/shared", kind=kind)
        return [*linux(guest, guest.append), "--volume", str(volume)]

    nat = ("--network", "nat", "--allow-host")
    return Program(HOSPES_NAME, hospes_version(), linux, bare, system, nat, cabled, shared)

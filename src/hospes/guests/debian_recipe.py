"""What an image with a root disk is made of, and who runs the guest that makes it."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from hospes.guests import debian_settings
from hospes.guests.builder import APPEND as COMMON_APPEND
from hospes.guests.builder import KERNEL_PACKAGE, MEBIBYTE
from hospes.guests.debian_script import INSTALL_SCRIPT
from hospes.spec.vm import VmSpec

BASE_PACKAGES: Final = (
    "init", "systemd-sysv", "systemd-resolved", "udev", "dbus", "libpam-systemd", "kmod",
    "adduser", "apt", "debian-archive-keyring", "e2fsprogs", "fdisk", "iproute2", "iputils-ping",
    "less", "nano", "netbase", "procps", KERNEL_PACKAGE, "initramfs-tools", "lz4",
    "qemu-guest-agent",
)  # fmt: skip
APPEND: Final = f"root=LABEL=root rw {COMMON_APPEND}"
DISK_BYTES: Final = 8192 * MEBIBYTE


class Driver(Protocol):
    """Runs a machine for a while; given by whoever knows machines."""

    def __call__(self, spec: VmSpec, command: str, output: Callable[[bytes], object]) -> int:
        """Run a command in the guest, whose agent listens, and end the machine; the exit code."""
        ...


@dataclass(frozen=True)
class DebianRecipe:
    """A Debian with these packages besides the base; the disk has `disk_bytes`."""

    name: str
    description: str
    packages: tuple[str, ...] = ()
    disk_bytes: int = DISK_BYTES
    memory_bytes: int = 1024 * MEBIBYTE
    listed: bool = True

    @property
    def digest(self) -> str:
        """Changes with everything of ours that goes into an image."""
        parts = (
            BASE_PACKAGES, self.packages, self.disk_bytes, INSTALL_SCRIPT, APPEND,
            debian_settings.early_files(), debian_settings.late_files(self.name, "", None),
        )  # fmt: skip
        return hashlib.sha256(repr(parts).encode()).hexdigest()

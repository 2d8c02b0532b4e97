"""Debian's own installer: its kernel and initrd, as the package of network boot images has them."""

from pathlib import Path
from typing import Final

from hospes.base.errors import HospesError
from hospes.guests.deb import Package

PACKAGE: Final = "debian-installer-13-netboot-riscv64"
FLAVOUR: Final = "/text/debian-installer/riscv64/"
TERMINALS: Final = ("vt102", "xterm", "screen", "linux", "ansi", "dumb")
"""Without knowledge of the terminal the installer starts over and over."""
FILES: Final = (("linux", "kernel"), ("initrd.gz", "initrd"))


def unpack_boot_files(package: Package, directory: Path) -> None:
    """Write the installer's kernel and initrd, as they are, into a directory."""
    found = {
        entry.path.rpartition("/")[2]: entry.data
        for entry in package.files(lambda path: path.endswith(tuple(FLAVOUR + n for n, _ in FILES)))
        if entry.is_regular
    }
    for name, ours in FILES:
        if name not in found:
            raise HospesError(f"The package {package.path.name} does not contain {FLAVOUR}{name}.")
        (directory / ours).write_bytes(found[name])

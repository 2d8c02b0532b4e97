"""Disks of other makers (VMDK, VHDX, VDI), through `qemu-img` where it is installed."""

import re
import secrets
import shutil
import subprocess
from pathlib import Path
from typing import Final

from hospes.storage.errors import StorageError
from hospes.storage.formats import FOREIGN

_DESCRIPTOR_BYTES: Final = 1 << 20
_EXTENT: Final = re.compile(rb'^\s*(?:RW|RDONLY|NOACCESS)\s+\d+\s+\w+\s+"([^"\n]*)"', re.MULTILINE)
_PARENT: Final = re.compile(rb'^\s*parentFileNameHint\s*=\s*"([^"\n]*)"', re.MULTILINE)


def is_foreign(path: Path) -> bool:
    """Whether a file's name says that it is in another maker's format."""
    return path.suffix.lower() in FOREIGN


def convert_foreign(source: Path, target: Path, target_format: str) -> None:
    """Convert where the source or the target is foreign; the target must not exist."""
    program = shutil.which("qemu-img")
    if program is None:
        one = source if is_foreign(source) else target
        raise StorageError(
            f"{one} needs qemu-img, which is not here; install the package qemu-utils"
        )
    if target.exists():
        raise StorageError(f"{target} exists already; choose another name or remove it first")
    if is_foreign(source):
        refuse_other_files(source)
    source_format = FOREIGN.get(source.suffix.lower(), "qcow2")
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}.new")
    words = [program, "convert", "-f", source_format, "-O", target_format]
    try:
        done = subprocess.run(
            [*words, f"file:{source.absolute()}", f"file:{temporary.absolute()}"],
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        if done.returncode:
            why = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
            raise StorageError(f"{source} cannot be converted: {why}; check the file")
        temporary.rename(target)
    finally:
        temporary.unlink(missing_ok=True)


def refuse_other_files(source: Path) -> None:
    """StorageError if a VMDK descriptor names files that do not lie beside it."""
    if source.suffix.lower() != ".vmdk":
        return
    try:
        with source.open("rb") as file:
            start = file.read(_DESCRIPTOR_BYTES)
    except OSError as error:
        raise StorageError(f"{source} cannot be read; check the path") from error
    if _PARENT.search(start):
        raise StorageError(f"{source} is based on another disk; convert it where it was made")
    for match in _EXTENT.finditer(start):
        name = match[1].decode("utf-8", "replace")
        if "/" in name or "\\" in name or (source.parent / name).is_symlink():
            raise StorageError(f"{source} keeps its data in {name!r}, outside of its directory")

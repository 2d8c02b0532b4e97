"""Disks of other makers (VMDK, VHDX, VDI), through `qemu-img` where it is installed."""

import re
import secrets
import shutil
import struct
import subprocess
from pathlib import Path
from typing import Final

from hospes.spec.disk import DiskFormat
from hospes.storage.chain import Surroundings, open_image
from hospes.storage.errors import StorageError
from hospes.storage.formats import FOREIGN, format_of

_SPARSE: Final = struct.Struct("<4s24xQ")
"""Magic, and the sector where an embedded descriptor begins."""
_DESCRIPTOR_BYTES: Final = 1 << 20
_START_BYTES: Final = 512 + 20 * 512
"""Where qemu-img looks for a parent in a sparse file, whatever the header says."""
_QUOTED: Final = re.compile(rb'"([^"\r\n]*)')
_NAME_BYTES_MAX: Final = 255
_PARENT: Final = b"parentFileNameHint"


def is_foreign(path: Path) -> bool:
    """Whether a file's name says that it is in another maker's format."""
    return path.suffix.lower() in FOREIGN


def convert_foreign(
    source: Path,
    source_format: DiskFormat | None,
    target: Path,
    target_format: DiskFormat | None,
    around: Surroundings,
) -> None:
    """Convert where the source or the target is foreign; the target appears when it is complete."""
    program = shutil.which("qemu-img")
    if program is None:
        one = source if is_foreign(source) else target
        raise StorageError(
            f"disk {one} needs qemu-img, which is not here; install package qemu-utils"
        )
    if target.exists():
        raise StorageError(f"disk {target} exists already; choose another name or remove it first")
    kinds = _source_kind(source, source_format, around), _target_kind(target, target_format)
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}.new")
    names = f"file:{source.absolute()}", f"file:{temporary.absolute()}"
    try:
        done = subprocess.run(
            [program, "convert", "-f", kinds[0], "-O", kinds[1], *names],
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        if done.returncode:
            why = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
            raise StorageError(f"disk {source} cannot be converted: {why}; check the file")
        temporary.rename(target)
    finally:
        temporary.unlink(missing_ok=True)


def _source_kind(source: Path, told: DiskFormat | None, around: Surroundings) -> str:
    """What qemu-img calls the source, which names no files it should not."""
    if is_foreign(source):
        refuse_other_files(source)
        return FOREIGN[source.suffix.lower()]
    open_image(source, told, around=around).close()
    return format_of(source, told)


def _target_kind(target: Path, told: DiskFormat | None) -> str:
    return FOREIGN.get(target.suffix.lower()) or format_of(target, told)


def refuse_other_files(source: Path) -> None:
    """StorageError if a VMDK descriptor names files that do not lie beside it.

    qemu-img reads descriptors leniently: without the spaces, quotes and lines that others need. So
    whatever follows a quote counts as a file's name, and a parent's mark anywhere as a parent.
    """
    if source.suffix.lower() != ".vmdk":
        return
    start, text = _descriptor(source)
    if _PARENT in start or _PARENT in text:
        raise StorageError(f"disk {source} is based on another disk; convert it where it was made")
    for match in _QUOTED.finditer(text):
        name = match[1].decode("utf-8", "surrogateescape")
        strange = set(name) & set("/\\:") or len(match[1]) > _NAME_BYTES_MAX
        if strange or (source.parent / name).is_symlink():
            shown = name.encode("utf-8", "replace").decode()
            raise StorageError(
                f"disk {source} keeps its data in {shown!r}, outside of its directory"
            )


def _descriptor(source: Path) -> tuple[bytes, bytes]:
    """A VMDK file's start, and the text of its descriptor: the file itself, or in it."""
    try:
        with source.open("rb") as file:
            start = file.read(_START_BYTES)
            at = 0
            if len(start) >= _SPARSE.size and start[:4] == b"KDMV":
                at = 512 * _SPARSE.unpack_from(start)[1]
            file.seek(min(at, source.stat().st_size))
            return start, file.read(_DESCRIPTOR_BYTES).split(b"\0")[0]
    except OSError as error:
        raise StorageError(f"disk {source} cannot be read; check the path") from error

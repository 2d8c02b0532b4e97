"""File systems and disks to read, made by the programs that everyone makes them with."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from hospes.guests.ext4.filesystem import FileSystem
from hospes.spec.disk import DiskFormat
from hospes.storage.block import BlockDevice
from hospes.storage.chain import open_image

PROGRAMS = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"))
SECTOR = 512
PARTITION_START = 2048


def have(*names: str) -> bool:
    """Whether the host has all these programs."""
    return all(shutil.which(name, path=PROGRAMS) for name in names)


needs_e2fsprogs = pytest.mark.skipif(
    not have("mke2fs", "debugfs", "e2fsck"),
    reason="mke2fs, debugfs and e2fsck are not installed (package e2fsprogs)",
)
needs_sfdisk = pytest.mark.skipif(
    not have("sfdisk"), reason="sfdisk is not installed (package fdisk)"
)


def program(*words: object, codes: tuple[int, ...] = (0,), text: str = "") -> str:
    """Run a program of the system; returns what it printed."""
    done = subprocess.run(
        list(map(str, words)),
        input=text,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        timeout=120,
        env=os.environ | {"PATH": PROGRAMS},
    )
    assert done.returncode in codes, (words, done.returncode, done.stdout, done.stderr)
    return done.stdout


def make_ext4(path: Path, tree: Path, *options: str, size: str = "16M") -> None:
    """A file system with a directory's content."""
    kind = () if "-t" in options else ("-t", "ext4")
    program("mke2fs", "-q", "-F", *kind, *options, "-d", tree, path, size)


def gpt_disk(path: Path, parts: Sequence[Path], label: str = "gpt") -> None:
    """A disk with a partition for each file system."""
    sizes = [-(-part.stat().st_size // SECTOR) for part in parts]
    with path.open("wb") as disk:
        disk.truncate((PARTITION_START * 2 + sum(sizes)) * SECTOR)
    lines = [f"label: {label}", *(f"size={size}, type=L" for size in sizes)]
    program("sfdisk", "--quiet", path, text="".join(f"{line}\n" for line in lines))
    at = PARTITION_START
    with path.open("r+b") as disk:
        for part, size in zip(parts, sizes, strict=True):
            disk.seek(at * SECTOR)
            disk.write(part.read_bytes())
            at += -(-size // PARTITION_START) * PARTITION_START


def raw_disk(path: Path) -> BlockDevice:
    """A disk over a file, for reading."""
    return open_image(path, DiskFormat.RAW)


def file_system(path: Path) -> FileSystem:
    """What a file holds as a whole."""
    return FileSystem(raw_disk(path))


def content(system: FileSystem, path: str) -> bytes:
    """A file's bytes."""
    return system.read(system.resolve(path))

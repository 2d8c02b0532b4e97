"""The kernel and initrd that a disk's own Linux boots next: what its links say, else the newest.

Debian keeps links `vmlinuz` (or `vmlinux`) and `initrd.img` in / or in /boot, and changes them when
a kernel is installed; following them follows the guest's own upgrades.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from hospes.base.errors import HospesError
from hospes.guests.ext4.errors import AbsentError
from hospes.guests.ext4.filesystem import FileSystem, holds_ext
from hospes.guests.ext4.inode import Inode
from hospes.guests.partitions import Volume, partitions
from hospes.spec.boot import BootContent, NothingToBootError

STEMS: Final = ("vmlinuz", "vmlinux")
FOLDERS: Final = ("", "boot")
INITRD: Final = "initrd.img"
WORDS: Final = ("ro", "console=ttyS0")
ROOT_MARKS: Final = ("etc/fstab", "usr/lib/os-release", "etc/os-release")

_VERSIONED: Final = re.compile(rf"(?:{'|'.join(STEMS)})-(.+)")


class File(NamedTuple):
    """A file and its name in the file system it lies in."""

    system: FileSystem
    name: str
    inode: Inode

    def read(self) -> bytes:
        """Its content."""
        return self.system.read(self.inode)


def find_boot_files(disks: Sequence[Volume]) -> BootContent:
    """What the first disk with a kernel boots; NothingToBootError if none has one.

    A disk is a file system as a whole or has partitions; /boot may be one of its own.
    """
    reasons: list[HospesError] = []
    for disk in disks:
        systems = _systems(disk, reasons)
        for look in (_linked, _newest):
            for system in systems:
                try:
                    found = look(systems, system)
                    if found is not None:
                        return _content(disk, systems, *found)
                except HospesError as error:
                    reasons.append(error)
    if reasons:
        raise reasons[0]
    names = " and ".join(disk.name for disk in disks) or "no disk"
    raise NothingToBootError(
        f"there is no Linux to boot on {names}; name an image to boot with the disk, such as "
        "'hospes run tiny --disk ...', or give --kernel"
    )


def _systems(disk: Volume, reasons: list[HospesError]) -> list[FileSystem]:
    """The file systems on a disk that can be read; why others cannot goes to `reasons`."""
    systems = []
    for volume in [disk] if holds_ext(disk) else partitions(disk):
        try:
            if holds_ext(volume):
                systems.append(FileSystem(volume))
        except HospesError as error:
            reasons.append(error)
    return systems


def _linked(systems: list[FileSystem], root: FileSystem) -> tuple[File, File | None] | None:
    """The kernel that a link (or a plain file) of the customary name stands for."""
    for folder in FOLDERS:
        for stem in STEMS:
            kernel = _locate(systems, root, f"{folder}/{stem}")
            if kernel is not None:
                return kernel, _locate(systems, root, f"{folder}/{INITRD}") or _sibling(kernel)
    return None


def _locate(systems: list[FileSystem], root: FileSystem, path: str) -> File | None:
    """An ordinary file; what a root file system has in /boot may lie on a partition of its own."""
    name = root.real_path(path).strip("/")
    elsewhere = name.removeprefix("boot/")
    places = [(root, name)]
    if elsewhere != name:
        places += [(system, elsewhere) for system in systems if system is not root]
    for system, where in places:
        inode = _regular(system, where)
        if inode is not None:
            return File(system, where, inode)
    return None


def _sibling(kernel: File) -> File | None:
    """The initrd beside a kernel, by its release."""
    folder, _, name = kernel.name.rpartition("/")
    match = _VERSIONED.fullmatch(name)
    if match is None:
        return None
    where = f"{folder}/{INITRD}-{match[1]}".strip("/")
    inode = _regular(kernel.system, where)
    return File(kernel.system, where, inode) if inode is not None else None


def _newest(_: list[FileSystem], system: FileSystem) -> tuple[File, File | None] | None:
    """Without links: the kernel with the highest release, in /boot or at the root of a /boot."""
    for folder in FOLDERS:
        kernels = sorted(_versioned(system, folder), key=lambda one: _by_version(one.name))
        if kernels:
            return kernels[-1], _sibling(kernels[-1])
    return None


def _versioned(system: FileSystem, folder: str) -> Iterator[File]:
    try:
        names = system.names(system.resolve(folder))
    except AbsentError:
        return
    for name in names:
        if _VERSIONED.fullmatch(name):
            where = f"{folder}/{name}".strip("/")
            inode = _regular(system, where)
            if inode is not None:
                yield File(system, where, inode)


def _by_version(name: str) -> list[tuple[int, int, str]]:
    """A key that orders 6.9 before 6.12, and 6.12~rc1 before 6.12."""
    parts = [*re.findall(r"\d+|[^\d]+", name), ""]
    return [(1, int(p), "") if p.isdecimal() else (-1 if p[:1] == "~" else 0, 0, p) for p in parts]


def _regular(system: FileSystem, path: str) -> Inode | None:
    try:
        inode = system.resolve(path)
    except AbsentError:
        return None
    return inode if inode.is_regular else None


def _content(
    disk: Volume, systems: list[FileSystem], kernel: File, initrd: File | None
) -> BootContent:
    base = kernel.name.rpartition("/")[2]
    match = _VERSIONED.fullmatch(base)
    root = next((system for system in systems if _is_root(system)), None)
    words = (f"root=UUID={root.uuid}", *WORDS) if root is not None else WORDS
    return BootContent(
        name=f"disk {disk.name} (/{kernel.name})",
        kernel=kernel.read(),
        initrd=initrd.read() if initrd is not None else None,
        release=match[1] if match else "",
        words=words,
    )


def _is_root(system: FileSystem) -> bool:
    return any(_regular(system, mark) for mark in ROOT_MARKS)

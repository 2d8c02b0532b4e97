"""What goes wrong with a disk image: each kind its own class, each text a sentence for the user."""

import errno
import os
from typing import Final

from hospes.base.disk_errors import FULL
from hospes.base.errors import HospesError


class StorageError(HospesError):
    """Something is wrong with a disk image or the file it is in."""


class DamagedImageError(StorageError):
    """The image contradicts itself; `hospes disk check` tells more."""


class UnsupportedImageError(StorageError):
    """The image uses something that Hospes does not."""


class ImageInUseError(StorageError):
    """Another program has the image open in a way that excludes this one."""


class OutOfRangeError(StorageError):
    """A request reaches beyond the end of the disk."""


class ReadOnlyImageError(StorageError):
    """The image was opened for reading only."""


class HostFileError(StorageError):
    """The host refused an operation on the image's file; `errno` says why."""

    def __init__(self, name: str, number: int, doing: str) -> None:
        self.errno = number
        why = REASONS.get(number) or f"{os.strerror(number).lower()}; check the host's disk"
        super().__init__(f"disk {name} cannot be {doing}: {why}")

    @property
    def is_full(self) -> bool:
        """Whether the host has no room left."""
        return self.errno in FULL


REASONS: Final = {
    errno.ENOSPC: "the host's disk is full; free some space and try again",
    errno.EDQUOT: "your quota on the host is used up; free some space and try again",
    errno.EFBIG: "the host's file system allows no larger file; use another file system",
    errno.ENOENT: "there is no such file; check the path",
    errno.EEXIST: "the file exists already; choose another name or remove it first",
    errno.EACCES: "you may not; change the file's permissions",
    errno.EPERM: "you may not; change the file's permissions",
    errno.EISDIR: "it is a directory; name a file",
    errno.ENOTDIR: "part of the path is not a directory; check the path",
    errno.EROFS: "the file system is read-only; copy the file elsewhere",
    errno.ELOOP: "its symbolic links go round in a circle; name the file itself",
}

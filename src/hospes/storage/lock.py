"""Locks on image files: one writer or many readers, also against QEMU, gone when a process dies.

The protocol is QEMU's for image files: byte 100 + n is locked (for reading) by whoever uses right
n, byte 200 + n by whoever tolerates no one else using it; each then looks whether the opposite byte
is locked by another. Open file description locks (Linux) are used, so threads and other opens of
the same process are told apart; elsewhere the whole file is locked with flock.
"""

import errno
import fcntl
import struct
from typing import Final

from hospes.storage.errors import HostFileError, ImageInUseError

USED: Final = 100
UNSHARED: Final = 200
CONSISTENT_READ: Final = 0
WRITE: Final = 1
RESIZE: Final = 3

_FLOCK: Final = struct.Struct("hhqqi4x")
_GETLK: Final = getattr(fcntl, "F_OFD_GETLK", 36)
_SETLK: Final = getattr(fcntl, "F_OFD_SETLK", None)


def lock(fd: int, name: str, *, writable: bool) -> None:
    """Take the image's lock; ImageInUseError if another's use excludes this one."""
    if _SETLK is None:
        _lock_whole(fd, name, writable)
        return
    used = (CONSISTENT_READ, WRITE, RESIZE) if writable else (CONSISTENT_READ,)
    unshared = (WRITE, RESIZE)
    taken = [USED + right for right in used] + [UNSHARED + right for right in unshared]
    conflicting = [UNSHARED + right for right in used] + [USED + right for right in unshared]
    try:
        for byte in taken:
            fcntl.fcntl(fd, _SETLK, _FLOCK.pack(fcntl.F_RDLCK, 0, byte, 1, 0))
        busy = any(_is_locked(fd, byte) for byte in conflicting)
    except OSError as error:
        raise _failure(error, name) from error
    if busy:
        raise _in_use(name)


def _is_locked(fd: int, byte: int) -> bool:
    """Whether another open file holds the byte."""
    answer = fcntl.fcntl(fd, _GETLK, _FLOCK.pack(fcntl.F_WRLCK, 0, byte, 1, 0))
    kind: int = _FLOCK.unpack(answer)[0]
    return kind != fcntl.F_UNLCK


def _lock_whole(fd: int, name: str, writable: bool) -> None:
    try:
        fcntl.flock(fd, (fcntl.LOCK_EX if writable else fcntl.LOCK_SH) | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise _in_use(name) from error
    except OSError as error:
        raise _failure(error, name) from error


def _in_use(name: str) -> ImageInUseError:
    return ImageInUseError(
        f"disk {name} is in use by another machine or program; stop that one first"
    )


def _failure(error: OSError, name: str) -> Exception:
    if error.errno in (errno.EAGAIN, errno.EACCES):
        return _in_use(name)
    return HostFileError(name, error.errno or errno.EIO, "locked")

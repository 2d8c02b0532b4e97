"""Image files in the host's file system."""

import ctypes
import errno
import os
import secrets
import stat
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from hospes.storage.block import Data
from hospes.storage.errors import HostFileError, StorageError
from hospes.storage.lock import lock

_KEEP_SIZE: Final = 1
_PUNCH_HOLE: Final = 2
_NO_WAIT: Final = getattr(os, "RWF_NOWAIT", 0)
_UNSUPPORTED: Final = frozenset({errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL, errno.ENODEV})


def _load_fallocate() -> Callable[[int, int, int, int], int] | None:
    """The C library's fallocate(2), which Python does not offer with modes."""
    function = getattr(ctypes.CDLL(None, use_errno=True), "fallocate64", None)
    if function is None:
        return None
    function.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]
    call: Callable[[int, int, int, int], int] = function
    return call


_fallocate: Final = _load_fallocate()


@contextmanager
def _telling(name: str, doing: str) -> Iterator[None]:
    """Turn an OSError into a HostFileError that says what was being done."""
    try:
        yield
    except OSError as error:
        raise HostFileError(name, error.errno or errno.EIO, doing) from error


class OsFile:
    """An open file of the host."""

    def __init__(self, fd: int, name: str) -> None:
        self._fd, self._name = fd, name
        # What is counted is over: a sync must not pass for one of a write still under way.
        self._changes = self._synced = 0
        self._counting = threading.Lock()
        self._sync_failure = 0
        self._can_punch = _fallocate is not None
        self._can_read_at_once = bool(_NO_WAIT)

    @property
    def name(self) -> str:
        return self._name

    @property
    def identity(self) -> tuple[int, int]:
        status = os.fstat(self._fd)
        return status.st_dev, status.st_ino

    def size(self) -> int:
        with _telling(self._name, "measured"):
            return os.lseek(self._fd, 0, os.SEEK_END)

    def allocated(self) -> int:
        return os.fstat(self._fd).st_blocks * 512

    def read(self, offset: int, length: int, /) -> bytes:
        try:
            data = os.pread(self._fd, length, offset)
            while data and len(data) < length:
                more = os.pread(self._fd, length - len(data), offset + len(data))
                if not more:
                    break
                data += more
        except (OSError, OverflowError) as error:
            raise HostFileError(self._name, _number(error), "read") from error
        return data

    def read_at_once(self, offset: int, buffers: Sequence[memoryview], /) -> bool:
        if not self._can_read_at_once:
            return False
        try:
            done = os.preadv(self._fd, buffers, offset, _NO_WAIT)
        except OSError as error:
            self._can_read_at_once = error.errno not in _UNSUPPORTED
            return False
        return done == sum(map(len, buffers))

    def write(self, offset: int, data: Data, /) -> None:
        self._check_trusted()
        try:
            done = os.pwrite(self._fd, data, offset)
            while done < len(data):
                done += os.pwrite(self._fd, memoryview(data)[done:], offset + done)
        except (OSError, OverflowError) as error:
            raise HostFileError(self._name, _number(error), "written") from error
        finally:
            self._changed()

    def sync(self) -> None:
        self._check_trusted()
        changes = self._changes
        if self._synced >= changes:
            return
        try:
            os.fdatasync(self._fd)
        except OSError as error:
            self._sync_failure = error.errno or errno.EIO
            raise HostFileError(self._name, self._sync_failure, "written") from error
        with self._counting:
            self._synced = max(self._synced, changes)

    def truncate(self, size: int, /) -> None:
        try:
            with _telling(self._name, "resized"):
                os.ftruncate(self._fd, size)
        finally:
            self._changed()

    def punch(self, offset: int, length: int, /) -> bool:
        if not self._can_punch or _fallocate is None or length <= 0:
            return False
        done = _fallocate(self._fd, _PUNCH_HOLE | _KEEP_SIZE, offset, length)
        self._changed()
        if done == 0:
            return True
        if ctypes.get_errno() in _UNSUPPORTED:
            self._can_punch = False
        return False

    def next_data(self, offset: int, /) -> tuple[int, int]:
        size = self.size()
        if offset >= size:
            return size, size
        try:
            start = os.lseek(self._fd, offset, os.SEEK_DATA)
            return start, os.lseek(self._fd, start, os.SEEK_HOLE)
        except OSError as error:
            if error.errno == errno.ENXIO:
                return size, size
            return offset, size

    def close(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def _changed(self) -> None:
        with self._counting:
            self._changes += 1

    def _check_trusted(self) -> None:
        """After a failed sync nobody knows what the disk holds; nothing may build on it."""
        if self._sync_failure:
            raise HostFileError(self._name, self._sync_failure, "written")


class OsNewFile(OsFile):
    """A file being made beside its final name."""

    def __init__(self, fd: int, path: Path, temporary: Path) -> None:
        super().__init__(fd, str(path))
        self._path, self._temporary = path, temporary

    def publish(self) -> None:
        self.sync()
        with _telling(self._name, "created"):
            os.fsync(self._fd)
            try:
                os.link(self._temporary, self._path)
            except OSError as error:
                if error.errno == errno.EEXIST or self._path.exists():
                    raise
                # A file system without hard links.
                os.rename(self._temporary, self._path)
            _sync_directory(self._path.parent)
        self.abandon()

    def abandon(self) -> None:
        with suppress(OSError):
            self._temporary.unlink(missing_ok=True)


class OsFiles:
    """The host's file system."""

    def resolve(self, path: Path, /) -> Path:
        with _telling(str(path), "opened"):
            try:
                return path.resolve()
            except RuntimeError as error:
                raise OSError(errno.ELOOP, "links") from error

    def open(self, path: Path, /, *, writable: bool, locked: bool = True) -> OsFile:
        name = str(path)
        # Not blocking: a FIFO put in an image's place must not hold us up.
        flags = (
            (os.O_RDWR if writable else os.O_RDONLY) | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW
        )
        with _telling(name, "opened"):
            fd = os.open(path, flags)
        try:
            mode = os.fstat(fd).st_mode
            if not stat.S_ISREG(mode) and not stat.S_ISBLK(mode):
                raise StorageError(
                    f"disk {name} is not a file; name a disk image or a block device"
                )
            if locked:
                lock(fd, name, writable=writable)
        except BaseException:
            os.close(fd)
            raise
        return OsFile(fd, name)

    def create(self, path: Path, /) -> OsNewFile:
        with _telling(str(path), "created"):
            if os.path.lexists(path):
                raise OSError(errno.EEXIST, "exists")
            temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.new")
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            return OsNewFile(os.open(temporary, flags, 0o666), path, temporary)


def _number(error: OSError | OverflowError) -> int:
    return (error.errno or errno.EIO) if isinstance(error, OSError) else errno.EFBIG


def _sync_directory(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)

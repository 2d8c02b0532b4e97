"""Entries from a guest written to a directory of the host, and nowhere else.

The guest chooses names, links and their order, so no name is given to the host's kernel but a
single component, relative to an open directory that was reached without following a link.
"""

import errno
import os
import secrets
import stat
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from hospes.base.errors import GuestError, HospesError
from hospes.guests.qga_protocol import printable
from hospes.guests.transfer.placement import Placement
from hospes.guests.transfer.tar_stream import Data, Entry, EntryEnd, EntryKind, Event

LONGEST_NAME_BYTES: Final = 4096
BLOCK_BYTES: Final = 4096
ZEROS: Final = bytes(BLOCK_BYTES)
FEW_ZEROS: Final = bytes(512)
REMEMBERED: Final = 100
OPEN_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
OPEN_FILE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC

Path = tuple[str, ...]


@dataclass(frozen=True)
class OpenDirectory:
    """A directory on the way to the latest entry; what was made gets mode and time on leaving."""

    path: Path
    file: int
    made: Entry | None


class Extraction:
    """Takes the entries of a stream; `choose` is asked with the first where the copy goes.

    Setuid, setgid and sticky bits are dropped; devices and FIFOs are `skipped`. `moved` is told the
    bytes of files as they go.
    """

    def __init__(
        self, choose: Callable[[Entry], Placement], moved: Callable[[int], object]
    ) -> None:
        self._choose, self._moved = choose, moved
        self._top = ""
        self._prefix: Path | None = None
        self._open: list[OpenDirectory] = []
        self._entry: Entry | None = None
        self._file = -1
        self._temporary = ""
        self._where: Path = ()
        self._written = 0
        self.skipped: list[str] = []

    @property
    def began(self) -> bool:
        return self._prefix is not None

    def take(self, event: Event) -> None:
        """One event of the stream."""
        try:
            if isinstance(event, Data):
                self._write(event.data)
            elif isinstance(event, EntryEnd):
                self._end_entry()
            else:
                self._begin(event)
        except OSError as error:
            name = "/".join(self._where)
            raise HospesError(f"{name!r} cannot be written: {error.strerror}.") from None

    def finish(self) -> None:
        """Leave all directories."""
        while self._open:
            self._leave()

    def abandon(self) -> None:
        """After a failure: a file that is not whole does not stay."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
            with suppress(OSError):
                os.unlink(self._temporary, dir_fd=self._open[-1].file)
        for opened in self._open:
            os.close(opened.file)
        self._open.clear()

    def _begin(self, entry: Entry) -> None:
        if self._prefix is None:
            self._start(entry)
        path = components(entry.name, self._top)
        self._where = path = (self._prefix or ()) + path
        self._entry = entry
        if not path:
            return
        parent = self._enter(path[:-1])
        name = path[-1]
        if entry.kind is EntryKind.DIRECTORY:
            self._make_directory(parent, path, entry)
        elif entry.kind is EntryKind.FILE:
            self._temporary = f".{name[:100]}.{secrets.token_hex(4)}"
            self._file = os.open(self._temporary, OPEN_FILE, 0o600, dir_fd=parent)
            self._written = 0
        elif entry.kind is EntryKind.SYMLINK:
            _remove(parent, name)
            os.symlink(_checked(entry.link), name, dir_fd=parent)
            times = (entry.time_ns, entry.time_ns)
            os.utime(name, ns=times, dir_fd=parent, follow_symlinks=False)
        elif entry.kind is EntryKind.HARD_LINK:
            self._link(path, entry)
        elif len(self.skipped) < REMEMBERED:
            self.skipped.append("/".join(path))

    def _start(self, entry: Entry) -> None:
        """The first entry is what was asked for; its name is that of all others' top."""
        self._top, *below = components(entry.name) or (".",)
        if below:
            raise GuestError(f"it began with {printable(entry.name)!r}")
        where = self._choose(entry)
        self._prefix = (where.name,) if where.name else ()
        root = os.open(where.directory, OPEN_DIRECTORY & ~os.O_NOFOLLOW)
        self._open = [OpenDirectory((), root, None)]

    def _enter(self, path: Path) -> int:
        """The directory, opened component by component; those beside the way are left."""
        while self._open[-1].path != path[: len(self._open[-1].path)]:
            self._leave()
        while (here := self._open[-1]).path != path:
            there = path[: len(here.path) + 1]
            self._open.append(OpenDirectory(there, _open_directory(here.file, there), None))
        return self._open[-1].file

    def _walk(self, path: Path) -> int:
        """Any directory of the copy, opened beside those on the way."""
        file = os.dup(self._open[0].file)
        for depth in range(len(path)):
            above = file
            try:
                file = _open_directory(above, path[: depth + 1])
            finally:
                os.close(above)
        return file

    def _leave(self) -> None:
        opened = self._open.pop()
        if opened.made is not None:
            _dress(opened.file, opened.made)
        os.close(opened.file)

    def _make_directory(self, parent: int, path: Path, entry: Entry) -> None:
        try:
            os.mkdir(path[-1], 0o700, dir_fd=parent)
        except FileExistsError:
            os.close(_open_directory(parent, path))
            return
        self._open.append(OpenDirectory(path, _open_directory(parent, path), entry))

    def _link(self, path: Path, entry: Entry) -> None:
        source = (self._prefix or ()) + components(entry.link, self._top)
        if not source or source == path:
            raise GuestError(f"it sent a hard link to {printable(entry.link)!r}")
        temporary = f".{path[-1][:100]}.{secrets.token_hex(4)}"
        parent, holder = self._open[-1].file, self._walk(source[:-1])
        try:
            if not stat.S_ISREG(os.lstat(source[-1], dir_fd=holder).st_mode):
                raise GuestError(f"it sent a hard link to {printable(entry.link)!r}")
            os.link(
                source[-1], temporary, src_dir_fd=holder, dst_dir_fd=parent, follow_symlinks=False
            )
            _replace(parent, temporary, path[-1])
        finally:
            os.close(holder)

    def _write(self, data: bytes) -> None:
        """Write a piece to a new file, which is zero where nothing is written."""
        if FEW_ZEROS in data:
            at = 0
            while at < len(data):
                end = min(at + BLOCK_BYTES - (self._written + at) % BLOCK_BYTES, len(data))
                if data[at:end] != ZEROS[: end - at]:
                    self._write_all(memoryview(data)[at:end], self._written + at)
                at = end
        else:
            self._write_all(memoryview(data), self._written)
        self._written += len(data)
        self._moved(len(data))

    def _write_all(self, piece: memoryview, at: int) -> None:
        while piece:
            written = os.pwrite(self._file, piece, at)
            at, piece = at + written, piece[written:]

    def _end_entry(self) -> None:
        """A file gets its size, mode and time and then its name."""
        if self._file < 0 or self._entry is None:
            return
        os.ftruncate(self._file, self._written)
        _dress(self._file, self._entry)
        parent = self._open[-1].file
        _replace(parent, self._temporary, self._where[-1])
        os.close(self._file)
        self._file = -1


def components(name: str, top: str = ".") -> Path:
    """A name from the stream, relative to its top, which may be "."."""
    raw = name.encode("utf-8", "surrogateescape")
    parts = tuple(part for part in _checked(name).split("/") if part not in ("", "."))
    if name.startswith("/") or ".." in parts or len(raw) > LONGEST_NAME_BYTES:
        raise GuestError(f"it sent the name {printable(name)!r}")
    if top == ".":
        return parts
    if parts[:1] != (top,):
        raise GuestError(f"it sent the name {printable(name)!r}")
    return parts[1:]


def _checked(text: str) -> str:
    if not text or "\0" in text:
        raise GuestError(f"it sent the name {printable(text)!r}")
    return text


def _open_directory(parent: int, path: Path) -> int:
    try:
        return os.open(path[-1], OPEN_DIRECTORY, dir_fd=parent)
    except OSError as error:
        if error.errno not in (errno.ELOOP, errno.ENOTDIR, errno.ENOENT):
            raise
        raise HospesError(
            f"{printable('/'.join(path))!r} is no directory here, so nothing is copied into it."
        ) from None


def _remove(parent: int, name: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(name, dir_fd=parent)


def _replace(parent: int, temporary: str, name: str) -> None:
    try:
        os.rename(temporary, name, src_dir_fd=parent, dst_dir_fd=parent)
    except OSError:
        _remove(parent, temporary)
        raise


def _dress(file: int, entry: Entry) -> None:
    os.fchmod(file, entry.mode & 0o777)
    os.utime(file, ns=(entry.time_ns, entry.time_ns))

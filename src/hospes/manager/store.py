"""The directories of machines: made whole, found by name, removed; a lock tells which one runs."""

import errno
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Final

from hospes.base.disk_errors import disk_errors
from hospes.base.errors import HospesError
from hospes.base.file_lock import is_locked, take_lock
from hospes.base.paths import data_directory
from hospes.base.record import read_record, write_record
from hospes.manager.names import check_name, new_name
from hospes.spec import kept as files
from hospes.spec.kept import Ended, Started
from hospes.spec.machine import SPEC_VERSION, MachineSpec
from hospes.spec.names import NAME

NEW_NAME_ATTEMPTS: Final = 5
CHANGE_SECONDS: Final = 10.0
SETTLED_SECONDS: Final = 60.0
"""A directory that changed later than so long ago may be about to get its lock."""


class MachineDirectory:
    """One machine's directory, whether it runs or not."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def name(self) -> str:
        """The machine's name."""
        return self.path.name

    @property
    def spec(self) -> MachineSpec:
        """What was asked for; HospesError when that cannot be read."""
        remedy = f"remove the machine with 'hospes rm {self.name}'"
        try:
            found = read_record(self.path / files.SPEC_FILE, MachineSpec)
        except HospesError as error:
            raise HospesError(f"{error}; {remedy}") from error
        if found is None:
            raise self.absent
        if found.version > SPEC_VERSION:
            raise HospesError(
                f"the machine {self.name!r} was made by a newer Hospes (version {found.version} of "
                f"its file, not {SPEC_VERSION}); use that one"
            )
        return found

    @contextmanager
    def changed(self, change: Callable[[MachineSpec], MachineSpec]) -> Iterator[MachineSpec]:
        """Change what was asked for; inside, nobody else does. HospesError if it cannot be."""
        with home_errors(self.path):
            path = self.path / files.CHANGE_FILE
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            lock = take_lock(path, CHANGE_SECONDS)
        if lock is None:
            raise HospesError(f"the machine {self.name!r} is being changed already; try again")
        try:
            spec = change(self.spec)
            with home_errors(self.path):
                write_record(self.path / files.SPEC_FILE, spec)
            yield spec
        finally:
            os.close(lock)

    @property
    def absent(self) -> HospesError:
        """The error that there is no such machine."""
        return HospesError(f"there is no machine {self.name!r}; 'hospes ps -a' lists all")

    @property
    def runs(self) -> bool:
        """Whether a process holds it."""
        try:
            return is_locked(self.path / files.LOCK_FILE)
        except FileNotFoundError:
            return False

    @property
    def started(self) -> Started | None:
        """The last start."""
        return read_record(self.path / files.STARTED_FILE, Started)

    @property
    def ended(self) -> Ended | None:
        """The last end, if no start came after it."""
        return read_record(self.path / files.ENDING_FILE, Ended)

    def remove(self) -> None:
        """Delete it, unless a process holds it."""
        doomed = self.path.with_name(f".{self.name}.{os.urandom(4).hex()}.gone")
        with self._held("or use 'hospes rm --force'"), home_errors(self.path.parent):
            self.path.rename(doomed)
            shutil.rmtree(doomed)

    def rename(self, name: str) -> None:
        """Give it another name, which must be free."""
        target = self.path.with_name(check_name(name))
        with self._held("then rename it"), home_errors(self.path.parent):
            if not _rename_new(self.path, target):
                raise taken(name)
        self.path = target

    @contextmanager
    def _held(self, remedy: str) -> Iterator[None]:
        """Hold it, so that no process starts it meanwhile; HospesError if one has it."""
        try:
            lock = take_lock(self.path / files.LOCK_FILE)
        except FileNotFoundError:
            raise self.absent from None
        if lock is None:
            raise HospesError(f"the machine {self.name!r} runs; stop it first, {remedy}")
        try:
            yield
        finally:
            os.close(lock)


class Store:
    """All machines of this user."""

    def __init__(self, directory: Path | None = None) -> None:
        self.directory = (directory or data_directory()) / "machines"

    def find(self, name: str) -> MachineDirectory:
        """The machine with that name; HospesError if there is none."""
        found = MachineDirectory(self.directory / check_name(name))
        if not (found.path / files.LOCK_FILE).exists():
            raise found.absent
        return found

    def all(self) -> list[MachineDirectory]:
        """Every machine, by name."""
        with suppress(FileNotFoundError):
            names = sorted(entry.name for entry in os.scandir(self.directory) if entry.is_dir())
            found = [MachineDirectory(self.directory / n) for n in names if NAME.fullmatch(n)]
            return [one for one in found if (one.path / files.LOCK_FILE).exists()]
        return []

    def create(self, name: str | None, fill: Callable[[Path], MachineSpec]) -> MachineDirectory:
        """Make a machine: `fill` puts what it needs into an empty directory and says what it is.

        The directory appears whole by one rename, or nothing changes. Without a name, one is found.
        """
        if name is not None:
            check_name(name)
        with home_errors(self.directory):
            self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._sweep()
            new = self.directory / f".{os.urandom(8).hex()}.new"
            new.mkdir(mode=0o700)
            lock = os.open(new / files.LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            os.close(lock)
            lock = take_lock(new / files.LOCK_FILE) or -1
            try:
                write_record(new / files.SPEC_FILE, fill(new))
                return self._publish(new, name)
            finally:
                shutil.rmtree(new, ignore_errors=True)
                os.close(lock)

    def _publish(self, new: Path, name: str | None) -> MachineDirectory:
        for _ in range(NEW_NAME_ATTEMPTS):
            chosen = name or new_name({one.name for one in self.all()})
            if _rename_new(new, self.directory / chosen):
                return MachineDirectory(self.directory / chosen)
            if name is not None:
                break
        raise taken(chosen)

    def _sweep(self) -> None:
        """Remove what processes that were killed have left half made or half removed."""
        for entry in self.directory.glob(".*.*"):
            if _age(entry) < SETTLED_SECONDS:
                continue
            lock = None
            try:
                lock = take_lock(entry / files.LOCK_FILE, 0.0)
            except OSError:
                shutil.rmtree(entry, ignore_errors=True)
            if lock is not None:
                shutil.rmtree(entry, ignore_errors=True)
                os.close(lock)


def taken(name: str) -> HospesError:
    """The error that there is such a machine already."""
    return HospesError(
        f"there is a machine {name!r} already; start it with 'hospes start {name}', "
        f"remove it with 'hospes rm {name}' or choose another name"
    )


def _rename_new(path: Path, target: Path) -> bool:
    """Rename a directory; False if there is a target that is not empty, as machines never are."""
    try:
        path.rename(target)
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
            return False
        raise
    return True


def _age(path: Path) -> float:
    """Seconds since a directory's content changed; 0 when it is gone."""
    with suppress(OSError):
        return time.time() - path.stat().st_mtime
    return 0.0


def home_errors(where: Path) -> AbstractContextManager[None]:
    """Of the place with the machines, as one sentence."""
    return disk_errors("the machines in", where, "HOSPES_HOME")

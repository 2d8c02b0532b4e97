"""Files of the host as images use them: Protocols, so a test can cut the power."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from hospes.storage.block import Data


class HostFile(Protocol):
    """An open file; errors are HostFileErrors."""

    @property
    def name(self) -> str:
        """Its path, for messages."""
        ...

    @property
    def identity(self) -> tuple[int, int]:
        """What tells it from every other file."""
        ...

    def size(self) -> int:
        """Its length in bytes."""
        ...

    def allocated(self) -> int:
        """Bytes of the host's disk it occupies."""
        ...

    def read(self, offset: int, length: int, /) -> bytes:
        """The bytes; fewer only where the file ends."""
        ...

    def read_at_once(self, offset: int, buffers: Sequence[memoryview], /) -> bool:
        """Fill the buffers wholly with what the host has in memory; False where it has not all."""
        ...

    def write(self, offset: int, data: Data, /) -> None:
        """Store all the bytes, making the file longer if need be.

        When it fails, every sector holds its old or its new content, a single sector its old one.
        """
        ...

    def sync(self) -> None:
        """Return when all that was written is on the disk.

        Once it has failed, it and `write` always fail: what the disk holds is unknown.
        """
        ...

    def truncate(self, size: int, /) -> None:
        """Cut the file, or lengthen it with zeros."""
        ...

    def punch(self, offset: int, length: int, /) -> bool:
        """Give the range's space back; True if it now reads as zeros, False if nothing changed."""
        ...

    def next_data(self, offset: int, /) -> tuple[int, int]:
        """(start, end) of the next range at or after offset that may hold something but zeros.

        Both are the file's size when nothing follows.
        """
        ...

    def close(self) -> None:
        """Let go of the file and its lock."""
        ...


class NewFile(HostFile, Protocol):
    """A file being made, which nobody sees under its name before `publish`."""

    def publish(self) -> None:
        """Sync it and give it its name; HostFileError (EEXIST) if the name is taken by now."""
        ...

    def abandon(self) -> None:
        """Remove it, if it has not been published."""
        ...


class HostFiles(Protocol):
    """The host's file system as images use it."""

    def resolve(self, path: Path, /) -> Path:
        """The absolute path with all symbolic links followed; the file need not exist."""
        ...

    def open(self, path: Path, /, *, writable: bool, locked: bool = True) -> HostFile:
        """Open and lock a file: shared for reading, alone for writing (else ImageInUseError).

        The path is one that `resolve` gave: a symbolic link put there since is not followed.
        """
        ...

    def create(self, path: Path, /) -> NewFile:
        """Begin a new file; HostFileError (EEXIST) if the name is taken."""
        ...

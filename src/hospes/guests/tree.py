"""What a file tree for a guest is made of: entries by path, kept in memory, never on the host."""

import stat
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from hospes.base.errors import HospesError


@dataclass(frozen=True)
class Entry:
    """One file: `path` relative to the root, `mode` with type and permissions, as in `struct stat`.

    `data` is a regular file's content or a symbolic link's target; `device` is major and minor.
    """

    path: str
    mode: int
    data: bytes = b""
    device: tuple[int, int] = (0, 0)
    uid: int = 0
    gid: int = 0

    @property
    def is_directory(self) -> bool:
        return stat.S_ISDIR(self.mode)

    @property
    def is_symlink(self) -> bool:
        return stat.S_ISLNK(self.mode)

    @property
    def is_regular(self) -> bool:
        return stat.S_ISREG(self.mode)


def directory(path: str, permissions: int = 0o755) -> Entry:
    return Entry(path, stat.S_IFDIR | permissions)


def regular(path: str, data: bytes, permissions: int = 0o644) -> Entry:
    return Entry(path, stat.S_IFREG | permissions, data)


def symlink(path: str, target: str) -> Entry:
    return Entry(path, stat.S_IFLNK | 0o777, target.encode())


def character_device(path: str, major: int, minor: int, permissions: int = 0o600) -> Entry:
    return Entry(path, stat.S_IFCHR | permissions, device=(major, minor))


def fifo(path: str, permissions: int = 0o600) -> Entry:
    return Entry(path, stat.S_IFIFO | permissions)


def safe_path(name: str) -> str:
    """An archive's member name as a relative path, "" for the root; refuses to leave the root."""
    if "\0" in name:
        raise HospesError(f"The archive member {name!r} has a NUL in its name; it is damaged.")
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if name.startswith("/") or ".." in parts:
        raise HospesError(
            f"The archive member {name!r} points outside its archive; it was refused."
        )
    return "/".join(parts)


@dataclass
class Tree:
    """Entries by path. Adding a path twice is an error, except a directory again."""

    entries: dict[str, Entry] = field(default_factory=dict)

    def add(self, *new: Entry) -> None:
        """Add entries; HospesError when a path is taken by something that is no directory."""
        for entry in new:
            known = self.entries.get(entry.path)
            if known and not (known.is_directory and entry.is_directory):
                raise HospesError(f"Two packages contain /{entry.path}; leave one of them out.")
            self.entries[entry.path] = entry

    def replace(self, *new: Entry) -> None:
        for entry in new:
            self.entries[entry.path] = entry

    def all(self) -> list[Entry]:
        """Every entry by path, with the directories that no one added."""
        return with_parents(self.entries.values())


def with_parents(entries: Iterable[Entry]) -> list[Entry]:
    """The entries sorted so that a directory precedes what it contains; missing ones are made."""
    known = {entry.path: entry for entry in entries}
    for path in list(known):
        for parent in list(PurePosixPath(path).parents)[:-1]:
            known.setdefault(str(parent), directory(str(parent)))
    return [known[path] for path in sorted(known)]

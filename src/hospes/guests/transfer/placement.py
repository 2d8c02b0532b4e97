"""Where a copy goes, by the rules that users of `docker cp` know."""

import posixpath
from dataclasses import dataclass
from enum import Enum

from hospes.base.errors import HospesError


class Kind(Enum):
    """What there is at the target of a copy."""

    DIRECTORY = "directory"
    FILE = "file"
    OTHER = "other"
    MISSING = "missing"
    NOWHERE = "nowhere"


@dataclass(frozen=True)
class Source:
    """What is to be copied; with `contents`, what is in a directory and not the directory.

    A source that is a symbolic link is followed, as scp does; `title` is what its copy is called.
    """

    path: str
    title: str

    @property
    def contents(self) -> bool:
        return not self.title


@dataclass(frozen=True)
class Placement:
    """A copy goes into the directory under this name; with none, its contents go there."""

    directory: str
    name: str


def source_of(path: str) -> Source:
    """A source as the user gave it: `DIR/.` means its contents."""
    title = posixpath.basename(path.rstrip("/"))
    return Source(path, "" if title in (".", "..") else title)


def place(source: Source, is_directory: bool, target: str, kind: Kind, real: str) -> Placement:
    """Where the copy goes; `real` is the target with symbolic links resolved."""
    parent = posixpath.dirname(target.rstrip("/")) or "."
    if kind is Kind.NOWHERE:
        raise HospesError(f"There is no directory {parent!r} to copy into; make it first.")
    if kind is Kind.OTHER:
        raise HospesError(f"{target!r} is neither a file nor a directory; copy to another place.")
    if kind is Kind.DIRECTORY:
        return Placement(target, "" if is_directory and source.contents else source.title)
    if target.endswith("/") and not (is_directory and kind is Kind.MISSING):
        raise HospesError(f"There is no directory {target!r} to copy into; make it first.")
    if is_directory and kind is Kind.FILE:
        raise HospesError(f"{target!r} is a file, so no directory can be copied there.")
    return Placement(posixpath.dirname(real), posixpath.basename(real))

"""Locks of a file that the guest's processes hold, as fcntl(2) and flock(2) have them.

To the host the guest is one owner: it holds wherever any of the guest's processes does, and gives
back what none holds any more.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import Final, NamedTuple

SHARED, EXCLUSIVE, NONE = 0, 1, 2
"""Kinds of locks, as the protocol counts them."""
SUCCESS, BLOCKED, ERROR = 0, 1, 2
"""What came of asking for one."""
END: Final = (1 << 63) - 1
"""Where a lock ends that reaches to the file's end, wherever that will be."""
LOCKS_MAX: Final = 256
"""Of one file."""

Owner = tuple[bytes, int]
"""A client's name for itself, and its process."""


class Lock(NamedTuple):
    """One lock: bytes from `start` to before `end`, asked for through a fid."""

    start: int
    end: int
    kind: int
    owner: Owner
    fid: int

    def overlaps(self, start: int, end: int) -> bool:
        """Whether it has bytes in common with others."""
        return self.start < end and start < self.end


class Range(NamedTuple):
    """Bytes, and what the guest as a whole needs there."""

    start: int
    end: int
    kind: int


class LockTable:
    """The locks of one file; immutable, so that what the host refuses never was."""

    def __init__(self, locks: tuple[Lock, ...] = ()) -> None:
        self.locks = locks

    def in_the_way(self, wanted: Lock) -> Lock | None:
        """A lock of another process that excludes the wanted one."""
        for lock in self.locks:
            if (
                lock.owner != wanted.owner
                and EXCLUSIVE in (lock.kind, wanted.kind)
                and lock.overlaps(wanted.start, wanted.end)
            ):
                return lock
        return None

    def having(self, wanted: Lock) -> "LockTable":
        """With a lock in place of what its owner has there; of kind NONE, without that."""
        kept = [*self._without(wanted.owner, wanted.start, wanted.end)]
        return LockTable((*kept, wanted) if wanted.kind != NONE else tuple(kept))

    def without_fid(self, fid: int) -> "LockTable":
        """After a fid was given back, and with it all that was asked for through it."""
        return LockTable(tuple(lock for lock in self.locks if lock.fid != fid))

    def needed(self, start: int, end: int) -> list[Range]:
        """What the guest needs in a range, in pieces that follow each other."""
        inside = [lock for lock in self.locks if lock.overlaps(start, end)]
        edges = {start, end}
        for lock in inside:
            edges |= {max(start, lock.start), min(end, lock.end)}
        places = sorted(edges)
        found: list[Range] = []
        for low, high in pairwise(places):
            kinds = {lock.kind for lock in inside if lock.overlaps(low, high)}
            kind = EXCLUSIVE if EXCLUSIVE in kinds else SHARED if kinds else NONE
            if found and found[-1].kind == kind:
                found[-1] = found[-1]._replace(end=high)
            else:
                found.append(Range(low, high, kind))
        return found

    @property
    def whole(self) -> int:
        """The strongest lock of the whole file."""
        kinds = {lock.kind for lock in self.locks if (lock.start, lock.end) == (0, END)}
        return EXCLUSIVE if EXCLUSIVE in kinds else SHARED if kinds else NONE

    def _without(self, owner: Owner, start: int, end: int) -> Iterator[Lock]:
        for lock in self.locks:
            if lock.owner != owner or not lock.overlaps(start, end):
                yield lock
                continue
            if lock.start < start:
                yield lock._replace(end=start)
            if end < lock.end:
                yield lock._replace(start=end)


def range_of(start: int, length: int) -> tuple[int, int]:
    """First byte, and the one after the last; ValueError if there are no such bytes."""
    end = min(start + length, END) if length else END
    if not 0 <= start < end <= END:
        raise ValueError(f"a lock of {length} bytes at {start}")
    return start, end

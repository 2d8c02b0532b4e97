"""Locks of the guest as locks of the host, for other programs there to see.

Byte ranges are locks of an open file (F_OFD_SETLK), which no other open file of this process gives
back. One of a whole file is one of flock(2) as well, for that is what the guest's flock(2) becomes.
"""

import fcntl
import os
import struct
from errno import EACCES, EAGAIN, EBADF, ENOLCK
from types import MappingProxyType
from typing import Final

from hospes.folders.descriptors import LOCKING, Descriptors, fault
from hospes.folders.locks import (
    END,
    EXCLUSIVE,
    LOCKS_MAX,
    NONE,
    SHARED,
    Lock,
    LockTable,
    Owner,
    Range,
)
from hospes.folders.nodes import Node

_FLOCK: Final = struct.Struct("hhqqi4x")
_KINDS: Final = MappingProxyType(
    {SHARED: fcntl.F_RDLCK, EXCLUSIVE: fcntl.F_WRLCK, NONE: fcntl.F_UNLCK}
)
_WHOLE: Final = MappingProxyType(
    {SHARED: fcntl.LOCK_SH, EXCLUSIVE: fcntl.LOCK_EX, NONE: fcntl.LOCK_UN}
)
_BUSY: Final = frozenset((EACCES, EAGAIN))
_HOST: Final[Owner] = (b"host", 0)
_UNLOCKED: Final = LockTable()


class HostLocks:
    """The locks of all files of a folder. A file with locks is held open for them."""

    def __init__(self, descriptors: Descriptors) -> None:
        self._held = descriptors
        self._tables: dict[Node, LockTable] = {}

    def lock(self, node: Node, wanted: Lock) -> bool:
        """Take a lock or give it back; False while somebody else's is in the way."""
        before = self._tables.get(node, _UNLOCKED)
        if wanted.kind != NONE and before.in_the_way(wanted):
            return False
        after = before.having(wanted)
        if len(after.locks) > LOCKS_MAX:
            raise fault(ENOLCK)
        return self._change(node, before, after, wanted.start, wanted.end)

    def in_the_way(self, node: Node, wanted: Lock) -> Lock | None:
        """What a lock would wait for; the host's processes have no owner that is known."""
        found = self._tables.get(node, _UNLOCKED).in_the_way(wanted)
        if found is not None:
            return found
        with self._held.file(node, LOCKING) as file:
            host = _asked(file, Range(wanted.start, wanted.end, wanted.kind))
        self._close_unlocked(node)
        return host and Lock(*host, _HOST, 0)

    def unlock_fid(self, node: Node, fid: int) -> None:
        """Give back what was asked for through a fid."""
        before = self._tables.get(node)
        if before is not None:
            after = before.without_fid(fid)
            if len(after.locks) < len(before.locks):
                self._change(node, before, after, 0, END)

    def of(self, node: Node) -> tuple[Lock, ...]:
        """All that the guest holds of a file."""
        return self._tables.get(node, _UNLOCKED).locks

    def forget(self, node: Node) -> None:
        """Nobody has the file any more."""
        self._tables.pop(node, None)

    def _change(
        self, node: Node, before: LockTable, after: LockTable, start: int, end: int
    ) -> bool:
        with self._held.file(node, LOCKING) as file:
            got = _apply(file, before, after, start, end)
        if got:
            self._tables[node] = after
        self._close_unlocked(node)
        return got

    def _close_unlocked(self, node: Node) -> None:
        table = self._tables.get(node)
        if table is None or not table.locks:
            self._tables.pop(node, None)
            self._held.close(node, LOCKING)


def _apply(file: int, before: LockTable, after: LockTable, start: int, end: int) -> bool:
    """Hold on the host what the guest needs after a change; if that cannot be, what it needed."""
    if before.whole != after.whole and not _tried(file, after.whole):
        return False
    if all(_set(file, piece) for piece in after.needed(start, end)):
        return True
    for piece in before.needed(start, end):
        _set(file, piece)
    _tried(file, before.whole)
    return False


def _asked(file: int, wanted: Range) -> Range | None:
    """What of the host is in the way of a lock."""
    got = fcntl.fcntl(file, fcntl.F_OFD_GETLK, _packed(wanted))
    kind, _, start, length, _ = _FLOCK.unpack(got)
    if kind == fcntl.F_UNLCK:
        return None
    found = EXCLUSIVE if kind == fcntl.F_WRLCK else SHARED
    return Range(start, start + length if length else END, found)


def _packed(piece: Range) -> bytes:
    length = 0 if piece.end == END else piece.end - piece.start
    return _FLOCK.pack(_KINDS[piece.kind], os.SEEK_SET, piece.start, length, 0)


def _set(file: int, piece: Range) -> bool:
    try:
        fcntl.fcntl(file, fcntl.F_OFD_SETLK, _packed(piece))
    except OSError as error:
        # A file that cannot be written has no exclusive ranges; the guest's processes still do.
        if error.errno not in {*_BUSY, EBADF}:
            raise
        return error.errno == EBADF
    return True


def _tried(file: int, kind: int) -> bool:
    try:
        fcntl.flock(file, _WHOLE[kind] | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in _BUSY:
            raise
        return False
    return True

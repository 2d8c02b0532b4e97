"""A power cut: what a disk may hold when everything not flushed is kept, lost or reordered.

A disk writes sectors whole. Since its last flush each sector may have any of the contents written
to it, independently of all others, and so may the file's length.
"""

import random
from collections.abc import Iterable
from typing import TypeVar

from tests.storage.memory_files import SECTOR, Change

T = TypeVar("T")
Version = tuple[int, int, T]
"""Its number among all requests, the log's length when it began, and the value."""


class CutFile:
    """Follows the log of one file; `after_cut` gives what could be left at this moment."""

    def __init__(self, data: bytes = b"") -> None:
        self._durable = bytearray(data)
        self._now = bytearray(data)
        self._pending: dict[int, list[bytes]] = {}
        self._sizes = [len(data)]

    def follow(self, change: Change) -> None:
        """Take the next entry of the log."""
        if change.is_sync:
            self._durable = bytearray(self._now)
            self._pending.clear()
            self._sizes = [len(self._now)]
        elif change.size is not None:
            old = len(self._now)
            del self._now[change.size :]
            self._now.extend(bytes(change.size - len(self._now)))
            self._sizes.append(change.size)
            self._note(min(old, change.size), max(old, change.size))
        else:
            assert change.data is not None
            end = change.offset + len(change.data)
            if end > len(self._now):
                self._now.extend(bytes(end - len(self._now)))
                self._sizes.append(end)
            self._now[change.offset : end] = change.data
            self._note(change.offset, end)

    def after_cut(self, chance: random.Random) -> bytearray:
        """One of the things the disk may hold."""
        lost = chance.choice((0.0, 0.1, 0.5, 0.9, 1.0))
        size = chance.choice(self._sizes)
        data = bytearray(self._durable[:size])
        data.extend(bytes(size - len(data)))
        for sector, versions in self._pending.items():
            at = sector * SECTOR
            if at < size and chance.random() >= lost:
                content = versions[-1] if chance.random() < 0.7 else chance.choice(versions)
                part = content[: size - at]
                data[at : at + len(part)] = part
        return data

    def _note(self, start: int, end: int) -> None:
        for sector in range(start // SECTOR, -(-end // SECTOR)):
            at = sector * SECTOR
            content = bytes(self._now[at : at + SECTOR]).ljust(SECTOR, b"\0")
            self._pending.setdefault(sector, []).append(content)


class Promise:
    """What a guest may find on its disk after a cut: flushed sectors exactly, others old or new.

    Requests are reported in order, with the log's length before them.
    """

    def __init__(self, content: bytes) -> None:
        self._versions: list[list[Version[bytes]]] = []
        self._sizes: list[Version[int]] = []
        self._flushes = [(0, 0)]
        self._order = 0
        self.resized(0, len(content))
        self.wrote(0, 0, content)
        self.flushed(0)

    def wrote(self, began: int, offset: int, content: bytes) -> None:
        """Whole sectors were written."""
        assert offset % SECTOR == 0
        for at in range(0, len(content), SECTOR):
            sector = (offset + at) // SECTOR
            while sector >= len(self._versions):
                self._versions.append([])
            self._versions[sector].append(self._version(began, content[at : at + SECTOR]))

    def resized(self, began: int, size: int) -> None:
        """The size was changed."""
        self._sizes.append(self._version(began, size))

    def flushed(self, ended: int) -> None:
        """A flush (or a resize, which is one too) was done when the log had that length."""
        self._order += 1
        self._flushes.append((self._order, ended))

    def sizes(self, cut: int) -> set[int]:
        """Sizes the disk may have after a cut."""
        return set(self._possible(self._sizes, cut))

    def broken(self, cut: int, content: bytes) -> Iterable[int]:
        """Sectors that hold what they may not."""
        for sector in range(len(content) // SECTOR):
            found = content[sector * SECTOR : (sector + 1) * SECTOR]
            if found not in self._possible(self._versions[sector], cut):
                yield sector

    def _version(self, began: int, value: T) -> "Version[T]":
        self._order += 1
        return self._order, began, value

    def _possible(self, versions: "list[Version[T]]", cut: int) -> list[T]:
        kept = max(order for order, ended in self._flushes if ended <= cut)
        first = max((n for n, (order, _, _) in enumerate(versions) if order < kept), default=0)
        return [value for _, began, value in versions[first:] if began <= cut]

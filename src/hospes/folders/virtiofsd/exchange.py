"""The memory that is shared with a vhost-user back end: two rings, and slots for messages.

The rings are split virtqueues (virtio 1.2, section 2.7) of which we are the driver. The back end
sees nothing of the guest's memory: each message is copied into a slot, and its answer out of it. So
guest memory may be of any kind, what is written to it is tracked as ever, and the guest's own rings
may have any format.
"""

import fcntl
import mmap
import os
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from hospes.folders.virtiofsd.fuse import ANSWER_HEADER

RINGS: Final = 2
"""One for what is urgent, and one for everything else (5.11.2)."""
PLACES: Final = 8
"""Descriptors of a slot, of which five at most are used."""
BASE: Final = 1 << 32
"""Where the back end is told that the memory begins, in the guest and in this process."""
NEXT, WRITE = 1, 2
_SEALS: Final = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
"""Touching memory that the back end has cut off would end this process (memfd_create(2))."""
_ALIGNMENT: Final = 64
_WRAP: Final = 0xFFFF
_DESCRIPTOR: Final = struct.Struct("<QIHH")
_INDEX: Final = struct.Struct("<H")
_USED: Final = struct.Struct("<II")


class BackendError(Exception):
    """The back end does not keep to what was agreed; there is no going on with it."""


@dataclass(frozen=True)
class RingPlaces:
    """Where the three parts of a ring begin, from the memory's beginning on."""

    descriptors: int
    available: int
    used: int


class Exchange:
    """So many slots, for messages that have so many bytes with the room for their answers, or less.

    A slot is claimed, offered and, when it is taken back with its answer, free again. `slots` is
    how many may be under way at a time; the caller sees to it.
    """

    def __init__(self, slots: int, slot_bytes: int) -> None:
        self.ring_size = 1 << (slots * PLACES - 1).bit_length()
        available = _DESCRIPTOR.size * self.ring_size
        used = _aligned(available + 6 + 2 * self.ring_size)
        ring_bytes = _aligned(used + 6 + _USED.size * self.ring_size)
        starts = range(0, RINGS * ring_bytes, ring_bytes)
        self.rings = tuple(RingPlaces(at, at + available, at + used) for at in starts)
        self._slots_at = RINGS * ring_bytes
        self._slot_bytes = _aligned(slot_bytes) + mmap.PAGESIZE
        self.size_bytes = self._slots_at + slots * self._slot_bytes
        self.fd = os.memfd_create("hospes folder", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            os.ftruncate(self.fd, self.size_bytes)
            fcntl.fcntl(self.fd, fcntl.F_ADD_SEALS, _SEALS)
            self._map = mmap.mmap(self.fd, self.size_bytes)
        except BaseException:
            os.close(self.fd)
            raise
        self._view = memoryview(self._map)
        self._free = list(range(slots))
        self._rooms: dict[int, tuple[int, int]] = {}
        self._offered, self._taken = [0] * RINGS, [0] * RINGS

    def close(self) -> None:
        """Give the memory back."""
        self._view.release()
        self._map.close()
        os.close(self.fd)

    def claim(self, parts: Iterable[memoryview]) -> tuple[int, memoryview]:
        """Copy a message into a slot; returns that and the copy, for use at once."""
        slot = self._free.pop()
        start = at = self._slot_at(slot)
        for part in parts:
            self._view[at : at + len(part)] = part
            at += len(part)
        return slot, self._view[start:at]

    def release(self, slot: int) -> None:
        """The slot is free again without having been offered."""
        self._free.append(slot)

    def offer(self, ring: int, slot: int, lengths: Sequence[int], room: int) -> None:
        """Have a message answered whose parts have these lengths.

        The first two stay parts of their own, and so does an answer's header: back ends read and
        write files directly from and to the rest when it comes like this.
        """
        at = self._slot_at(slot)
        pieces = [(at + sum(lengths[:n]), length, 0) for n, length in enumerate(lengths[:2])]
        pieces.append((at + sum(lengths[:2]), sum(lengths[2:]), 0))
        at = _aligned(at + sum(lengths), _ALIGNMENT)
        header = min(room, ANSWER_HEADER.size)
        pieces += [(at, header, WRITE), (at + header, room - header, WRITE)]
        self._describe(ring, slot * PLACES, [piece for piece in pieces if piece[1]])
        self._rooms[slot] = (at, room)
        place = self.rings[ring].available
        next_offer = self._offered[ring]
        entry = place + 4 + 2 * (next_offer % self.ring_size)
        _INDEX.pack_into(self._map, entry, slot * PLACES)
        self._offered[ring] = next_offer = (next_offer + 1) & _WRAP
        # The back end may see this at once. What is above was stored before: by the order of the
        # stores on x86-64, and elsewhere by the kernel's locks on the way of a write.
        os.pwrite(self.fd, _INDEX.pack(next_offer), place + 2)

    def take(self, ring: int) -> list[tuple[int, bytes]]:
        """Slots that have been answered since this was last called, and their answers.

        A BackendError leaves all that were under way so.
        """
        place, done = self.rings[ring].used, self._taken[ring]
        (until,) = _INDEX.unpack_from(self._map, place + 2)
        if (until - done) & _WRAP > len(self._rooms):
            raise BackendError("answers more messages than there are")
        found: dict[int, bytes] = {}
        while done != until:
            entry = place + 4 + _USED.size * (done % self.ring_size)
            head, written = _USED.unpack_from(self._map, entry)
            slot, rest = divmod(head, PLACES)
            if rest or slot not in self._rooms or slot in found:
                raise BackendError("answers a message that there is not")
            at, room = self._rooms[slot]
            if written > room:
                raise BackendError("writes longer answers than there is room for")
            found[slot] = bytes(self._view[at : at + written])
            done = (done + 1) & _WRAP
        self._taken[ring] = done
        for slot in found:
            del self._rooms[slot]
            self._free.append(slot)
        return list(found.items())

    def _describe(self, ring: int, first: int, pieces: Sequence[tuple[int, int, int]]) -> None:
        table = self.rings[ring].descriptors
        last = first + len(pieces) - 1
        for number, (at, length, flags) in enumerate(pieces, first):
            follows = (NEXT, number + 1) if number < last else (0, 0)
            place = table + _DESCRIPTOR.size * number
            _DESCRIPTOR.pack_into(
                self._map, place, BASE + at, length, flags | follows[0], follows[1]
            )

    def _slot_at(self, slot: int) -> int:
        return self._slots_at + slot * self._slot_bytes


def _aligned(size: int, to: int = mmap.PAGESIZE) -> int:
    return -(-size // to) * to

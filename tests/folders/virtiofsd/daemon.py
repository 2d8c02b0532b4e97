"""A back end's side of the shared memory, written from virtio 1.2, section 2.7."""

import mmap
import struct
from dataclasses import dataclass

from hospes.folders.virtiofsd.exchange import BASE, Exchange

NEXT, WRITE = 1, 2


@dataclass(frozen=True)
class Found:
    """A message as it lies in the memory: (place, length) of what is read and what is written."""

    head: int
    readable: tuple[tuple[int, int], ...]
    writable: tuple[tuple[int, int], ...]

    @property
    def room(self) -> int:
        return sum(length for _, length in self.writable)


class Daemon:
    """Maps what it is given, and takes and answers messages; it never looks into the Exchange."""

    def __init__(self, exchange: Exchange) -> None:
        self.map = mmap.mmap(exchange.fd, exchange.size_bytes)
        self.rings, self.size = exchange.rings, exchange.ring_size
        self.seen, self.done = [0] * len(self.rings), [0] * len(self.rings)

    def close(self) -> None:
        self.map.close()

    def find(self, ring: int) -> list[Found]:
        """What has been offered since the last time."""
        (until,) = struct.unpack_from("<H", self.map, self.rings[ring].available + 2)
        found = []
        while self.seen[ring] != until:
            at = self.rings[ring].available + 4 + 2 * (self.seen[ring] % self.size)
            found.append(self.follow(ring, *struct.unpack_from("<H", self.map, at)))
            self.seen[ring] = self.seen[ring] + 1 & 0xFFFF
        return found

    def follow(self, ring: int, head: int) -> Found:
        """A chain of descriptors; those that are read come first, and none is empty."""
        readable: list[tuple[int, int]] = []
        writable: list[tuple[int, int]] = []
        number, flags = head, NEXT
        while flags & NEXT:
            assert number < self.size
            at = self.rings[ring].descriptors + 16 * number
            address, length, flags, number = struct.unpack_from("<QIHH", self.map, at)
            assert length
            assert BASE <= address <= address + length <= BASE + len(self.map)
            assert not flags & ~(NEXT | WRITE)
            assert flags & WRITE or not writable
            (writable if flags & WRITE else readable).append((address - BASE, length))
        return Found(head, tuple(readable), tuple(writable))

    def read(self, found: Found) -> bytes:
        return b"".join(self.map[at : at + length] for at, length in found.readable)

    def answer(self, ring: int, found: Found, data: bytes) -> None:
        """Write it to its places, and tell of it."""
        left = data
        for at, length in found.writable:
            piece, left = left[:length], left[length:]
            self.map[at : at + len(piece)] = piece
        assert not left
        self.say(ring, found.head, len(data))

    def say(self, ring: int, head: int, written: int) -> None:
        """The next entry of what is used, whatever it says."""
        at = self.rings[ring].used
        struct.pack_into("<II", self.map, at + 4 + 8 * (self.done[ring] % self.size), head, written)
        self.done[ring] = self.done[ring] + 1 & 0xFFFF
        struct.pack_into("<H", self.map, at + 2, self.done[ring])

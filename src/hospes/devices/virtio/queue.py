"""Virtqueues: what both ring formats share, and split rings (virtio 1.2, section 2.7).

Descriptors are copied out of guest memory first and checked then. A queue that the guest has laid
out wrongly raises GuestError; how much one step can do is bounded by the queue's size.
"""

import struct
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from hospes.base.errors import GuestError
from hospes.devices.backends import DeviceMemory

NEXT, WRITE, INDIRECT = 1, 2, 4
NO_INTERRUPT: Final = 1
INDIRECT_MAX: Final = 1024
"""Linux exceeds the queue's size in indirect tables; QEMU takes as many as this."""

DESCRIPTOR: Final = struct.Struct("<QIHH")
"""gpa, length, and two numbers whose meaning depends on the ring format."""
_U16: Final = struct.Struct("<H")
_USED: Final = struct.Struct("<II")
_WRAP: Final = 0xFFFF

Part = tuple[int, int]
Described = tuple[int, int, int]


@dataclass
class QueueState:
    """What the guest and the device know about a queue: its snapshot.

    Positions count requests modulo 2**16 in a split ring. In a packed one they are places in the
    ring, plus its size while the wrap counter is 0.
    """

    size: int = 0
    ready: bool = False
    descriptors_gpa: int = 0
    driver_gpa: int = 0
    device_gpa: int = 0
    next_avail: int = 0
    next_used: int = 0
    untold: int = 0         # how far next_used has moved since the driver was last told


class Chain(NamedTuple):
    """One request: (gpa, length) of the parts to read and of the parts to write.

    `head` is what the driver knows it by; `places` how many descriptors of the ring it takes.
    """

    head: int
    readable: tuple[Part, ...] = ()
    writable: tuple[Part, ...] = ()
    readable_bytes: int = 0
    writable_bytes: int = 0
    places: int = 1


class Virtqueue(ABC):
    """A queue over its state; `event_index` is whether VIRTIO_F_EVENT_IDX was negotiated.

    Requests may be completed in any order. One object serves as long as its state stays the
    function's: it may remember what cannot change meanwhile.
    """

    def __init__(self, memory: DeviceMemory, state: QueueState, event_index: bool) -> None:
        self.state = state
        self._memory = memory
        self._read, self._write = memory.read, memory.write
        self._event_index = event_index

    @abstractmethod
    def peek(self) -> Chain | None:
        """The next request, which stays in the queue; None if there is none."""

    @abstractmethod
    def advance(self) -> None:
        """Take the request last peeked out of the queue."""

    @abstractmethod
    def complete(self, chain: Chain, written: int) -> None:
        """Give a request back with the number of bytes written to it."""

    @abstractmethod
    def complete_all(self, done: Sequence[tuple[Chain, int]]) -> None:
        """Give several requests back as `complete` would, for the driver all at once."""

    def put_back(self, position: int) -> None:
        """Undo every `advance` since `state.next_avail` was this; none may be completed."""
        self.state.next_avail = position

    @abstractmethod
    def listen(self) -> None:
        """Ask to be told of the next request."""

    @abstractmethod
    def wants_interrupt(self) -> bool:
        """Whether the driver asked to be told of what was completed since this was last asked."""

    def gather(self, chain: Chain, offset: int, limit: int) -> bytes:
        """Up to limit bytes of a request's readable parts, from offset on."""
        parts = chain.readable
        if offset and parts and offset == parts[0][1] and limit == chain.readable_bytes - offset:
            return b"".join(self._memory.windows(parts[1:]))
        return b"".join(self._memory.windows(spans(parts, offset, limit)))

    def scatter(self, chain: Chain, data: bytes, offset: int = 0) -> int:
        """Store data into a request's writable parts, from offset on; returns how much fitted."""
        at = 0
        for gpa, length in spans(chain.writable, offset, len(data)):
            self._write(gpa, data[at : at + length])
            at += length
        return at

    def _table(self, gpa: int, length: int) -> bytes:
        """The descriptors of an indirect table."""
        count, rest = divmod(length, DESCRIPTOR.size)
        if rest or not 0 < count <= INDIRECT_MAX:
            raise GuestError(f"an indirect table of {length} bytes")
        return self._read(gpa, length)


class SplitQueue(Virtqueue):
    """A descriptor table, a ring of offered requests and one of completed ones."""

    def __init__(self, memory: DeviceMemory, state: QueueState, event_index: bool) -> None:
        super().__init__(memory, state, event_index)
        self._offered = state.next_avail

    def peek(self) -> Chain | None:
        """As every queue's; the driver's index is looked at when all up to it is taken."""
        state = self.state
        at = state.next_avail
        if at == self._offered:
            if not state.ready:
                return None
            offered = self._u16(state.driver_gpa + 2)
            waiting = (offered - at) & _WRAP
            if not waiting:
                return None
            if waiting > state.size:
                raise GuestError(f"{waiting} requests in a queue of {state.size}")
            self._offered = offered
        head = self._u16(state.driver_gpa + 4 + 2 * (at % state.size))
        gpa, length, flags, _ = self._at(head)
        if not flags & (NEXT | INDIRECT):
            return chain_of_one(head, gpa, length, flags)
        described = list(self._descriptors(head))
        return chain_of(head, described, 1 if flags & INDIRECT else len(described))

    def advance(self) -> None:
        """As every queue's."""
        self.state.next_avail = (self.state.next_avail + 1) & _WRAP

    def complete(self, chain: Chain, written: int) -> None:
        """As every queue's."""
        state = self.state
        at = state.next_used
        self._write(state.device_gpa + 4 + 8 * (at % state.size), _USED.pack(chain.head, written))
        state.next_used = at = (at + 1) & _WRAP
        state.untold += 1
        self._write(state.device_gpa + 2, _U16.pack(at))

    def complete_all(self, done: Sequence[tuple[Chain, int]]) -> None:
        """As every queue's: the index moves once."""
        state = self.state
        at, size = state.next_used, state.size
        entries = b"".join([_USED.pack(chain.head, written) for chain, written in done])
        place, ring_gpa = at % size, state.device_gpa + 4
        before_end = 8 * (size - place)
        self._write(ring_gpa + 8 * place, entries[:before_end])
        self._write(ring_gpa, entries[before_end:])
        state.next_used = at = (at + len(done)) & _WRAP
        state.untold += len(done)
        self._write(state.device_gpa + 2, _U16.pack(at))

    def listen(self) -> None:
        """As every queue's; without the event index drivers always tell."""
        state = self.state
        if self._event_index and state.ready:
            gpa = state.device_gpa + 4 + 8 * state.size
            self._write(gpa, _U16.pack(state.next_avail))

    def wants_interrupt(self) -> bool:
        """As every queue's: by flag, or if the index the driver waits for was passed."""
        state = self.state
        moved, state.untold = state.untold, 0
        if not moved:
            return False
        if not self._event_index:
            return not self._u16(state.driver_gpa) & NO_INTERRUPT
        event = self._u16(state.driver_gpa + 4 + 2 * state.size)
        return (state.next_used - event - 1) & _WRAP < moved

    def _descriptors(self, head: int) -> Iterator[Described]:
        """The descriptors of a chain, an indirect one replaced by those in its table."""
        state, index = self.state, head
        for _ in range(state.size):
            gpa, length, flags, index = self._at(index)
            if flags & INDIRECT:
                if flags & NEXT:
                    raise GuestError("an indirect descriptor that goes on")
                yield from self._indirect(gpa, length)
                return
            yield gpa, length, flags
            if not flags & NEXT:
                return
        raise GuestError("a chain of descriptors is longer than its queue")

    def _indirect(self, table_gpa: int, table_bytes: int) -> Iterator[Described]:
        table = list(DESCRIPTOR.iter_unpack(self._table(table_gpa, table_bytes)))
        index = 0
        for _ in table:
            if index >= len(table) or table[index][2] & INDIRECT:
                raise GuestError("a wrong indirect table")
            gpa, length, flags, index = table[index]
            yield gpa, length, flags
            if not flags & NEXT:
                return
        raise GuestError("an indirect chain is longer than its table")

    def _at(self, index: int) -> tuple[int, int, int, int]:
        """Address, length, flags and successor of a descriptor."""
        if index >= self.state.size:
            raise GuestError(f"descriptor {index} in a queue of {self.state.size}")
        gpa = self.state.descriptors_gpa + DESCRIPTOR.size * index
        found: tuple[int, int, int, int] = DESCRIPTOR.unpack(self._read(gpa, DESCRIPTOR.size))
        return found

    def _u16(self, gpa: int) -> int:
        return int.from_bytes(self._read(gpa, 2), "little")


def chain_of(head: int, descriptors: Iterable[Described], places: int = 1) -> Chain:
    """A request from (gpa, length, flags) of its parts; those to read come first."""
    # By columns, since a request may have hundreds of parts.
    gpas, lengths, flags = zip(*descriptors, strict=True)
    writing = [bits & WRITE for bits in flags]
    first = writing.index(WRITE) if WRITE in writing else len(writing)
    if 0 in writing[first:]:
        raise GuestError("a readable descriptor follows a writable one")
    parts = tuple(zip(gpas, lengths, strict=True))
    readable_bytes, writable_bytes = sum(lengths[:first]), sum(lengths[first:])
    return Chain(head, parts[:first], parts[first:], readable_bytes, writable_bytes, places)


def chain_of_one(head: int, gpa: int, length: int, flags: int) -> Chain:
    """A request of one part."""
    if flags & WRITE:
        return Chain(head, (), ((gpa, length),), 0, length)
    return Chain(head, ((gpa, length),), (), length)


def spans(parts: tuple[Part, ...], offset: int, limit: int) -> Iterator[Part]:
    """(gpa, length) of at most limit bytes from offset on."""
    for gpa, length in parts:
        if limit <= 0:
            return
        skipped = min(offset, length)
        offset -= skipped
        taken = min(length - skipped, limit)
        limit -= taken
        if taken:
            yield gpa + skipped, taken

"""Split virtqueues (virtio 1.2, section 2.7): indirect descriptors, event index, nothing trusted.

Descriptors are copied out of guest memory first and checked then. A queue that the guest has laid
out wrongly raises GuestError; how much one step can do is bounded by the queue's size.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from hospes.base.errors import GuestError
from hospes.devices.backends import DeviceMemory

NEXT, WRITE, INDIRECT = 1, 2, 4
NO_INTERRUPT: Final = 1
INDIRECT_MAX: Final = 1024
"""Linux exceeds the queue's size in indirect tables; QEMU takes as many as this."""

_DESCRIPTOR = struct.Struct("<QIHH")
_U16 = struct.Struct("<H")
_USED = struct.Struct("<II")
_WRAP: Final = 0xFFFF

Descriptor = tuple[int, int, int, int]


@dataclass
class QueueState:
    """What the guest and the device know about a queue: its snapshot."""

    size: int = 0
    ready: bool = False
    descriptors_gpa: int = 0
    driver_gpa: int = 0
    device_gpa: int = 0
    next_avail: int = 0
    next_used: int = 0
    signalled: int = 0      # next_used when the driver was last told


@dataclass(frozen=True)
class Chain:
    """One request: (gpa, length) of the parts to read and of the parts to write."""

    head: int
    readable: tuple[tuple[int, int], ...]
    writable: tuple[tuple[int, int], ...]
    readable_bytes: int = field(init=False)
    writable_bytes: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "readable_bytes", sum(length for _, length in self.readable))
        object.__setattr__(self, "writable_bytes", sum(length for _, length in self.writable))


class SplitQueue:
    """A queue over its state; `event_index` is whether VIRTIO_F_EVENT_IDX was negotiated."""

    def __init__(self, memory: DeviceMemory, state: QueueState, event_index: bool) -> None:
        self._memory = memory
        self.state = state
        self._event_index = event_index

    def peek(self) -> Chain | None:
        """The next request, which stays in the queue; None if there is none."""
        state = self.state
        if not state.ready:
            return None
        waiting = (self._u16(state.driver_gpa + 2) - state.next_avail) & _WRAP
        if not waiting:
            return None
        if waiting > state.size:
            raise GuestError(f"{waiting} requests in a queue of {state.size}")
        slot = state.next_avail % state.size
        return self._chain(self._u16(state.driver_gpa + 4 + 2 * slot))

    def advance(self) -> None:
        """Take the request last peeked out of the queue."""
        self.state.next_avail = (self.state.next_avail + 1) & _WRAP

    def complete(self, chain: Chain, written: int) -> None:
        """Give a request back with the number of bytes written to it."""
        state = self.state
        slot = state.next_used % state.size
        self._memory.write(state.device_gpa + 4 + 8 * slot, _USED.pack(chain.head, written))
        state.next_used = (state.next_used + 1) & _WRAP
        self._memory.write(state.device_gpa + 2, _U16.pack(state.next_used))

    def listen(self) -> None:
        """Ask to be told of the next request."""
        state = self.state
        if self._event_index and state.ready:
            gpa = state.device_gpa + 4 + 8 * state.size
            self._memory.write(gpa, _U16.pack(state.next_avail))

    def wants_interrupt(self) -> bool:
        """Whether the driver asked to be told of what was completed since this was last asked."""
        state = self.state
        old, new = state.signalled, state.next_used
        if old == new:
            return False
        state.signalled = new
        if not self._event_index:
            return not self._u16(state.driver_gpa) & NO_INTERRUPT
        event = self._u16(state.driver_gpa + 4 + 2 * state.size)
        return (new - event - 1) & _WRAP < (new - old) & _WRAP

    def gather(self, chain: Chain, offset: int, limit: int) -> bytes:
        """Up to limit bytes of a request's readable parts, from offset on."""
        spans = _spans(chain.readable, offset, limit)
        return b"".join(self._memory.read(gpa, length) for gpa, length in spans)

    def scatter(self, chain: Chain, data: bytes, offset: int = 0) -> int:
        """Store data into a request's writable parts, from offset on; returns how much fitted."""
        at = 0
        for gpa, length in _spans(chain.writable, offset, len(data)):
            self._memory.write(gpa, data[at : at + length])
            at += length
        return at

    def _chain(self, head: int) -> Chain:
        parts: dict[bool, list[tuple[int, int]]] = {False: [], True: []}
        for gpa, length, flags, _ in self._descriptors(head):
            writable = bool(flags & WRITE)
            if parts[True] and not writable:
                raise GuestError("a readable descriptor follows a writable one")
            parts[writable].append((gpa, length))
        return Chain(head, tuple(parts[False]), tuple(parts[True]))

    def _descriptors(self, head: int) -> Iterator[Descriptor]:
        """The descriptors of a chain, an indirect one replaced by those in its table."""
        index = head
        for _ in range(self.state.size):
            if index >= self.state.size:
                raise GuestError(f"descriptor {index} in a queue of {self.state.size}")
            table_gpa = self.state.descriptors_gpa + 16 * index
            descriptor: Descriptor = _DESCRIPTOR.unpack(self._memory.read(table_gpa, 16))
            _, _, flags, following = descriptor
            if flags & INDIRECT:
                if flags & NEXT:
                    raise GuestError("an indirect descriptor that goes on")
                yield from self._indirect(descriptor)
                return
            yield descriptor
            if not flags & NEXT:
                return
            index = following
        raise GuestError("a chain of descriptors is longer than its queue")

    def _indirect(self, descriptor: Descriptor) -> Iterator[Descriptor]:
        gpa, length, _, _ = descriptor
        count, rest = divmod(length, 16)
        if rest or not 0 < count <= INDIRECT_MAX:
            raise GuestError(f"an indirect table of {length} bytes")
        table = list(_DESCRIPTOR.iter_unpack(self._memory.read(gpa, length)))
        index = 0
        for _ in range(count):
            if index >= count or table[index][2] & INDIRECT:
                raise GuestError("a wrong indirect table")
            yield table[index]
            if not table[index][2] & NEXT:
                return
            index = table[index][3]
        raise GuestError("an indirect chain is longer than its table")

    def _u16(self, gpa: int) -> int:
        return int.from_bytes(self._memory.read(gpa, 2), "little")


def _spans(
    parts: tuple[tuple[int, int], ...], offset: int, limit: int
) -> Iterator[tuple[int, int]]:
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

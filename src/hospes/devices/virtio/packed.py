"""Packed virtqueues (virtio 1.2, section 2.8): one ring, which both sides write.

A descriptor is offered when its AVAIL bit is the driver's wrap counter and its USED bit is not.
It is given back where the device's own position is, both bits being the device's wrap counter.
"""

import struct
from collections.abc import Iterator, Sequence
from typing import Final

from hospes.base.errors import GuestError
from hospes.devices.virtio.queue import (
    DESCRIPTOR,
    INDIRECT,
    NEXT,
    WRITE,
    Chain,
    Virtqueue,
    chain_of,
    chain_of_one,
)

AVAIL: Final = 1 << 7
USED: Final = 1 << 15
EVENT_DISABLE, EVENT_DESCRIPTOR = 1, 2
"""What one side asks of the other in its event suppression structure; 0: to be told of all."""
EVENT_WRAP: Final = 1 << 15

_DESCRIBED: Final = struct.Struct("<QI2xH")
_GIVEN_BACK: Final = struct.Struct("<IHH")
_EVENT: Final = struct.Struct("<HH")


class PackedQueue(Virtqueue):
    """Requests lie in the ring one behind the other; their parts do too."""

    _next: Chain

    def peek(self) -> Chain | None:
        """As every queue's."""
        state = self.state
        if not state.ready:
            return None
        size, at = state.size, state.next_avail
        place, wrapped = (at, False) if at < size else (at - size, True)
        first = self._at(place)
        flags = first[3]
        if bool(flags & AVAIL) is wrapped or bool(flags & USED) is not wrapped:
            return None
        if flags & INDIRECT:
            if flags & NEXT:
                raise GuestError("an indirect descriptor that goes on")
            table = self._table(first[0], first[1])
            self._next = chain_of(first[2], _DESCRIBED.iter_unpack(table))
        elif not flags & NEXT:
            self._next = chain_of_one(first[2], first[0], first[1], flags)
        else:
            parts = list(self._descriptors(place))
            described = [(gpa, length, bits) for gpa, length, _, bits in parts]
            self._next = chain_of(parts[-1][2], described, len(parts))
        return self._next

    def advance(self) -> None:
        """As every queue's."""
        state = self.state
        state.next_avail = (state.next_avail + self._next.places) % (2 * state.size)

    def complete(self, chain: Chain, written: int) -> None:
        """As every queue's: one descriptor tells of all that the request took."""
        state = self.state
        self._give_back(state.next_used, chain, written)
        state.next_used = (state.next_used + chain.places) % (2 * state.size)
        state.untold += chain.places

    def complete_all(self, done: Sequence[tuple[Chain, int]]) -> None:
        """As every queue's: the driver looks at the first, which is written last."""
        state = self.state
        turn, moved = 2 * state.size, sum(chain.places for chain, _ in done)
        at = state.next_used = (state.next_used + moved) % turn
        state.untold += moved
        for chain, written in reversed(done):
            at = (at - chain.places) % turn
            self._give_back(at, chain, written)

    def listen(self) -> None:
        """As every queue's; without the event index drivers always tell."""
        state = self.state
        if self._event_index and state.ready:
            at, size = state.next_avail, state.size
            event = at | EVENT_WRAP if at < size else at - size
            self._write(state.device_gpa, _EVENT.pack(event, EVENT_DESCRIPTOR))

    def wants_interrupt(self) -> bool:
        """As every queue's: by flag, or if the place the driver waits for was passed."""
        state = self.state
        moved, state.untold = state.untold, 0
        if not moved:
            return False
        event, wanted = _EVENT.unpack(self._read(state.driver_gpa, _EVENT.size))
        if wanted & 3 != EVENT_DESCRIPTOR or not self._event_index:
            return bool(wanted & 3 != EVENT_DISABLE)
        size = state.size
        at = event & ~EVENT_WRAP if event & EVENT_WRAP else (event & ~EVENT_WRAP) + size
        behind: int = (state.next_used - at - 1) % (2 * size)
        return behind < moved

    def _give_back(self, at: int, chain: Chain, written: int) -> None:
        size = self.state.size
        place, flags = (at, AVAIL | USED) if at < size else (at - size, 0)
        if written:
            flags |= WRITE
        # The flags make it the driver's: they go with the rest in one aligned store of 8 bytes.
        gpa = self.state.descriptors_gpa + DESCRIPTOR.size * place + 8
        self._write(gpa, _GIVEN_BACK.pack(written, chain.head, flags))

    def _at(self, place: int) -> tuple[int, int, int, int]:
        """Address, length, number and flags of the descriptor at a place in the ring."""
        gpa = self.state.descriptors_gpa + DESCRIPTOR.size * place
        found: tuple[int, int, int, int] = DESCRIPTOR.unpack(self._read(gpa, DESCRIPTOR.size))
        return found

    def _descriptors(self, place: int) -> Iterator[tuple[int, int, int, int]]:
        """Those of one request, which may go on at the ring's start; the last has its number."""
        size = self.state.size
        for step in range(size):
            descriptor = self._at((place + step) % size)
            if descriptor[3] & INDIRECT:
                raise GuestError("an indirect descriptor within a chain")
            yield descriptor
            if not descriptor[3] & NEXT:
                return
        raise GuestError("a chain of descriptors is longer than its queue")

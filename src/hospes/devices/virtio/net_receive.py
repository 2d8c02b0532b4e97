"""How a frame gets into a driver's receive buffers (virtio 1.2, sections 5.1.6.3 and 5.1.6.4)."""

from enum import Enum, auto
from typing import Final

from hospes.base.errors import GuestError
from hospes.devices.backends import DeviceMemory
from hospes.devices.virtio.net_frame import COUNT_OFFSET, HEADER
from hospes.devices.virtio.queue import Chain, Part, Virtqueue, spans

_COUNT: Final = slice(COUNT_OFFSET, HEADER.size)


class Placing(Enum):
    """What became of a frame."""

    DONE = auto()
    TOO_LONG = auto()     # for any buffers this driver has
    WAITS = auto()        # for more of them, of which the driver is to tell


def place(queue: Virtqueue, memory: DeviceMemory, frame: bytes, mergeable: bool) -> Placing:
    """Put a frame into the next buffer; into as many as it needs if they are mergeable.

    GuestError if a buffer has no room for a header.
    """
    size, room, started = len(frame), 0, queue.state.next_avail
    chains: list[Chain] = []
    places = 0
    while room < size:
        chain = queue.peek() if places < queue.state.size else None
        if chain is None:
            if places < queue.state.size:
                queue.listen()
            queue.put_back(started)
            return Placing.WAITS if places < queue.state.size else Placing.TOO_LONG
        if chain.writable_bytes < HEADER.size:
            raise GuestError(f"a receive buffer of {chain.writable_bytes} bytes")
        if chain.writable_bytes < size and not mergeable:
            return Placing.TOO_LONG
        queue.advance()
        chains.append(chain)
        places += chain.places
        room += chain.writable_bytes
    _fill(memory, chains, _counted(frame, len(chains)))
    if len(chains) == 1:
        queue.complete(chains[0], size)
    else:
        last = chains[-1]
        done = [(chain, chain.writable_bytes) for chain in chains[:-1]]
        queue.complete_all([*done, (last, last.writable_bytes - (room - size))])
    return Placing.DONE


def _counted(frame: bytes, buffers: int) -> bytes:
    """The frame with num_buffers in its header."""
    count = buffers.to_bytes(2, "little")
    if frame[_COUNT] == count:
        return frame
    return b"".join((frame[:COUNT_OFFSET], count, memoryview(frame)[HEADER.size :]))


def _fill(memory: DeviceMemory, chains: list[Chain], frame: bytes) -> None:
    """Store a frame in the parts of buffers, one behind the other."""
    size = len(frame)
    parts: tuple[Part, ...] = chains[0].writable
    if parts[0][1] >= size:
        memory.write(parts[0][0], frame)
        return
    if len(chains) > 1:
        parts = tuple(part for chain in chains for part in chain.writable)
    # Only the last buffer is filled in part, so only what is behind it has to be left out.
    parts = tuple(spans(parts, 0, size))
    rest = memoryview(frame)
    for window in memory.windows(parts):
        window[:] = rest[: len(window)]
        rest = rest[len(window) :]
    memory.filled(parts)

"""A port of a virtio console (virtio 1.2, section 5.3): a stream joined to a pair of queues."""

from dataclasses import dataclass
from typing import Final

from hospes.devices.backends import PortStream
from hospes.devices.virtio.queue import Virtqueue

RECEIVE, TRANSMIT = 0, 1
STEP_BYTES: Final = 256 * 1024
"""How much output one step passes on at most; the rest follows at the next tick."""


@dataclass
class PortState:
    """A port's snapshot."""

    sent: int = 0             # bytes of the current request that are out
    stalled: bool = False     # there was output for which there was no room
    owed: bool = False        # the driver has not been told yet of output that is out


class Port:
    """What both kinds of console do with the queues of a port."""

    def __init__(self, stream: PortStream, state: PortState) -> None:
        self.stream = stream
        self.state = state

    def fill(self, queue: Virtqueue) -> None:
        """Give waiting input to the driver's buffers."""
        while self.stream.input_waiting and (chain := queue.peek()):
            queue.advance()
            data = self.stream.take(chain.writable_bytes)
            queue.complete(chain, queue.scatter(chain, data))

    def drain(self, queue: Virtqueue) -> None:
        """Take the driver's output as far as there is room, and no more than STEP_BYTES."""
        left, state = STEP_BYTES, self.state
        while chain := queue.peek():
            room = min(left, self.stream.room)
            state.stalled = not room
            if not room:
                return
            data = queue.gather(chain, state.sent, room)
            state.sent += len(data)
            left -= len(data)
            if state.sent >= chain.readable_bytes:
                state.sent = 0
                queue.advance()
                queue.complete(chain, 0)
            self.stream.put(data)
        state.stalled = False


def drop_output(queue: Virtqueue, state: PortState) -> None:
    """Give the driver's output back without looking at it."""
    while chain := queue.peek():
        queue.advance()
        queue.complete(chain, 0)
    state.sent, state.stalled = 0, False

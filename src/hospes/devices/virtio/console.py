"""Virtio console (virtio 1.2, section 5.3) with one port; a port is a part of its own."""

import struct
from dataclasses import dataclass
from typing import Final

from hospes.devices.backends import DeviceMemory
from hospes.devices.stream import CharacterStream
from hospes.devices.virtio.function import VirtioFunction
from hospes.devices.virtio.queue import Virtqueue

SIZE, MULTIPORT, EMERG_WRITE = 1, 2, 4
RECEIVE, TRANSMIT = 0, 1
EMERG_WRITE_OFFSET: Final = 8
STEP_BYTES: Final = 256 * 1024
"""How much output one step passes on at most; the rest follows at the next tick."""


@dataclass
class PortState:
    """A port's snapshot."""

    sent: int = 0             # bytes of the current request that are out
    stalled: bool = False     # there was output for which there was no room
    owed: bool = False        # the driver has not been told yet of output that is out


class Port:
    """A stream joined to a pair of queues."""

    def __init__(self, stream: CharacterStream, state: PortState) -> None:
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


class VirtioConsole(VirtioFunction):
    """hvc0 in Linux; `columns` and `rows` of 0 mean that the size is not known.

    Drivers look for themselves whether output is out before they wait for the interrupt, so that
    one comes with the next tick, for all requests until then.
    """

    device_id, queue_count = 3, 2
    columns: int
    rows: int
    ports: list[PortState]

    def __init__(
        self, memory: DeviceMemory, stream: CharacterStream, columns: int = 0, rows: int = 0
    ) -> None:
        super().__init__(memory)
        self._stream = stream
        self.columns, self.rows = columns, rows
        self.own_features = EMERG_WRITE | (SIZE if columns and rows else 0)

    def reset(self) -> None:
        """Output taken stays taken; the rest of a request cut off by the reset is gone."""
        super().reset()
        self.ports = [PortState()]

    def forget(self, index: int) -> None:
        """The next request begins at its first byte."""
        number, direction = _port_of(index)
        if direction == TRANSMIT:
            self.ports[number] = PortState()

    def resize(self, columns: int, rows: int) -> None:
        """The terminal has another size; drivers that know of sizes are told."""
        self.columns, self.rows = columns, rows
        self.config_generation = (self.config_generation + 1) & 0xFFFF_FFFF
        if self.running and self.driver_features & SIZE:
            self.interrupt_config()

    def config(self) -> bytes:
        """cols, rows, max_nr_ports, emerg_wr."""
        return struct.pack("<HHII", self.columns, self.rows, len(self.ports), 0)

    def write_config(self, offset: int, data: bytes) -> None:
        """Emergency output, allowed at any time; the other fields are read-only."""
        if offset == EMERG_WRITE_OFFSET:
            self._stream.put(data[:1])

    def serve(self, index: int) -> None:
        """Buffers for input, or output."""
        number, direction = _port_of(index)
        port, queue = Port(self._stream, self.ports[number]), self.queue(index)
        if direction == RECEIVE:
            port.fill(queue)
            self._tell(index)
        else:
            port.drain(queue)
            port.state.owed = True
        queue.listen()

    def tick(self) -> None:
        """Input that has come and output that was held back."""
        self._stream.tick()
        if not self.running:
            return
        state = self.ports[0]
        if state.stalled:
            self.serve(TRANSMIT)
        if state.owed:
            state.owed = False
            self._tell(TRANSMIT)
        if self._stream.input_waiting:
            self.serve(RECEIVE)

    def due_in_ns(self) -> int | None:
        """When batched output is due; at once if more can be taken or the driver is to be told."""
        state = self.ports[0]
        if self.running and (state.owed or (state.stalled and self._stream.room)):
            return 0
        return self._stream.due_in_ns()

    def _tell(self, index: int) -> None:
        if self.queue(index).wants_interrupt():
            self.interrupt_queue(index)


def _port_of(queue: int) -> tuple[int, int]:
    """Port and direction of a queue; queues 2 and 3 are for control (5.3.2)."""
    port, direction = divmod(queue, 2)
    return max(0, port - 1), direction

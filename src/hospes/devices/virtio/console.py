"""Virtio console (virtio 1.2, section 5.3) with one port, for terminals."""

import struct
from typing import Final

from hospes.devices.backends import DeviceMemory
from hospes.devices.stream import CharacterStream
from hospes.devices.virtio.function import VirtioFunction
from hospes.devices.virtio.port import RECEIVE, TRANSMIT, Port, PortState

SIZE, EMERG_WRITE = 1, 4
EMERG_WRITE_OFFSET: Final = 8


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
        if index == TRANSMIT:
            self.ports[0] = PortState()

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
        port, queue = Port(self._stream, self.ports[0]), self.queue(index)
        if index == RECEIVE:
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

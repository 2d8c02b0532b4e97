"""Virtio block device (virtio 1.2, section 5.2): requests are carried out beside the machine."""

import struct
from collections import deque
from functools import partial
from typing import Final

from hospes.base.errors import GuestError
from hospes.devices.backends import BlockBackend, DeviceMemory, Executor
from hospes.devices.virtio.block_request import (
    DISCARD_SECTORS_MAX,
    HEADER_BYTES,
    REQUEST_BYTES_MAX,
    SECTOR_BYTES,
    SEGMENTS_MAX,
    ZERO_SECTORS_MAX,
    BlockRequest,
    Terms,
    carry_out,
)
from hospes.devices.virtio.function import QUEUE_SIZE_MAX, VirtioFunction
from hospes.devices.virtio.queue import Chain

SEG_MAX, RO, BLK_SIZE, FLUSH, TOPOLOGY = 1 << 2, 1 << 5, 1 << 6, 1 << 9, 1 << 10
DISCARD, WRITE_ZEROES = 1 << 13, 1 << 14

IN_FLIGHT_MAX: Final = QUEUE_SIZE_MAX
IN_FLIGHT_BYTES_MAX: Final = REQUEST_BYTES_MAX
DISCARD_ALIGNMENT_SECTORS: Final = 128
PHYSICAL_BLOCK_EXPONENT: Final = 3
OPTIMAL_BLOCKS: Final = 128
_CONFIG: Final = struct.Struct("<QIIHBBIBBHIBBHIIIIIB3xIII")


class VirtioBlock(VirtioFunction):
    """vda in Linux; guest memory, rings and the interrupt are touched on the machine's thread only.

    A request is copied out of its ring, given to the executor and, once done, answered by the next
    `tick`. One from before a reset is carried out, if it was not yet, but never answered. What is
    held in memory at a time is bounded, over resets too; more stays in the ring.
    """

    device_id = 2

    def __init__(
        self, memory: DeviceMemory, disk: BlockBackend, executor: Executor, serial: str = ""
    ) -> None:
        super().__init__(memory)
        self._disk, self._executor = disk, executor
        self._serial = serial.encode()
        self._done: deque[BlockRequest] = deque()
        self._in_flight = self._in_flight_bytes = 0
        access = RO if disk.read_only else DISCARD | WRITE_ZEROES
        self.own_features = SEG_MAX | BLK_SIZE | FLUSH | TOPOLOGY | access

    def config(self) -> bytes:
        """Capacity, limits and block sizes (5.2.4)."""
        writing = not self._disk.read_only
        return _CONFIG.pack(
            self._disk.size_bytes // SECTOR_BYTES,
            0, QUEUE_SIZE_MAX - 2,
            0, 0, 0,
            SECTOR_BYTES,
            PHYSICAL_BLOCK_EXPONENT, 0, 1 << PHYSICAL_BLOCK_EXPONENT, OPTIMAL_BLOCKS,
            0, 0, len(self.queues),
            DISCARD_SECTORS_MAX * writing, SEGMENTS_MAX * writing, DISCARD_ALIGNMENT_SECTORS,
            ZERO_SECTORS_MAX * writing, SEGMENTS_MAX * writing, writing,
            0, 0, 0,
        )  # fmt: skip

    def serve(self, index: int) -> None:
        """Take new requests while there is room for them."""
        queue = self.queue(index)
        while self._has_room():
            chain = queue.peek()
            if chain is None:
                queue.listen()
                break
            queue.advance()
            self._begin(index, chain)

    def tick(self) -> None:
        """Answer what has been done, and take requests for which there was no room."""
        if not self._done:
            return
        told: set[int] = set()
        while self._done:
            request = self._done.popleft()
            self._in_flight -= 1
            self._in_flight_bytes -= request.held_bytes
            if self.running and self.queues[request.queue] is request.state:
                self._answer(request)
                told.add(request.queue)
        for index in sorted(told):
            if self.queue(index).wants_interrupt():
                self.interrupt_queue(index)
        if self.running:
            self._serve_all()

    def due_in_ns(self) -> int | None:
        """At once if requests are done."""
        return 0 if self._done else None

    def _has_room(self) -> bool:
        return self._in_flight < IN_FLIGHT_MAX and self._in_flight_bytes < IN_FLIGHT_BYTES_MAX

    def _begin(self, index: int, chain: Chain) -> None:
        """Copy a request and have it carried out."""
        if chain.readable_bytes < HEADER_BYTES or not chain.writable_bytes:
            raise GuestError("a disk request without a header or room for its status")
        head = self.queue(index).gather(chain, 0, HEADER_BYTES)
        request = BlockRequest.parse(head, chain, index, self.queues[index])
        if request.takes_data:
            request.data = self.queue(index).gather(chain, HEADER_BYTES, request.data_bytes)
        self._in_flight += 1
        self._in_flight_bytes += request.held_bytes
        terms = Terms(self.driver_features, self._serial, durable=not self.driver_features & FLUSH)
        self._executor.submit(partial(self._carry_out, request, terms))

    def _carry_out(self, request: BlockRequest, terms: Terms) -> None:
        """The executor's part; an error that is not the disk's goes on to the executor's log."""
        try:
            carry_out(request, self._disk, terms, self._executor.report)
        finally:
            self._done.append(request)

    def _answer(self, request: BlockRequest) -> None:
        """Data if there is any, the status in the last byte, and the request back to the driver."""
        queue, chain = self.queue(request.queue), request.chain
        queue.scatter(chain, request.answer)
        last = chain.writable_bytes - 1
        queue.scatter(chain, bytes([request.status]), last)
        queue.complete(chain, last + 1 if len(request.answer) == last else len(request.answer))

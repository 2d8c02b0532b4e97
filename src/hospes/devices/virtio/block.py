"""Virtio block device (virtio 1.2, section 5.2): requests are carried out beside the machine."""

import struct
from collections import deque
from collections.abc import Iterator
from functools import partial
from typing import Final

from hospes.base.errors import GuestError
from hospes.devices.backends import BlockBackend, DeviceMemory, Executor
from hospes.devices.virtio.aside import VirtioAside
from hospes.devices.virtio.block_request import (
    DISCARD_SECTORS_MAX,
    HEADER,
    HEADER_BYTES,
    IN,
    OUT,
    REQUEST_BYTES_MAX,
    SECTOR_BYTES,
    SEGMENTS_MAX,
    ZERO_SECTORS_MAX,
    BlockRequest,
    Terms,
    carry_out,
    is_inside,
)
from hospes.devices.virtio.block_request import OK as STATUS_OK
from hospes.devices.virtio.function import QUEUE_SIZE_MAX
from hospes.devices.virtio.queue import Chain, Virtqueue, spans

SEG_MAX, RO, BLK_SIZE, FLUSH, TOPOLOGY, MQ = 1 << 2, 1 << 5, 1 << 6, 1 << 9, 1 << 10, 1 << 12
DISCARD, WRITE_ZEROES = 1 << 13, 1 << 14

IN_FLIGHT_MAX: Final = QUEUE_SIZE_MAX
IN_FLIGHT_BYTES_MAX: Final = REQUEST_BYTES_MAX
AT_ONCE_BYTES_MAX: Final = 4 << 20
"""How much one step reads itself from what the host has in memory; a few hundred microseconds."""
JOB_REQUESTS_MAX: Final = 8
JOB_BYTES_MAX: Final = 256 << 10
"""Small writes are done together, so that the guest is interrupted once for all of them."""
DISCARD_ALIGNMENT_SECTORS: Final = 128
PHYSICAL_BLOCK_EXPONENT: Final = 3
OPTIMAL_BLOCKS: Final = 128
_CONFIG: Final = struct.Struct("<QIIHBBIBBHIBBHIIIIIB3xIII")


class VirtioBlock(VirtioAside[BlockRequest]):
    """vda in Linux. A read of what the host has in memory is answered at once.

    A request from before a reset of the device or its queue is not begun any more.
    """

    device_id = 2
    in_flight_max = IN_FLIGHT_MAX
    in_flight_bytes_max = IN_FLIGHT_BYTES_MAX
    at_once_max = AT_ONCE_BYTES_MAX

    def __init__(
        self,
        memory: DeviceMemory,
        disk: BlockBackend,
        executor: Executor,
        serial: str = "",
        *,
        queues: int = 1,
        packed: bool = True,
    ) -> None:
        self._disk, self._executor, self._serial = disk, executor, serial.encode()
        self._new: list[BlockRequest] = []
        super().__init__(memory, queues=queues, packed=packed)
        access = RO if disk.read_only else DISCARD | WRITE_ZEROES
        self.own_features = SEG_MAX | BLK_SIZE | FLUSH | TOPOLOGY | MQ | access

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

    def drain(self) -> None:
        """Wait for the disk and answer what is under way; what is still in the ring stays there."""
        if self._begun:
            self._executor.wait()
            self._answer_all()

    def _begin(self, index: int, queue: Virtqueue, chain: Chain) -> None:
        """Answer a request, or copy it for the executor."""
        if chain.readable_bytes < HEADER_BYTES or not chain.writable_bytes:
            raise GuestError("a disk request without a header or room for its status")
        gpa, size = chain.readable[0]
        header = (
            self._memory.read(gpa, HEADER_BYTES)
            if size >= HEADER_BYTES
            else queue.gather(chain, 0, HEADER_BYTES)
        )
        kind, _, sector = HEADER.unpack(header)
        if kind == IN and self._read_at_once(queue, chain, sector * SECTOR_BYTES):
            return
        request = BlockRequest(index, queue.state, chain, kind, sector)
        if request.takes_data:
            request.data = queue.gather(chain, HEADER_BYTES, request.data_bytes)
        self._hold(request)
        self._new.append(request)

    def _read_at_once(self, queue: Virtqueue, chain: Chain, offset: int) -> bool:
        """Read straight into the driver's buffers, if that is possible without waiting."""
        length = chain.writable_bytes - 1
        fits = 0 < length <= self._at_once_left and length % SECTOR_BYTES == 0
        if not fits or not is_inside(self._disk, offset, length):
            return False
        parts = list(chain.writable[:-1])
        if chain.writable[-1][1] != 1:
            parts = list(spans(chain.writable, 0, length))
        if not self._disk.read_at_once(offset, self._memory.windows(parts)):
            return False
        self._at_once_left -= length
        self._memory.filled(parts)
        self._set_status(queue, chain, STATUS_OK)
        queue.complete(chain, length + 1)
        return True

    def _submit(self) -> None:
        """Hand what `_begin` copied to the executor."""
        if not self._new:
            return
        requests, self._new = self._new, []
        terms = Terms(self.driver_features, self._serial, durable=not self.driver_features & FLUSH)
        for job in _jobs(requests):
            self._executor.submit(partial(self._carry_out, job, terms))

    def _carry_out(self, requests: list[BlockRequest], terms: Terms) -> None:
        """The executor's part; an error that is not the disk's goes on to the executor's log."""
        left = deque(requests)
        try:
            while left:
                if self._is_current(left[0]):
                    carry_out(left[0], self._disk, terms, self._executor.report)
                self._done.append(left.popleft())
        finally:
            self._done.extend(left)

    def _answer(self, request: BlockRequest) -> None:
        """Data if there is any, the status in the last byte, and the request back to the driver."""
        queue, chain = self.queue(request.queue), request.chain
        queue.scatter(chain, request.answer)
        self._set_status(queue, chain, request.status)
        last = chain.writable_bytes - 1
        queue.complete(chain, last + 1 if len(request.answer) == last else len(request.answer))

    def _set_status(self, queue: Virtqueue, chain: Chain, status: int) -> None:
        """In the request's last byte."""
        gpa, size = chain.writable[-1]
        if size:
            self._memory.write(gpa + size - 1, bytes((status,)))
        else:
            queue.scatter(chain, bytes((status,)), chain.writable_bytes - 1)


def _jobs(requests: list[BlockRequest]) -> Iterator[list[BlockRequest]]:
    """Small writes in groups, everything else on its own."""
    job: list[BlockRequest] = []
    room = JOB_BYTES_MAX
    for request in requests:
        if request.kind != OUT:
            yield [request]
            continue
        if job and (len(job) == JOB_REQUESTS_MAX or len(request.data) > room):
            yield job
            job, room = [], JOB_BYTES_MAX
        job.append(request)
        room -= len(request.data)
    if job:
        yield job

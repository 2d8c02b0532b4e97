"""Virtio entropy device (virtio 1.2, section 5.4)."""

from typing import Final

from hospes.base.errors import GuestError
from hospes.devices.backends import DeviceMemory, EntropySource
from hospes.devices.virtio.function import VirtioFunction

REQUEST_BYTES_MAX: Final = 4096
"""A request may be answered with fewer bytes than it has room for (5.4.6.2)."""


class VirtioEntropy(VirtioFunction):
    """Fills every buffer of its queue with random bytes."""

    device_id = 4

    def __init__(
        self, memory: DeviceMemory, source: EntropySource, *, packed: bool = True
    ) -> None:
        super().__init__(memory, packed=packed)
        self._source = source

    def serve(self, index: int) -> None:
        """Answer all requests; there are at most as many as the queue is long."""
        queue = self.queue(index)
        for _ in range(queue.state.size):
            chain = queue.peek()
            if chain is None:
                break
            if chain.readable or not chain.writable_bytes:
                raise GuestError("an entropy request with nothing to fill")
            queue.advance()
            data = self._source.read(min(chain.writable_bytes, REQUEST_BYTES_MAX))
            queue.complete(chain, queue.scatter(chain, data))
        queue.listen()
        if queue.wants_interrupt():
            self.interrupt_queue(index)

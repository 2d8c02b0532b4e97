"""Virtio file system device (virtio 1.2, section 5.11): FUSE messages for who serves a folder."""

import struct
from dataclasses import dataclass
from functools import partial
from typing import Final

from hospes.base.errors import GuestError
from hospes.devices.backends import DeviceMemory, FileSystemBackend
from hospes.devices.virtio.aside import VirtioAside
from hospes.devices.virtio.queue import Chain, QueueState, Virtqueue

QUEUES: Final = 2
"""One for what is urgent and has no long answer, and one for everything else."""
IN_FLIGHT_MAX: Final = 64
IN_FLIGHT_BYTES_MAX: Final = 16 << 20
MESSAGE_BYTES_MAX: Final = (1 << 20) + (64 << 10)
"""Of a message and the room for its answer; Linux sends a MiB of data with what describes it."""
HEADER_BYTES: Final = 40
_CONFIG: Final = struct.Struct("<36sI")


@dataclass(eq=False)
class FileSystemRequest:
    """One message with its place in a queue."""

    queue: int
    state: QueueState
    chain: Chain
    held_bytes: int
    answer: bytes = b""


class VirtioFileSystem(VirtioAside[FileSystemRequest]):
    """A folder that the guest mounts; messages and answers pass as they are, and are bounded."""

    device_id = 26
    queue_count = QUEUES
    in_flight_max = IN_FLIGHT_MAX
    in_flight_bytes_max = IN_FLIGHT_BYTES_MAX
    at_once_max = 0

    def __init__(
        self, memory: DeviceMemory, folder: FileSystemBackend, tag: str, *, packed: bool = True
    ) -> None:
        self._folder, self._tag = folder, tag.encode()
        super().__init__(memory, queues=QUEUES, packed=packed)

    def config(self) -> bytes:
        """The mount tag, and how many queues there are for what is not urgent."""
        return _CONFIG.pack(self._tag, QUEUES - 1)

    def drain(self) -> None:
        """Wait for the folder and answer what is under way; what is in the ring stays there."""
        if self._begun:
            self._folder.wait()
            self._answer_all()

    def _begin(self, index: int, queue: Virtqueue, chain: Chain) -> None:
        size = chain.readable_bytes + chain.writable_bytes
        if chain.readable_bytes < HEADER_BYTES or size > MESSAGE_BYTES_MAX:
            raise GuestError(
                f"a message of {chain.readable_bytes} bytes to a file system, with room for "
                f"{chain.writable_bytes}"
            )
        request = FileSystemRequest(index, queue.state, chain, size)
        parts = self._memory.windows(chain.readable)
        self._hold(request)
        self._folder.ask(index, parts, chain.writable_bytes, partial(self._answered, request))

    def _answered(self, request: FileSystemRequest, answer: bytes) -> None:
        """The folder's part, in any thread."""
        request.answer = answer
        self._done.append(request)

    def _answer(self, request: FileSystemRequest) -> None:
        queue = self.queue(request.queue)
        queue.complete(request.chain, queue.scatter(request.chain, request.answer))

    def _forget(self) -> None:
        """The folder forgets as well all that the driver held, and serves a new one."""
        self._folder.reset()
        super()._forget()

"""Virtio 9P transport (Linux, include/uapi/linux/virtio_9p.h): a shared folder by its tag."""

import struct
from collections import deque
from dataclasses import dataclass, field
from errno import EIO
from functools import partial
from typing import Final

from hospes.base.clock import Clock
from hospes.base.errors import GuestError
from hospes.devices.backends import DeviceMemory, Executor, FolderBackend
from hospes.devices.virtio.aside import VirtioAside
from hospes.devices.virtio.queue import Chain, QueueState, Virtqueue

MOUNT_TAG: Final = 1 << 0

MESSAGE_BYTES_MAX: Final = (1 << 20) + 64
"""What a message may have, either way; the folder agrees with the driver on less."""
IN_FLIGHT_MAX: Final = 64
IN_FLIGHT_BYTES_MAX: Final = 8 << 20
AT_ONCE_MAX: Final = 32
"""Messages of one step that are answered in it."""
SLOW_NS: Final = 20_000_000
"""More than a scheduler with much to do takes from us; a disk that turns does."""
SLOW_MESSAGES: Final = 32
FLUSH: Final = 108
FLUSHED: Final = 109
ERROR: Final = 7
_HEADER: Final = struct.Struct("<IBH")
_FAILED: Final = struct.Struct("<IBHI")


@dataclass(eq=False)
class FolderRequest:
    """One message with its place in a queue; a flush waits until what it names is answered."""

    queue: int
    state: QueueState
    chain: Chain
    message: bytes
    tag: int
    room: int
    answer: bytes
    after: "set[FolderRequest]" = field(default_factory=set)

    @property
    def held_bytes(self) -> int:
        """What it takes in memory, its answer included."""
        return len(self.message) + self.room


class _Held:
    """The part of the state that is kept elsewhere while the machine runs."""

    held: bytes


class VirtioFolder(VirtioAside[FolderRequest], _Held):
    """A folder that the guest mounts; what takes time is done beside the machine.

    Most messages are about names and take a host microseconds, much less than to pass them on to
    another thread and back: those are answered at once, unless the host has shown to be slow.
    Answers come in any order.
    """

    device_id = 9
    in_flight_max = IN_FLIGHT_MAX
    in_flight_bytes_max = IN_FLIGHT_BYTES_MAX
    at_once_max = AT_ONCE_MAX

    def __init__(
        self,
        memory: DeviceMemory,
        folder: FolderBackend,
        executor: Executor,
        tag: str,
        clock: Clock,
        *,
        packed: bool = True,
    ) -> None:
        self._folder, self._executor, self._clock = folder, executor, clock
        self._tag = tag.encode()
        self._slow_left = 0
        self._flushes: list[FolderRequest] = []
        self._used = self._forgetting = False
        self._forgotten: deque[None] = deque()
        folder.reset()
        super().__init__(memory, packed=packed)
        self.own_features = MOUNT_TAG

    @property
    def held(self) -> bytes:
        """What the driver holds of the folder."""
        return self._folder.save()

    @held.setter
    def held(self, data: bytes) -> None:
        self._folder.load(data)
        self._used = True

    def config(self) -> bytes:
        """The mount tag with its length."""
        return struct.pack("<H", len(self._tag)) + self._tag

    def tick(self) -> None:
        """Answer what has been done, and take messages for which there was no room."""
        if self._done:
            self._answer_all()
        self._see_forgotten()
        super().tick()

    def due_in_ns(self) -> int | None:
        """At once also if the folder has forgotten what was before a reset."""
        return 0 if self._forgotten else super().due_in_ns()

    def drain(self) -> None:
        """Wait for the folder and answer what is under way; what is in the ring stays there."""
        while self._begun or self._forgetting:
            self._executor.wait()
            self._answer_all()
            self._see_forgotten()

    def _has_room(self) -> bool:
        return not self._forgetting and super()._has_room()

    def _begin(self, index: int, queue: Virtqueue, chain: Chain) -> None:
        """Copy a message and have it answered; a flush is answered here, as it needs no files."""
        if not _HEADER.size <= chain.readable_bytes <= MESSAGE_BYTES_MAX:
            raise GuestError(f"a message of {chain.readable_bytes} bytes to a shared folder")
        if chain.writable_bytes < _FAILED.size:
            raise GuestError("a message to a shared folder without room for its answer")
        message = queue.gather(chain, 0, chain.readable_bytes)
        _, kind, tag = _HEADER.unpack_from(message)
        room = min(chain.writable_bytes, MESSAGE_BYTES_MAX)
        self._used = True
        if kind != FLUSH and (answer := self._answer_at_once(message, room)):
            queue.complete(chain, queue.scatter(chain, answer))
            return
        failed = _FAILED.pack(_FAILED.size, ERROR, tag, EIO)
        request = FolderRequest(index, queue.state, chain, message, tag, room, failed)
        if kind == FLUSH and len(message) >= _HEADER.size + 2:
            self._begin_flush(request)
        else:
            self._executor.submit(partial(self._carry_out, request))
        self._hold(request)

    def _answer_at_once(self, message: bytes, room: int) -> bytes | None:
        """An answer, if there is one without waiting; a host that made us wait is not tried for a
        while."""
        if self._slow_left or not self._at_once_left:
            self._slow_left = max(0, self._slow_left - 1)
            return None
        self._at_once_left -= 1
        begun_ns = self._clock.monotonic_ns()
        answer = self._folder.answer_at_once(message, room)
        if self._clock.monotonic_ns() - begun_ns > SLOW_NS:
            self._slow_left = SLOW_MESSAGES
        return answer

    def _begin_flush(self, flush: FolderRequest) -> None:
        """Answered after what it names, which is soon, for no request ever waits for another."""
        old_tag = int.from_bytes(flush.message[_HEADER.size : _HEADER.size + 2], "little")
        flush.answer = _HEADER.pack(_HEADER.size, FLUSHED, flush.tag)
        flush.after = {one for one in self._begun if one.tag == old_tag}
        if flush.after:
            self._flushes.append(flush)
        else:
            self._done.append(flush)

    def _carry_out(self, request: FolderRequest) -> None:
        """The executor's part; an error that is not the folder's goes on to the executor's log."""
        try:
            if self._is_current(request):
                request.answer = self._folder.answer(request.message, request.room)
        finally:
            self._done.append(request)

    def _finish(self, request: FolderRequest) -> bool:
        answered = super()._finish(request)
        self._release_flushes(request)
        return answered

    def _answer(self, request: FolderRequest) -> None:
        queue = self.queue(request.queue)
        queue.complete(request.chain, queue.scatter(request.chain, request.answer))

    def _release_flushes(self, done: FolderRequest) -> None:
        for flush in self._flushes:
            flush.after.discard(done)
        self._done.extend(flush for flush in self._flushes if not flush.after)
        self._flushes = [flush for flush in self._flushes if flush.after]

    def _forget(self) -> None:
        """What the driver held is given back, too, once its messages have ended."""
        super()._forget()
        self._postponed = True
        self._forgetting = self._forgetting or self._used
        self._give_back()

    def _see_forgotten(self) -> None:
        if self._forgotten:
            self._forgotten.clear()
            self._forgetting = False
        self._give_back()

    def _give_back(self) -> None:
        """Once nothing from before is under way, have the folder forget what the driver held."""
        if self._forgetting and self._used and not self._orphans:
            self._used = False
            self._executor.submit(self._reset_folder)

    def _reset_folder(self) -> None:
        try:
            self._folder.reset()
        finally:
            self._forgotten.append(None)

"""Virtio devices whose requests are carried out beside the machine: disks and folders."""

from collections import deque
from typing import ClassVar, Generic, Protocol, TypeVar

from hospes.devices.backends import DeviceMemory
from hospes.devices.virtio.function import VirtioFunction
from hospes.devices.virtio.queue import Chain, QueueState, Virtqueue


class AsideRequest(Protocol):
    """A request copied out of its ring: which queue it came from, as that was, and its size."""

    @property
    def queue(self) -> int: ...
    @property
    def state(self) -> QueueState: ...
    @property
    def held_bytes(self) -> int: ...


Kind = TypeVar("Kind", bound=AsideRequest)


class VirtioAside(VirtioFunction, Generic[Kind]):
    """Guest memory, rings and interrupts are touched on the machine's thread only.

    `_begin` answers a request at once or copies it, `_hold`s it and has whoever carries it out
    append it to `_done` in the end; the next `tick` answers it. One from before a reset of the
    device or its queue is never answered, and new ones wait until those under way have ended. What
    is held at a time is bounded, over resets too; more stays in the ring. `_at_once_left` is how
    much more one step may do itself.
    """

    in_flight_max: ClassVar[int]
    in_flight_bytes_max: ClassVar[int]
    at_once_max: ClassVar[int]

    def __init__(self, memory: DeviceMemory, *, queues: int = 1, packed: bool = True) -> None:
        self._begun: set[Kind] = set()
        self._begun_bytes = self._orphans = self._at_once_left = 0
        self._done: deque[Kind] = deque()
        self._postponed = False
        super().__init__(memory, queue_count=queues, packed=packed)

    def _begin(self, index: int, queue: Virtqueue, chain: Chain) -> None:
        """Answer a request, or copy it for whoever carries it out."""

    def _answer(self, request: Kind) -> None:
        """Give a request that is done back to the driver."""

    def _submit(self) -> None:
        """What `_begin` has put aside is to be carried out, even if it has failed since."""

    def reset(self) -> None:
        """Requests are forgotten."""
        super().reset()
        self._forget()

    def forget(self, index: int) -> None:
        """The queue's requests are forgotten."""
        self._forget()

    def serve(self, index: int) -> None:
        """Take new requests, at most as many as the queue is long, while there is room for them."""
        queue = self.queue(index)
        self._at_once_left = self.at_once_max
        try:
            emptied = self._take(index, queue)
        finally:
            self._submit()
        if emptied:
            queue.listen()
        else:
            self._postponed = True
        if queue.wants_interrupt():
            self.interrupt_queue(index)

    def _take(self, index: int, queue: Virtqueue) -> bool:
        """Take a queue's requests; False if some are left."""
        for _ in range(queue.state.size):
            if not self._has_room():
                return False
            chain = queue.peek()
            if chain is None:
                return True
            queue.advance()
            self._begin(index, queue, chain)
        return False

    def tick(self) -> None:
        """Answer what has been done, and take requests for which there was no room."""
        if self._done:
            self._answer_all()
        if self._postponed and self.running and self._has_room():
            self._postponed = False
            self._serve_all()

    def due_in_ns(self) -> int | None:
        """At once if requests are done or there is room for more."""
        more = self._postponed and self.running and self._has_room()
        return 0 if self._done or more else None

    def _has_room(self) -> bool:
        return (
            len(self._begun) < self.in_flight_max
            and self._begun_bytes < self.in_flight_bytes_max
            and not self._orphans
        )

    def _hold(self, request: Kind) -> None:
        """It is under way from here on."""
        self._begun.add(request)
        self._begun_bytes += request.held_bytes

    def _is_current(self, request: Kind) -> bool:
        """Whether the request's queue is still the one it came from."""
        return self.queues[request.queue] is request.state

    def _forget(self) -> None:
        """After a reset; what waits in a queue that was not reset goes on waiting to be taken."""
        self._orphans = sum(not self._is_current(request) for request in self._begun)
        self._postponed = self._postponed or self._orphans > 0

    def _answer_all(self) -> None:
        told: set[int] = set()
        while self._done:
            request = self._done.popleft()
            if self._finish(request):
                told.add(request.queue)
        for index in sorted(told):
            if self.queue(index).wants_interrupt():
                self.interrupt_queue(index)

    def _finish(self, request: Kind) -> bool:
        """It is under way no more; whether the driver has got an answer."""
        self._begun.discard(request)
        self._begun_bytes -= request.held_bytes
        if not self._is_current(request):
            self._orphans -= 1
            return False
        if self.running:
            self._answer(request)
        return self.running

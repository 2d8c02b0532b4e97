"""What every virtio device does on any transport: features, status, queues (virtio 1.2)."""

from collections.abc import Callable
from typing import ClassVar, Final

from hospes.base.errors import GuestError
from hospes.devices.backends import DeviceMemory
from hospes.devices.virtio.packed import PackedQueue
from hospes.devices.virtio.queue import QueueState, SplitQueue, Virtqueue

INDIRECT_DESC: Final = 1 << 28
EVENT_IDX: Final = 1 << 29
VERSION_1: Final = 1 << 32
RING_PACKED: Final = 1 << 34
RING_RESET: Final = 1 << 40

ACKNOWLEDGE, DRIVER, DRIVER_OK, FEATURES_OK = 1, 2, 4, 8
NEEDS_RESET, FAILED = 64, 128

QUEUE_SIZE_MAX: Final = 256


class VirtioFunction:
    """Base of the device types: they say what they are and serve their queues.

    `packed` is whether packed rings are offered, which drivers that know them use.
    The transport sets `interrupt_queue(index)`, for used buffers of one queue, and
    `interrupt_config()`, for a change of the configuration. A GuestError from serving a queue makes
    the device ask for its reset (2.1.2) and do nothing until then.
    """

    version: ClassVar[int] = 1
    device_id: ClassVar[int] = 0
    queue_count: ClassVar[int] = 1
    queue_size_max: ClassVar[int] = QUEUE_SIZE_MAX

    status: int
    driver_features: int
    config_generation: int
    queues: list[QueueState]

    def __init__(
        self, memory: DeviceMemory, *, queue_count: int | None = None, packed: bool = True
    ) -> None:
        self._memory = memory
        self._queue_count = self.queue_count if queue_count is None else queue_count
        self._opened: dict[int, Virtqueue] = {}
        self._offered = INDIRECT_DESC | EVENT_IDX | VERSION_1 | RING_RESET | packed * RING_PACKED
        self.interrupt_queue: Callable[[int], None] = _unheard
        self.interrupt_config: Callable[[], None] = _unheard
        self.own_features = 0
        self.config_generation = 0
        self.reset()

    @property
    def features(self) -> int:
        """What is offered."""
        return self.own_features | self._offered

    @property
    def running(self) -> bool:
        """Whether the driver has finished setting up and nothing has gone wrong since."""
        return self.status & (DRIVER_OK | NEEDS_RESET | FAILED) == DRIVER_OK

    def reset(self) -> None:
        """Forget the driver; queues are empty afterwards."""
        self.status = 0
        self.driver_features = 0
        self.queues = [QueueState(size=self.queue_size_max) for _ in range(self._queue_count)]

    def config(self) -> bytes:
        """The device-specific configuration space."""
        return b""

    def write_config(self, offset: int, data: bytes) -> None:
        """The driver writes configuration; fields that are read-only ignore it."""

    def serve(self, index: int) -> None:
        """A queue has new requests, or the outside something for it."""

    def tick(self) -> None:
        """Do what the outside has made possible, also while not `running`."""

    def due_in_ns(self) -> int | None:
        """As a device's."""
        return None

    def accept_features(self, wanted: int) -> None:
        """The driver's choice, until it is settled."""
        if not self.status & FEATURES_OK:
            self.driver_features = wanted

    def write_status(self, value: int) -> None:
        """The driver's progress (3.1.1); 0 resets, bits are only ever added."""
        if value == 0:
            self.reset()
            return
        if value & FEATURES_OK and not self._features_fit():
            value &= ~FEATURES_OK
        started = value & DRIVER_OK & ~self.status
        self.status |= value & ~NEEDS_RESET
        if started and not self.status & FEATURES_OK:
            self.fail()
            raise GuestError("a driver that starts without having agreed on features")
        if started:
            self.guarded(self._serve_all)

    def notify(self, index: int) -> None:
        """The driver rings a queue's bell; before DRIVER_OK it is not heard."""
        if index >= len(self.queues):
            raise GuestError(f"there is no queue {index}")
        if self.running:
            self.guarded(lambda: self.serve(index))

    def guarded(self, action: Callable[[], None]) -> None:
        """Do something with the guest's queues; a GuestError stops the device as well."""
        try:
            action()
        except GuestError:
            self.fail()
            raise

    def fail(self) -> None:
        """Ask the driver for a reset."""
        self.status |= NEEDS_RESET
        if self.status & DRIVER_OK:
            self.interrupt_config()

    def enable_queue(self, index: int) -> None:
        """The driver has laid a queue out."""
        state = self.queues[index]
        size, packed = state.size, self.driver_features & RING_PACKED
        wrong = state.descriptors_gpa % 16 or state.device_gpa % 4
        if packed:
            wrong = wrong or state.driver_gpa % 4
        else:
            wrong = wrong or state.driver_gpa % 2 or size & (size - 1)
        if wrong or not 0 < size <= self.queue_size_max:
            raise GuestError(f"queue {index} of size {state.size} is laid out wrongly")
        state.ready = True

    def close(self) -> None:
        """The power goes: whoever is at the other end is let go."""

    def drain(self) -> None:
        """Before a pause: return when what goes on beside the machine's thread is done."""

    def disable_queue(self, index: int) -> None:
        """The driver takes a queue back, with its positions."""
        old = self.queues[index]
        self.queues[index] = QueueState(
            old.size, False, old.descriptors_gpa, old.driver_gpa, old.device_gpa
        )
        self.forget(index)

    def reset_queue(self, index: int) -> None:
        """One queue as it is after a reset of the device (2.6.1); its requests are forgotten."""
        self.queues[index] = QueueState(size=self.queue_size_max)
        self.forget(index)

    def forget(self, index: int) -> None:
        """The driver has taken a queue back: nothing is known of its requests any more."""

    def queue(self, index: int) -> Virtqueue:
        """A queue to work on, of the kind that was negotiated."""
        state = self.queues[index]
        queue = self._opened.get(index)
        if queue is None or queue.state is not state:
            kind = PackedQueue if self.driver_features & RING_PACKED else SplitQueue
            queue = kind(self._memory, state, bool(self.driver_features & EVENT_IDX))
            self._opened[index] = queue
        return queue

    def _serve_all(self) -> None:
        """What the driver has queued before it was ready."""
        for index, queue in enumerate(self.queues):
            if queue.ready:
                self.serve(index)

    def _features_fit(self) -> bool:
        chosen = self.driver_features
        return bool(chosen & VERSION_1) and not chosen & ~self.features


def _unheard(index: int = 0) -> None:
    """An interrupt of a device that is not plugged in."""

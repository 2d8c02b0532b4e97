"""A console's two directions between a device and its back end, batched, bounded and lossless.

Output gathers until there are BATCH_BYTES or BATCH_NS have passed since its first byte; a back end
that takes less than offered makes `room` shrink to zero, which devices turn into the guest's
waiting. Input waits here until the device takes it. One stream may serve several writers in turn (a
UART and the firmware's console), which keeps their output in order.
"""

from typing import Final

from hospes.base.clock import Clock
from hospes.devices.backends import CharacterBackend

BATCH_BYTES: Final = 4096
BATCH_NS: Final = 2_000_000
FULL_BYTES: Final = 64 * 1024
"""From here on the machine waits for the reader before it goes on."""
OUTPUT_BYTES: Final = 8 * 1024 * 1024
"""What fits in all: FULL_BYTES and more than all harts can send before the machine looks."""
INPUT_BYTES: Final = 1024 * 1024


class CharacterStream:
    """Bytes on their way out to `backend` and in to the device; they are part of a snapshot."""

    _output: bytearray
    _input: bytearray

    def __init__(self, backend: CharacterBackend, clock: Clock) -> None:
        self._backend = backend
        self._clock = clock
        self._output = bytearray()
        self._input = bytearray()
        self._first_ns = 0
        self._blocked = False

    @property
    def room(self) -> int:
        """How many bytes `put` takes now without dropping any."""
        return max(0, OUTPUT_BYTES - len(self._output))

    @property
    def full(self) -> bool:
        """Whether so much waits for the reader that the guest should wait too."""
        return len(self._output) >= FULL_BYTES

    @property
    def input_room(self) -> int:
        """How many bytes `receive` takes now."""
        return INPUT_BYTES - len(self._input)

    @property
    def input_waiting(self) -> int:
        """How many received bytes the device has not taken."""
        return len(self._input)

    def put(self, data: bytes) -> int:
        """The device sends bytes; returns how many were taken (all, while there is `room`)."""
        output = self._output
        if not output:
            self._first_ns = self._clock.monotonic_ns()
        taken = min(len(data), OUTPUT_BYTES - len(output))
        output += data[:taken]
        if len(output) >= BATCH_BYTES and not self._blocked:
            self.flush()
        return taken

    def put_byte(self, value: int) -> int:
        """The same for one byte, quickly; returns the room that is left."""
        output = self._output
        size = len(output)
        if not size:
            self._first_ns = self._clock.monotonic_ns()
        if size < OUTPUT_BYTES:
            output.append(value)
            size += 1
        if size >= BATCH_BYTES and not self._blocked:
            self.flush()
            return self.room
        return OUTPUT_BYTES - size

    def flush(self) -> bool:
        """Pass on what has gathered; True if nothing is left."""
        output = self._output
        while output:
            taken = self._backend.write(bytes(output[:FULL_BYTES]))
            if not taken:
                break
            del output[:taken]
        self._blocked = bool(output)
        self._first_ns = self._clock.monotonic_ns()
        return not output

    def tick(self) -> None:
        """Flush if a batch is old enough; also how a full back end is tried again."""
        if self._output and self._clock.monotonic_ns() - self._first_ns >= BATCH_NS:
            self.flush()

    def due_in_ns(self) -> int | None:
        """Nanoseconds until `tick` would flush; None when there is no output."""
        if not self._output:
            return None
        return max(0, self._first_ns + BATCH_NS - self._clock.monotonic_ns())

    def receive(self, data: bytes) -> int:
        """The host delivers input; returns how many bytes were taken, to offer the rest again."""
        taken = min(len(data), self.input_room)
        self._input += data[:taken]
        return taken

    def take(self, limit: int) -> bytes:
        """The device takes up to limit bytes of input."""
        data = bytes(self._input[:limit])
        del self._input[:limit]
        return data

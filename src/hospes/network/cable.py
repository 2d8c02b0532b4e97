"""The end of the cable that the guest receives from: a bounded queue of frames."""

import threading
from collections import deque
from collections.abc import Callable

from hospes.network.limits import Limits
from hospes.network.offload import deliverable
from hospes.network.statistics import Statistics
from hospes.network.vnet import NEEDS_CSUM


class Cable:
    """Frames wait here until the machine's thread takes them; any thread may call.

    `emit` never rings; `ring_if_due`, to be called without locks held, does when frames have come.
    """

    def __init__(self, limits: Limits, statistics: Statistics, ring: Callable[[], None]) -> None:
        self._limits, self._statistics, self._ring = limits, statistics, ring
        self._frames: deque[bytes] = deque()
        self._bytes = 0
        self._due = False
        self._lock = threading.Lock()
        self._accepted = 0

    @property
    def waiting(self) -> bool:
        """Whether a frame is there for the guest."""
        return bool(self._frames)

    @property
    def full(self) -> bool:
        """Whether the hosts should not be read further, until the guest has taken some."""
        limits = self._limits
        return self._bytes >= limits.queue_bytes or len(self._frames) >= limits.queue_frames // 2

    @property
    def drained(self) -> bool:
        """Whether there is room again after it was full."""
        limits = self._limits
        return (
            self._bytes <= limits.queue_bytes // 2 and len(self._frames) <= limits.queue_frames // 4
        )

    def accept(self, offloads: int) -> None:
        """What the guest's driver takes (Offloads); frames that wait already stay as they are."""
        self._accepted = int(offloads)

    def emit(self, frame: bytes) -> None:
        """Queue a frame, cut up and completed as the driver needs it."""
        if frame[0] & NEEDS_CSUM or frame[1]:
            for each in deliverable(frame, self._accepted):
                self._put(each)
        else:
            self._put(frame)

    def _put(self, frame: bytes) -> None:
        with self._lock:
            if len(self._frames) >= self._limits.queue_frames:
                self._statistics.overrun += 1
                return
            if not self._frames:
                self._due = True
            self._frames.append(frame)
            self._bytes += len(frame)
        self._statistics.frames_to_guest += 1
        self._statistics.bytes_to_guest += len(frame)

    def take(self, limit: int) -> list[bytes]:
        """Up to limit frames, in order."""
        with self._lock:
            frames = self._frames
            if limit >= len(frames):
                taken = list(frames)
                frames.clear()
                self._bytes = 0
                return taken
            taken = [frames.popleft() for _ in range(limit)]
            self._bytes -= sum(map(len, taken))
            return taken

    def clear(self) -> None:
        """Forget what waits."""
        with self._lock:
            self._frames.clear()
            self._bytes = 0

    def ring_if_due(self) -> None:
        """Tell the card when the first of the frames that wait has come since the last time."""
        if self._due:
            self._due = False
            self._ring()

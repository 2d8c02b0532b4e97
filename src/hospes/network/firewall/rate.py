"""A token bucket, and the frames that wait for it: so much in the long run, a little at once."""

from collections import deque
from enum import Enum, auto
from typing import Final

from hospes.network.limits import SECOND_NS

BURST_BYTES_MIN: Final = 128 << 10
"""Two frames that nobody has cut up."""
BURST_PARTS: Final = 8
"""A burst may last a second divided by this."""
HELD_BYTES_MAX: Final = 4 << 20
"""Of frames that wait; a connection through our NAT has a quarter of it on its way at most."""
HELD_TOGETHER_MAX: Final = 16 << 20
"""The same for all limits of a direction."""


class Bucket:
    """Takes what comes while anything is left, so that a frame may be as long as it likes.

    What was too much then is paid back before the next passes: the rate holds in the long run.
    """

    def __init__(self, per_second: float, depth: float) -> None:
        self.per_second, self.depth = per_second, depth
        self._left, self._at_ns = depth, 0

    def take(self, amount: int, now_ns: int) -> bool:
        """Whether this much may pass now."""
        if now_ns > self._at_ns:
            grown = self._left + (now_ns - self._at_ns) * self.per_second / SECOND_NS
            self._left, self._at_ns = min(grown, self.depth), now_ns
        if self._left <= 0:
            return False
        self._left -= amount
        return True

    def due_in_ns(self, now_ns: int) -> int:
        """When `take` will succeed; 0 if it does now."""
        lacks = -self._left - (now_ns - self._at_ns) * self.per_second / SECOND_NS
        return 0 if lacks < 0 else int(lacks * SECOND_NS / self.per_second) + 1


def bucket_for(bits_per_second: int) -> Bucket:
    """One that counts bytes of frames."""
    per_second = bits_per_second / 8
    return Bucket(per_second, max(per_second / BURST_PARTS, BURST_BYTES_MIN))


class Outcome(Enum):
    """What becomes of frames at a limit."""

    PASSED = auto()
    HELD = auto()
    DROPPED = auto()


class Backlog:
    """Bytes that wait at all limits of a direction together."""

    def __init__(self) -> None:
        self.held = 0


class Queue:
    """Frames of one limit, in order: what is too much now passes later, unless that is too much.

    Holding frames back rather than dropping them tells a sender how fast it may be without having
    it send anything again.
    """

    def __init__(self, bucket: Bucket, backlog: Backlog) -> None:
        self._bucket, self._backlog = bucket, backlog
        self._waiting: deque[tuple[list[bytes], int]] = deque()
        self.held = 0

    def offer(self, frames: list[bytes], octets: int, now_ns: int) -> Outcome:
        """Frames that belong together."""
        if not self._waiting and self._bucket.take(octets, now_ns):
            return Outcome.PASSED
        together = self._backlog.held + octets
        if self.held + octets > HELD_BYTES_MAX or together > HELD_TOGETHER_MAX:
            return Outcome.DROPPED
        self._waiting.append((frames, octets))
        self.held += octets
        self._backlog.held = together
        return Outcome.HELD

    def due_in_ns(self, now_ns: int) -> int | None:
        """When the first may pass; None if there is none."""
        return self._bucket.due_in_ns(now_ns) if self._waiting else None

    def take(self, now_ns: int) -> list[bytes]:
        """The first that wait, if they may pass by now."""
        if not self._waiting or not self._bucket.take(self._waiting[0][1], now_ns):
            return []
        return self._next()

    def drain(self) -> list[bytes]:
        """All that wait: the limit is no more."""
        found: list[bytes] = []
        while self._waiting:
            found += self._next()
        return found

    def _next(self) -> list[bytes]:
        frames, octets = self._waiting.popleft()
        self.held -= octets
        self._backlog.held -= octets
        return frames

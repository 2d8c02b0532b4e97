"""A token bucket: so much in the long run, and a little at once."""

from typing import Final

from hospes.network.limits import SECOND_NS

BURST_BYTES_MIN: Final = 128 << 10
"""Two frames that nobody has cut up."""
BURST_PARTS: Final = 8
"""A burst may last a second divided by this."""


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


def bucket_for(bits_per_second: int) -> Bucket:
    """One that counts bytes of frames."""
    per_second = bits_per_second / 8
    return Bucket(per_second, max(per_second / BURST_PARTS, BURST_BYTES_MIN))

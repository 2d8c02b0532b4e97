"""The receiving half of a TCP connection: the guest's bytes in order, and the window for more."""

from collections import deque
from typing import Final

from hospes.network.checksum import Data
from hospes.network.limits import Budget, Limits
from hospes.network.tcp_segment import SEQUENCE_MASK, after

SMALL_BYTES: Final = 4096
"""Smaller pieces are copied together, so that what is kept is what was sent."""
JOINED_BYTES: Final = 64 << 10
EARLY_PIECES: Final = 256


class ReceiveHalf:
    """Sequence numbers are the guest's; `pending` is what the host has not taken yet.

    Memory: at most the limits' connection_bytes pending, and as much again of what came early;
    beyond assured_bytes only while the budget that all connections share lasts.
    """

    __slots__ = (
        "_budget", "_early", "_early_bytes", "_edge", "_fin", "_limits",
        "ended", "next", "pending", "pending_bytes",
    )  # fmt: skip

    def __init__(self, first: int, limits: Limits, budget: Budget) -> None:
        self._limits, self._budget = limits, budget
        self.next = first
        self.pending: deque[Data] = deque()
        self.pending_bytes = 0
        self.ended = False
        self._early: dict[int, Data] = {}
        self._early_bytes = 0
        self._edge = first
        self._fin: int | None = None

    def window(self) -> int:
        """Bytes the guest may send from here on; what was offered once is not taken back."""
        edge = (self.next + self._room()) & SEQUENCE_MASK
        if after(edge, self._edge) > 0:
            self._edge = edge
        return after(self._edge, self.next)

    @property
    def offered(self) -> int:
        """Bytes the guest knows that it may send."""
        return max(after(self._edge, self.next), 0)

    @property
    def update_due(self) -> bool:
        """Whether the window has grown enough since it was told that it should be told again."""
        if self.ended:
            return False
        return self._room() - after(self._edge, self.next) >= self._limits.assured_bytes // 2

    def _room(self) -> int:
        limits, held = self._limits, self.pending_bytes
        room = limits.connection_bytes - held
        left = self._budget.left
        if left < room:
            room = max(left, limits.assured_bytes - held, 0)
        return room

    def accept(self, sequence: int, data: memoryview, *, fin: bool) -> None:
        """Take what is new and fits the window of a segment's data; the rest comes again."""
        skip = after(self.next, sequence)
        if skip > len(data) or self.ended:
            return
        if skip > 0:
            sequence, data = self.next, data[skip:]
        room = after(self._edge if self._fin is None else self._fin, sequence)
        if len(data) > room:
            data, fin = data[: max(room, 0)], False
        if fin and self._fin is None:
            self._fin = (sequence + len(data)) & SEQUENCE_MASK
        if sequence == self.next:
            self._append(data)
            if self._early:
                self._join()
            if self.next == self._fin:
                self.ended = True
                self.next = (self.next + 1) & SEQUENCE_MASK
        elif data:
            self._keep(sequence, data)

    def taken(self, count: int) -> None:
        """The host has taken so many of the pending bytes."""
        self.pending_bytes -= count
        self._budget.used -= count
        while count:
            first = self.pending[0]
            if len(first) > count:
                self.pending[0] = memoryview(first)[count:]
                return
            count -= len(first)
            self.pending.popleft()

    def release(self) -> None:
        """Forget everything held."""
        self._budget.used -= self.pending_bytes + self._early_bytes
        self.pending.clear()
        self._early.clear()
        self.pending_bytes = self._early_bytes = 0

    def _append(self, data: Data) -> None:
        size = len(data)
        if not size:
            return
        self.next = (self.next + size) & SEQUENCE_MASK
        self.pending_bytes += size
        self._budget.used += size
        if size < SMALL_BYTES:
            tail = self.pending[-1] if self.pending else None
            if isinstance(tail, bytearray) and len(tail) < JOINED_BYTES:
                tail += data
                return
            data = bytearray(data)
        self.pending.append(_own(data))

    def _keep(self, sequence: int, data: Data) -> None:
        """Hold a piece that came before its predecessor."""
        kept = self._early.get(sequence, b"")
        more = len(data) - len(kept)
        held = self._early_bytes + more
        if more <= 0 or (not kept and len(self._early) >= EARLY_PIECES):
            return
        if held > self._limits.connection_bytes:
            return
        if held > self._limits.assured_bytes and self._budget.left < more:
            return
        self._early[sequence] = _own(data) if len(data) >= SMALL_BYTES else bytes(data)
        self._early_bytes = held
        self._budget.used += more

    def _join(self) -> None:
        """Append the early pieces that follow now."""
        for sequence in sorted(self._early, key=lambda each: after(each, self.next)):
            skip = after(self.next, sequence)
            if skip < 0:
                return
            data = self._early.pop(sequence)
            self._early_bytes -= len(data)
            self._budget.used -= len(data)
            if skip < len(data):
                self._append(memoryview(data)[skip:])


def _own(data: Data) -> Data:
    """The data, copied when it would keep a much larger frame alive."""
    if isinstance(data, memoryview) and 2 * len(data) < len(data.obj):  # type: ignore[arg-type]
        return bytes(data)
    return data

"""The sending half of a TCP connection: what the guest lacks, and when to send it again."""

from collections import deque
from typing import Final, NamedTuple

from hospes.network.checksum import Data
from hospes.network.limits import MILLISECOND_NS, SECOND_NS, Budget, Limits
from hospes.network.tcp_segment import FIN, SEQUENCE_MASK, SYN, after

RTO_FIRST_NS: Final = SECOND_NS
RTO_MIN_NS: Final = 200 * MILLISECOND_NS
"""Below the second of RFC 6298, section 2.4, as is usual: the other end is on this host."""
RTO_MAX_NS: Final = 60 * SECOND_NS
RETRIES_MAX: Final = 12
DUPLICATES: Final = 3
"""Acknowledgments that repeat the last one and mean a loss (RFC 5681, section 3.2)."""


class Piece(NamedTuple):
    """Something sent: where it begins, the data, and flags, of which SYN and FIN take a number."""

    sequence: int
    data: Data
    flags: int

    @property
    def end(self) -> int:
        """The sequence number behind it."""
        extra = 1 if self.flags & (SYN | FIN) else 0
        return (self.sequence + len(self.data) + extra) & SEQUENCE_MASK


class SendHalf:
    """Sequence numbers are ours (RFC 9293, section 3.3.1): `una`, `next`, and the guest's window.

    There is no congestion window: the cable holds everything until the guest takes it. The
    retransmission timer is that of RFC 6298.
    """

    __slots__ = (
        "_budget", "_duplicates", "_held", "_limits", "_recover", "_rttvar_ns", "_srtt_ns",
        "_timed", "_timed_at_ns", "deadline_ns", "mss", "next", "retries", "rto_ns", "una",
        "window",
    )  # fmt: skip

    def __init__(self, first: int, mss: int, limits: Limits, budget: Budget) -> None:
        self._limits, self._budget = limits, budget
        self.una = self.next = first
        self.mss, self.window = mss, 0
        self.rto_ns = RTO_FIRST_NS
        self.retries = 0
        self.deadline_ns: int | None = None
        self._held: deque[Piece] = deque()
        self._duplicates = 0
        self._recover: int | None = None
        self._srtt_ns = self._rttvar_ns = 0
        self._timed: int | None = None
        self._timed_at_ns = 0

    @property
    def flight(self) -> int:
        """Sequence numbers sent and not acknowledged."""
        return (self.next - self.una) & SEQUENCE_MASK

    @property
    def room(self) -> int:
        """Bytes that may be sent now; none while only a small part of a segment could be."""
        limits, flight = self._limits, self.flight
        room = min(self.window, limits.connection_bytes) - flight
        if self._budget.left <= 0:
            room = min(room, limits.assured_bytes - flight)
        return room if room >= self.mss or (room > 0 and not flight) else 0

    def sent(self, data: Data, flags: int, now_ns: int) -> None:
        """Remember what goes out under `next`."""
        piece = Piece(self.next, data, flags)
        self._held.append(piece)
        self._budget.used += len(data)
        self.next = piece.end
        if self._timed is None:
            self._timed, self._timed_at_ns = self.next, now_ns
        if self.deadline_ns is None or len(self._held) == 1:
            self.deadline_ns = now_ns + self.rto_ns

    def acknowledge(self, ack: int, now_ns: int) -> bool:
        """Everything before `ack`, which is beyond `una`, has arrived.

        True when a loss is being repaired and the first piece should be sent again.
        """
        self.una = ack
        held = self._held
        while held and after(held[0].end, ack) <= 0:
            self._budget.used -= len(held.popleft().data)
        if self._timed is not None and after(ack, self._timed) >= 0:
            self._measured(now_ns - self._timed_at_ns)
        self.retries = self._duplicates = 0
        self.deadline_ns = now_ns + self.rto_ns if held else None
        if self._recover is not None and after(ack, self._recover) >= 0:
            self._recover = None
        return self._recover is not None and bool(held)

    def duplicate(self) -> bool:
        """The guest acknowledges `una` again; True when the first piece should be sent again."""
        self._duplicates += 1
        if self._duplicates != DUPLICATES or self._recover is not None:
            return False
        self._recover = self.next
        self._timed = None
        return True

    def heard(self) -> None:
        """The guest is alive, though it may have no room."""
        self.retries = 0

    def probe_if_shut(self, now_ns: int) -> None:
        """Have a timer ask for the window when nothing else would tell that it has opened."""
        if not self._held:
            if self.window:
                self.deadline_ns = None
            elif self.deadline_ns is None:
                self.deadline_ns = now_ns + self.rto_ns

    def timed_out(self, now_ns: int) -> None:
        """The timer has run out: wait twice as long for the next time."""
        self.retries += 1
        self.rto_ns = min(2 * self.rto_ns, RTO_MAX_NS)
        self.deadline_ns = now_ns + self.rto_ns
        self._timed = None
        if self._held:
            self._recover = self.next

    def postpone(self, now_ns: int) -> None:
        """The guest has not even taken what was sent: no reason to send it again."""
        self.deadline_ns = now_ns + self.rto_ns
        self._timed = None

    def first(self) -> Piece | None:
        """What the guest misses first."""
        if not self._held:
            return None
        piece = self._held[0]
        skip = after(self.una, piece.sequence)
        if skip <= 0:
            return piece
        return Piece(self.una, memoryview(piece.data)[skip:], piece.flags)

    def release(self) -> None:
        """Forget everything held."""
        self._budget.used -= sum(len(piece.data) for piece in self._held)
        self._held.clear()
        self.deadline_ns = None

    def _measured(self, rtt_ns: int) -> None:
        """RFC 6298, section 2, with Karn's rule kept by `_timed`."""
        self._timed = None
        if not self._srtt_ns:
            self._srtt_ns, self._rttvar_ns = rtt_ns, rtt_ns // 2
        else:
            deviation = abs(self._srtt_ns - rtt_ns)
            self._rttvar_ns = (3 * self._rttvar_ns + deviation) // 4
            self._srtt_ns = (7 * self._srtt_ns + rtt_ns) // 8
        rto_ns = self._srtt_ns + max(4 * self._rttvar_ns, MILLISECOND_NS)
        self.rto_ns = min(max(rto_ns, RTO_MIN_NS), RTO_MAX_NS)

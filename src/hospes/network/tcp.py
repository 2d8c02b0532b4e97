"""One TCP connection as the guest sees it (RFC 9293): events in, frames for the guest out."""

from collections import deque

from hospes.network.checksum import Data
from hospes.network.tcp_receive import ReceiveHalf
from hospes.network.tcp_segment import (
    ACK,
    FIN,
    MSS_DEFAULT,
    PSH,
    RST,
    SEQUENCE_MASK,
    SYN,
    Segment,
    Wire,
    after,
    build_options,
    parse_options,
)
from hospes.network.tcp_send import RETRIES_MAX, Piece, SendHalf
from hospes.network.tcp_state import (
    KEEPALIVE_NS,
    MSS_LEAST,
    SCALE,
    SUPER_BYTES,
    SYN_RETRIES_MAX,
    TIME_WAIT_NS,
    Phase,
    Shared,
)


class Connection:
    """The distant end of a guest's connection.

    Made by a SYN of the guest (CONNECTING until `connected`), or by `open` towards the guest. The
    owner moves bytes: it writes `pending` to the host and says `taken`; it reads at most `room`
    bytes from the host and calls `host_data`. When `finish_due`, it ends the host's input and says
    `host_finished`. When the phase is CLOSED it closes the host's side, with a reset if `aborted`.
    """

    __slots__ = (
        "_guest_first", "_mss", "_scale_in", "_scale_out", "_spoke", "_time_wait_ns", "_told",
        "_wl1", "_wl2", "aborted", "ack_due", "active_ns", "fin_sent", "host", "host_done",
        "host_ended", "key", "phase", "quote", "receive", "send", "shared", "timer_at_ns", "wire",
    )  # fmt: skip

    def __init__(
        self, wire: Wire, shared: Shared, initial: int, mss: int, now_ns: int, key: bytes = b""
    ) -> None:
        """`initial` is our first sequence number, mss what our side takes."""
        self.wire, self.shared, self._mss = wire, shared, mss
        self.key, self.quote = key, b""
        self.host: object = None
        self.phase = Phase.CONNECTING
        self.send = SendHalf(initial, mss, shared.limits, shared.sent)
        self.receive = ReceiveHalf(0, shared.limits, shared.received)
        self.aborted = self.ack_due = self.fin_sent = self.host_ended = self.host_done = False
        self._guest_first = self._spoke = False
        self._scale_in = self._scale_out = 0
        self._time_wait_ns = 0
        self._wl1 = self._wl2 = self._told = 0
        self.active_ns = now_ns
        self.timer_at_ns: int | None = None

    @property
    def room(self) -> int:
        """Bytes that may be read from the host now, at most one frame's."""
        if self.phase is not Phase.OPEN or self.host_ended:
            return 0
        room, mss = min(self.send.room, SUPER_BYTES), self.send.mss
        return room - room % mss if room > mss else room

    @property
    def pending(self) -> deque[Data]:
        """The guest's bytes that the host has not taken."""
        return self.receive.pending

    @property
    def finish_due(self) -> bool:
        """Whether the guest has ended its side and the host has taken everything."""
        return self.receive.ended and not self.host_done and not self.receive.pending

    @property
    def may_wait(self) -> bool:
        """Whether the acknowledgment that is due may wait for an answer of the host to go with.

        So it is in a conversation in which the host spoke last (RFC 9293, section 3.8.6.3).
        """
        unsaid = after(self.receive.next, self._told)
        return self._spoke and not self.receive.ended and unsaid < 2 * self.send.mss

    @property
    def is_over(self) -> bool:
        """Whether the host's side has no more part in it."""
        return self.phase is Phase.CLOSED or self.phase is Phase.TIME_WAIT

    @property
    def deadline_ns(self) -> int | None:
        """When `timer` wants to be called."""
        if self.phase is Phase.TIME_WAIT:
            return self._time_wait_ns
        if self.send.deadline_ns is not None:
            return self.send.deadline_ns
        return self.active_ns + KEEPALIVE_NS if self.phase is Phase.OPEN else None

    def asked(self, syn: Segment) -> None:
        """The guest's SYN: remember what it says; nothing is answered before `connected`."""
        self._learn(syn)

    def connected(self, now_ns: int) -> None:
        """The host has the connection: accept the guest's."""
        if self.phase is Phase.CONNECTING:
            self.phase = Phase.SYN_RECEIVED
            self._begin(SYN | ACK, now_ns)

    def open(self, now_ns: int) -> None:
        """Begin a connection to the guest."""
        self.phase = Phase.SYN_SENT
        self._scale_in = SCALE
        self._begin(SYN, now_ns)

    def _learn(self, syn: Segment) -> None:
        options = parse_options(syn.options)
        self.receive = ReceiveHalf(
            (syn.sequence + 1) & SEQUENCE_MASK, self.shared.limits, self.shared.received
        )
        self.send.mss = max(min(options.mss or MSS_DEFAULT, self._mss), MSS_LEAST)
        self.send.window = syn.window
        self._wl1, self._wl2 = syn.sequence, self.send.una
        self._scale_in = 0 if options.scale is None else SCALE
        self._scale_out = options.scale or 0

    def _begin(self, flags: int, now_ns: int) -> None:
        self.send.sent(b"", flags, now_ns)
        self._repeat(now_ns)

    def host_data(self, data: bytes, now_ns: int) -> None:
        """Bytes from the host, at most `room`."""
        send = self.send
        sequence = send.next
        send.sent(data, ACK | PSH, now_ns)
        self.active_ns = now_ns
        self._put(sequence, ACK | PSH, data)
        self._spoke = True

    def host_end(self, now_ns: int) -> None:
        """The host has ended its side: so do we towards the guest."""
        self.host_ended = True
        if self.phase is Phase.OPEN and not self.fin_sent:
            self.fin_sent, self._guest_first = True, self.receive.ended
            sequence = self.send.next
            self.send.sent(b"", FIN | ACK, now_ns)
            self._put(sequence, FIN | ACK)
            self.settle(now_ns)

    def taken(self, count: int, now_ns: int) -> None:
        """The host has taken so many of the pending bytes."""
        self.receive.taken(count)
        self.active_ns = now_ns
        if self.receive.update_due:
            self.ack_due = True

    def host_finished(self, now_ns: int) -> None:
        """What `finish_due` asked for is done."""
        self.host_done = True
        self.settle(now_ns)

    def abort(self) -> None:
        """Reset the guest's side, and have the host's reset."""
        if self.phase not in (Phase.CLOSED, Phase.CONNECTING, Phase.SYN_SENT):
            self._put(self.send.next, RST | ACK)
        self._close(aborted=True)

    def refuse(self) -> None:
        """The host refuses the connection that the guest asked for (RFC 9293, section 3.10.7.1)."""
        self._put(0, RST | ACK)
        self._close(aborted=True)

    def drop(self) -> None:
        """End it without a word to the guest."""
        self._close(aborted=True)

    def segment(self, segment: Segment, now_ns: int) -> None:
        """A segment of the guest (RFC 9293, section 3.10.7)."""
        self.active_ns = now_ns
        if self.phase is Phase.OPEN or self.phase is Phase.SYN_RECEIVED:
            self._arrived(segment, now_ns)
        elif self.phase is Phase.CONNECTING:
            if segment.flags & RST and segment.sequence == self.receive.next:
                self._close(aborted=True)
        elif self.phase is Phase.SYN_SENT:
            self._answered(segment, now_ns)
        elif self.phase is Phase.TIME_WAIT and not segment.flags & RST:
            self.acknowledge()

    def _answered(self, segment: Segment, now_ns: int) -> None:
        """In SYN-SENT (RFC 9293, section 3.10.7.3); the guest opens none of its own here."""
        if not segment.flags & ACK or segment.acknowledgment != self.send.next:
            return
        if segment.flags & RST:
            self._close(aborted=True)
        elif segment.flags & SYN:
            self._learn(segment)
            self.send.acknowledge(segment.acknowledgment, now_ns)
            self.phase = Phase.OPEN
            self.acknowledge()

    def _arrived(self, segment: Segment, now_ns: int) -> None:
        """In the synchronized states (RFC 9293, section 3.10.7.4)."""
        receive, flags = self.receive, segment.flags
        if flags & (RST | SYN):
            self._reset_or_syn(segment, now_ns)
            return
        if not flags & ACK:
            return
        behind = after(receive.next, segment.sequence)
        if -behind > receive.offered:
            self.acknowledge()
        elif self._acknowledged(segment, now_ns):
            if behind > 0 >= segment.length - behind:
                self.acknowledge()  # Nothing of it is new: it is repeated, or a probe.
            elif segment.length:
                self._take(segment)
            self.settle(now_ns)

    def _reset_or_syn(self, segment: Segment, now_ns: int) -> None:
        """With the challenges of RFC 5961, sections 3 and 4."""
        ahead = after(segment.sequence, self.receive.next)
        if segment.flags & RST:
            if ahead == 0:
                self._close(aborted=True)
            elif 0 < ahead <= self.receive.offered:
                self.acknowledge()
        elif self.phase is Phase.SYN_RECEIVED and ahead == -1:
            self._repeat(now_ns)
        else:
            self.acknowledge()

    def _acknowledged(self, segment: Segment, now_ns: int) -> bool:
        """What the segment says of our side; False when the segment is of no use."""
        send, ack = self.send, segment.acknowledgment
        advance = after(ack, send.una)
        if advance > send.flight:
            if self.phase is Phase.SYN_RECEIVED:
                self._put(ack, RST)
            else:
                self.acknowledge()
            return False
        if self.phase is Phase.SYN_RECEIVED:
            if advance <= 0:
                return False
            self.phase = Phase.OPEN
            self._wl1 = segment.sequence
        window = segment.window << self._scale_out
        if advance > 0:
            again = send.acknowledge(ack, now_ns)
        else:
            repeated = advance == 0 and not segment.length and window == send.window
            again = bool(repeated and send.flight and send.duplicate())
            send.heard()
        newer = after(segment.sequence, self._wl1)
        if advance >= 0 and (newer > 0 or (newer == 0 and after(ack, self._wl2) >= 0)):
            send.window, self._wl1, self._wl2 = window, segment.sequence, ack
        if again:
            self._repeat(now_ns)
        send.probe_if_shut(now_ns)
        return True

    def _take(self, segment: Segment) -> None:
        receive = self.receive
        expected = receive.next
        receive.accept(segment.sequence, segment.data, fin=bool(segment.flags & FIN))
        if receive.next == expected and not receive.ended:
            self.acknowledge()  # At once: it tells the guest what is missing (RFC 5681, 3.2).
        else:
            self.ack_due = True

    def settle(self, now_ns: int) -> None:
        """See whether both sides have ended."""
        if self.phase is not Phase.OPEN or not self.receive.ended:
            return
        if self.fin_sent and not self.send.flight and self.host_done:
            if self.ack_due:
                self.acknowledge()
            if self._guest_first:
                self._close(aborted=False)
                return
            self.phase = Phase.TIME_WAIT
            self._time_wait_ns = now_ns + TIME_WAIT_NS
            self.send.release()

    def timer(self, now_ns: int, *, guest_waits: bool) -> None:
        """The deadline has come; `guest_waits` says that frames wait which the guest could take."""
        send = self.send
        if self.phase is Phase.TIME_WAIT:
            self._close(aborted=False)
        elif send.deadline_ns is None:
            self._probe()
            send.timed_out(now_ns)
        elif guest_waits:
            send.postpone(now_ns)
        elif send.retries >= (RETRIES_MAX if self.phase is Phase.OPEN else SYN_RETRIES_MAX):
            self.abort()
        else:
            send.timed_out(now_ns)
            if send.flight:
                self._repeat(now_ns)
            else:
                self._probe()

    def acknowledge(self) -> None:
        """Tell the guest what has arrived and how much more may."""
        self._spoke = False
        self._put(self.send.next, ACK)

    def _probe(self) -> None:
        """A segment the guest has to answer (RFC 9293, section 3.8.6.1), without data."""
        self._put((self.send.una - 1) & SEQUENCE_MASK, ACK)

    def _repeat(self, now_ns: int) -> None:
        """Send the first piece that is not acknowledged, for the first time or again."""
        piece = self.send.first()
        if piece is None:
            return
        if piece.flags & SYN:
            self._put_syn(piece)
        else:
            self._put(piece.sequence, piece.flags, piece.data)
        if self.send.retries or self.phase is Phase.OPEN:
            self.shared.retransmitted()

    def _put_syn(self, piece: Piece) -> None:
        window = min(self.receive.window(), 0xFFFF)
        options = build_options(self._mss, self._scale_in or None)
        acknowledgment = self.receive.next if piece.flags & ACK else 0
        self.shared.emit(
            self.wire.frame(piece.sequence, acknowledgment, piece.flags, window, options=options)
        )

    def _put(self, sequence: int, flags: int, data: Data = b"") -> None:
        self.ack_due = False
        receive = self.receive
        self._told = receive.next
        window = min(receive.window() >> self._scale_in, 0xFFFF)
        self.shared.emit(
            self.wire.frame(sequence, receive.next, flags, window, data=data, mss=self.send.mss)
        )

    def _close(self, *, aborted: bool) -> None:
        self.phase, self.aborted = Phase.CLOSED, aborted
        self.ack_due = False
        self.send.release()
        self.receive.release()

"""A guest's TCP for tests: small, go-back-N, and none of the code under test in it."""

from tests.network.frames import ACK, FIN, GUEST4, PSH, SYN, WORLD4, see, tcp

MASK = 0xFFFF_FFFF
MSS = 1000
SCALE = 3


def ahead(a: int, b: int) -> int:
    return ((a - b + (1 << 31)) & MASK) - (1 << 31)


class GuestTcp:
    """One connection of the guest, which it begins with `syn`."""

    def __init__(
        self,
        data: bytes,
        start: int,
        room: int,
        port: int = 4000,
        remote: tuple[bytes, int] = (WORLD4, 80),
    ) -> None:
        self.data, self.start, self.room, self.port = data, start, room, port
        self.remote = remote
        self.una = self.next = 0          # offsets; 0 is the SYN, 1 the first byte
        self.most = 0                     # what `next` has reached
        self.window = 0
        self.peer: int | None = None      # the sequence number that is expected next
        self.received, self.early = b"", dict[int, bytes]()
        self.unread = 0
        self.finished = False             # the peer's FIN is in
        self.fin_at: int | None = None
        self.reset = False
        self.closing = False              # the FIN may go out

    @property
    def end(self) -> int:
        """The offset behind the FIN."""
        return 2 + len(self.data)

    @property
    def done(self) -> bool:
        return self.finished and self.una == self.end

    def syn(self) -> bytes:
        self.next = self.most = max(self.next, 1)
        options = b"\x02\x04" + MSS.to_bytes(2, "big") + b"\x01\x03\x03" + bytes((SCALE,))
        return self._segment(0, SYN, options=options)

    def offered(self) -> int:
        return max(self.room - self.unread, 0) >> SCALE

    def _segment(self, offset: int, flags: int, data: bytes = b"", options: bytes = b"") -> bytes:
        window = 65535 if flags & SYN else min(self.offered(), 65535)
        return tcp(
            (GUEST4, self.port), self.remote, self.start + offset, self.peer or 0, flags,
            window=window, data=data, options=options,
        )  # fmt: skip

    def transmit(self, again: bool = False) -> list[bytes]:
        """What may be sent; with again, from the first that is not acknowledged."""
        if self.reset:
            return []
        if self.peer is None:
            return [self.syn()]
        if again:
            self.next = self.una
        frames = []
        while self.next - self.una < max(self.window, 1 if again else 0):
            at = self.next - 1
            room = max(self.window, 1 if again else 0) - (self.next - self.una)
            data = self.data[at : at + min(MSS, room)]
            fin = self.closing and at + len(data) == len(self.data) and len(data) < room
            if not data and not fin:
                break
            flags = ACK | PSH | (FIN if fin else 0)
            frames.append(self._segment(self.next, flags, data))
            self.next += len(data) + fin
            self.most = max(self.most, self.next)
            if fin:
                break
        return frames or ([self.ack()] if again else [])

    def ack(self) -> bytes:
        return self._segment(self.next, ACK)

    def read(self, count: int) -> bytes:
        """The guest's program takes bytes; the frame tells the window."""
        self.unread -= min(count, self.unread)
        return self.ack()

    def deliver(self, frame: bytes) -> list[bytes]:
        """A frame from the network; returns the guest's answers."""
        seen = see(frame)
        assert seen.valid
        assert (seen.source, seen.destination) == (self.remote[0], GUEST4)
        assert seen.ports == (self.remote[1], self.port)
        sequence, acknowledgment, flags, window, data = seen.tcp
        if flags & 4:
            self.reset |= not self.done  # an old frame of a connection that is over gets one
            return []
        if flags & SYN:
            if self.peer is None:
                self.peer, self.una, self.window = (sequence + 1) & MASK, 1, window
            return [self.ack()]
        if self.peer is None:
            return []
        offset = ahead(acknowledgment, self.start)
        assert offset <= self.most, "acknowledges what was not sent"
        if offset >= self.una:
            self.una, self.window = offset, window << 7
            self.next = max(self.next, offset)
        return self._accept(sequence, flags, data)

    def _accept(self, sequence: int, flags: int, data: bytes) -> list[bytes]:
        assert self.peer is not None
        if flags & FIN:
            self.fin_at = (sequence + len(data)) & MASK
        self.early[sequence] = max(self.early.get(sequence, b""), data, key=len)
        moved = True
        while moved:
            moved = False
            for at in sorted(self.early, key=lambda each: ahead(each, self.peer or 0)):
                skip = ahead(self.peer, at)
                if skip < 0:
                    break
                part = self.early.pop(at)[skip:][: max(self.room - self.unread, 0)]
                if part:
                    self.received += part
                    self.unread += len(part)
                    self.peer = (self.peer + len(part)) & MASK
                    moved = True
                    break
        if self.fin_at == self.peer and not self.finished:
            self.finished = True
            self.peer = (self.peer + 1) & MASK
        return [self.ack()] if data or flags & FIN or ahead(sequence, self.peer) < 0 else []

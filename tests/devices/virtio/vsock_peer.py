"""The other parties of a guest's connections: its own sockets, and processes of the host."""

import struct
from collections import deque
from dataclasses import dataclass, field

HEADER = struct.Struct("<QQIIIHHIII")
REQUEST, RESPONSE, RST, SHUTDOWN, RW, CREDIT_UPDATE, CREDIT_REQUEST = range(1, 8)
STREAM, SEQPACKET = 1, 2
NO_RECEIVE, NO_SEND = 1, 2
EOM = 1
HOST, GUEST = 2, 77


def packet(
    operation: int,
    *,
    ports: tuple[int, int] = (5000, 9000),
    kind: int = STREAM,
    data: bytes = b"",
    flags: int = 0,
    credit: tuple[int, int] = (1 << 16, 0),
    cids: tuple[int, int] = (GUEST, HOST),
    length: int | None = None,
) -> bytes:
    """One of the guest's; ports are its own and the host's."""
    size = len(data) if length is None else length
    return HEADER.pack(*cids, *ports, size, kind, operation, flags, *credit) + data


@dataclass(eq=False)
class HostEnd:
    """A SocketEnd: what the host will send, how much it takes, and what it has got.

    Of an end with packets, `sends` are messages; otherwise any pieces.
    """

    packets: bool = False
    sends: deque[bytes] = field(default_factory=deque)
    closes: bool = False          # it sends no more after that
    gone: bool = False            # nor takes anything
    room: int = 1 << 40
    got: list[bytes] = field(default_factory=list)
    port: int | None = None
    got_end: bool = False
    told_no_more: bool = False
    closed: bool = False
    asked: bool = False           # it is to be told of something new

    def connected(self, port: int) -> None:
        assert self.port is None
        self.port = port

    def take(self, limit: int) -> bytes | None:
        assert limit > 0
        assert not self.closed
        if self.told_no_more or (self.closes and not self.sends):
            return b""
        if not self.sends:
            self.asked = True
            return None
        data = self.sends.popleft()
        if not self.packets and len(data) > limit:
            self.sends.appendleft(data[limit:])
            data = data[:limit]
        return data

    def put(self, data: bytes) -> int | None:
        assert data
        assert not self.closed
        assert not self.got_end
        if self.gone:
            return None
        taken = min(len(data), self.room)
        if self.packets and taken < len(data):
            taken = 0
        if taken:
            self.got.append(bytes(data[:taken]))
        self.room -= taken
        self.asked = self.asked or taken < len(data)
        return taken

    @property
    def hung_up(self) -> bool:
        return self.closes and self.gone

    def end_output(self) -> None:
        self.got_end = True

    def end_input(self) -> None:
        self.told_no_more = True

    def close(self) -> None:
        self.closed = True


@dataclass
class Call:
    port: int
    packets: bool
    end: HostEnd


class Host:
    """A SocketBackend on which somebody listens on all ports but those in `refused`."""

    def __init__(self) -> None:
        self.refused: set[int] = {1}
        self.ends: list[HostEnd] = []
        self.news: list[HostEnd] = []
        self.callers: list[Call] = []

    @property
    def waiting(self) -> bool:
        return bool(self.news or self.callers)

    def changed(self) -> list[HostEnd]:
        news, self.news = self.news, []
        return news

    def calls(self) -> list[Call]:
        callers, self.callers = self.callers, []
        return callers

    def connect(self, port: int, packets: bool) -> HostEnd | None:
        if port in self.refused:
            return None
        self.ends.append(HostEnd(packets))
        return self.ends[-1]

    def call(self, port: int, packets: bool = False) -> HostEnd:
        self.callers.append(Call(port, packets, HostEnd(packets)))
        self.ends.append(self.callers[-1].end)
        return self.ends[-1]


class GuestSocket:
    """One socket of a driver that keeps the rules and checks that they are kept."""

    def __init__(self, port: int, host_port: int, kind: int, buffer: int) -> None:
        self.port, self.host_port, self.kind, self.buffer = port, host_port, kind, buffer
        self.to_send: deque[bytes] = deque()
        self.held: deque[bytes] = deque()      # received, and not read yet
        self.message = b""
        self.read: list[bytes] = []
        self.sent = self.received = self.forwarded = 0
        self.peer_alloc = self.peer_forwarded = 0
        self.open = self.reset = False
        self.peer_ended = self.peer_deaf = False
        self.ended = False

    def say(self, operation: int, data: bytes = b"", flags: int = 0) -> bytes:
        return packet(
            operation, ports=(self.port, self.host_port), kind=self.kind, data=data, flags=flags,
            credit=(self.buffer, self.forwarded),
        )  # fmt: skip

    @property
    def credit(self) -> int:
        return self.peer_alloc - (self.sent - self.peer_forwarded)

    def deliver(self, data: bytes) -> list[bytes]:
        """A packet from the device; what the driver answers at once."""
        fields = HEADER.unpack_from(data)
        assert fields[:4] == (HOST, GUEST, self.host_port, self.port)
        length, kind, operation, flags, self.peer_alloc, self.peer_forwarded = fields[4:]
        assert kind == self.kind
        assert length == len(data) - HEADER.size
        assert self.peer_forwarded <= self.sent or operation == RST
        if operation == RESPONSE:
            self.open = True
        elif operation == RST:
            self.reset = True
        elif operation == SHUTDOWN:
            self.peer_deaf = self.peer_deaf or bool(flags & NO_RECEIVE)
            self.peer_ended = self.peer_ended or bool(flags & NO_SEND)
        elif operation == RW:
            self._receive(data[HEADER.size :], flags)
        return [self.say(CREDIT_UPDATE)] if operation == CREDIT_REQUEST else []

    def _receive(self, payload: bytes, flags: int) -> None:
        assert payload
        assert not self.peer_ended
        self.received += len(payload)
        assert self.received - self.forwarded <= self.buffer, "more than the guest has room for"
        self.message += payload
        if self.kind == STREAM or flags & EOM:
            self.held.append(self.message)
            self.message = b""

    def read_one(self) -> None:
        """The guest's program reads."""
        if self.held:
            self.read.append(self.held.popleft())
            self.forwarded += len(self.read[-1])

    def send_some(self, limit: int) -> bytes | None:
        """A packet with what the guest's program sends, if the host has room for any of it."""
        room = min(self.credit, limit)
        if not self.to_send or room <= 0:
            return None
        data = self.to_send.popleft()
        piece, rest = data[:room], data[room:]
        if rest:
            self.to_send.appendleft(rest)
        self.sent += len(piece)
        return self.say(RW, piece, 0 if rest or self.kind == STREAM else EOM)

"""All connections of one guest: who is told of which packet, and whose turn it is to send one."""

from collections import deque
from typing import Final

from hospes.devices.backends import SocketBackend, SocketCall, SocketEnd
from hospes.devices.virtio.vsock_connection import Connection, Key, Phase
from hospes.devices.virtio.vsock_packet import (
    HOST_CID,
    SEQPACKET,
    STREAM,
    Operation,
    Packet,
    refusal,
)

CONNECTIONS_MAX: Final = 1024
POOL_BYTES: Final = 64 << 20
"""What all connections together may hold of what the guest has sent."""
SHARE: Final = 256
"""A new connection gets this part of what is left of the pool, within the bounds below."""
ALLOWANCE_MIN, ALLOWANCE_MAX = 16 * 1024, 256 * 1024
MESSAGE_ALLOWANCE: Final = 64 * 1024
MESSAGE_COST: Final = 10
"""How many times its bytes a message may take here: the smallest have a length before them, and
as much may not have been cleared away yet."""
REPLIES_MAX: Final = 256
"""No more of the guest's packets are dealt with while so many answers wait for room (5.10.6.2)."""
HOST_PORTS: Final = 1 << 30
"""The first of the ports from which hosts call, and how many there are of them."""


class Connections:
    """The connections of the guest with the address `cid`."""

    def __init__(self, backend: SocketBackend, cid: int) -> None:
        self._backend, self._cid = backend, cid
        self._open: dict[Key, Connection] = {}
        self._by_end: dict[SocketEnd, Connection] = {}      # the draining ones as well
        self._ready: dict[Connection, None] = {}      # in the order of their turns
        self._replies: deque[bytes] = deque()
        self._pool = POOL_BYTES
        self._last_port = HOST_PORTS

    @property
    def pending(self) -> bool:
        """Whether there may be a packet for the guest."""
        return bool(self._replies or self._ready)

    @property
    def full(self) -> bool:
        """Whether the guest has to take answers before it is listened to again."""
        return len(self._replies) >= REPLIES_MAX

    def __len__(self) -> int:
        return len(self._by_end)

    def take(self, packet: Packet, payload: bytes | None, kinds: tuple[int, ...]) -> None:
        """A packet from the guest, whose payload is None if it is not there; never raises."""
        key = Key(packet.dst_port, packet.src_port, packet.kind)
        known = packet.dst_cid == HOST_CID and packet.kind in kinds
        connection = self._open.get(key) if known else None
        operation = packet.operation
        if operation == Operation.RST:
            if connection is not None:
                self._leave(connection, in_order=connection.promised)
        elif connection is None:
            if not (known and operation == Operation.REQUEST and self._let_in(key, packet)):
                self._replies.append(refusal(packet))
        elif payload is None or not connection.take(packet, payload):
            self._replies.append(refusal(packet))
            self._leave(connection, in_order=False)
        elif connection.ended:
            self._replies.append(refusal(packet))
            self._leave(connection, in_order=True)
        else:
            self._ready[connection] = None

    def call(self, call: SocketCall) -> None:
        """A host calls the guest."""
        key = Key(self._free_port(), call.port, SEQPACKET if call.packets else STREAM)
        connection = self._add(key, call.end)
        if connection is None:
            call.end.close()
            return
        connection.call()
        self._ready[connection] = None

    def changed(self, end: SocketEnd) -> None:
        """A host's end has something for the guest, or room."""
        connection = self._by_end.get(end)
        if connection is None:
            return
        connection.flush()
        if connection.phase is not Phase.OVER:
            self._ready[connection] = None
        elif not connection.draining:
            self._forget(connection)

    def next_packet(self, room: int) -> bytes | None:
        """One for the guest, with at most room bytes of payload; None if there is none."""
        if self._replies:
            return self._replies.popleft()
        while self._ready:
            connection = next(iter(self._ready))
            del self._ready[connection]
            packet = connection.next_packet(room)
            if packet is not None:
                self._ready[connection] = None
                return packet
        return None

    def drop(self) -> None:
        """The guest knows of no connection any more."""
        for connection in list(self._open.values()):
            self._leave(connection, in_order=False)
        for connection in list(self._by_end.values()):
            self._forget(connection)
        self._replies.clear()

    def _let_in(self, key: Key, packet: Packet) -> bool:
        """Whether the host takes a guest's call."""
        if self._allowance(key.kind) is None:
            return False
        end = self._backend.connect(key.host_port, key.kind == SEQPACKET)
        connection = self._add(key, end) if end is not None else None
        if connection is None:
            return False
        connection.answer(packet)
        self._ready[connection] = None
        return True

    def _add(self, key: Key, end: SocketEnd) -> Connection | None:
        allowance = self._allowance(key.kind)
        if allowance is None:
            return None
        connection = Connection(self._cid, key, end, allowance)
        self._pool -= _cost(connection)
        self._open[key] = self._by_end[end] = connection
        return connection

    def _allowance(self, kind: int) -> int | None:
        """How much a new connection may hold, None if there can be none."""
        if len(self._by_end) >= CONNECTIONS_MAX:
            return None
        if kind == SEQPACKET:
            return MESSAGE_ALLOWANCE if self._pool >= MESSAGE_COST * MESSAGE_ALLOWANCE else None
        if self._pool < ALLOWANCE_MIN:
            return None
        return max(ALLOWANCE_MIN, min(ALLOWANCE_MAX, self._pool // SHARE))

    def _leave(self, connection: Connection, in_order: bool) -> None:
        """The guest has forgotten it; in order, the host still gets what it was sent."""
        connection.phase = Phase.OVER
        del self._open[connection.key]
        self._ready.pop(connection, None)
        if not in_order or not connection.draining:
            self._forget(connection)

    def _forget(self, connection: Connection) -> None:
        connection.end.close()
        del self._by_end[connection.end]
        self._pool += _cost(connection)

    def _free_port(self) -> int:
        """A port of the host's that is in no connection; there are far more than connections."""
        taken = {key.host_port for key in self._open}
        while True:
            self._last_port = HOST_PORTS + (self._last_port + 1) % HOST_PORTS
            if self._last_port not in taken:
                return self._last_port


def _cost(connection: Connection) -> int:
    """What it may take of the pool."""
    times = MESSAGE_COST if connection.key.kind == SEQPACKET else 1
    return times * connection.allowance

"""The TCP connections of a network: found by address, begun, ended, and called in time."""

from collections.abc import Callable, Container
from typing import Final

from hospes.network import tcp_segment
from hospes.network.icmp import Unreachable
from hospes.network.limits import MILLISECOND_NS, Budget, Limits
from hospes.network.link import Link
from hospes.network.outside import Outside
from hospes.network.packet import IpPacket
from hospes.network.plan import Plan
from hospes.network.reach import Reach, Refusal, Service
from hospes.network.resolvers import Resolvers
from hospes.network.statistics import Statistics
from hospes.network.tcp import Connection
from hospes.network.tcp_segment import ACK, RST, SEQUENCE_MASK, SYN, Segment, Wire, after
from hospes.network.tcp_state import Phase, Shared
from hospes.network.timers import Timers

PATIENCE_NS: Final = 2 * MILLISECOND_NS
"""How long an acknowledgment may wait for the host's answer."""
NEVER_NS: Final = 1 << 63
FIRST_PORT: Final = 49152
"""Of the ports that connections to the guest come from when their own is taken (RFC 6335)."""


class TcpTable:
    """Connections by the guest's address, the distant end's, and both ports, as in a packet.

    `entropy(n)` gives n random bytes. `wakes_ns` is when `tick` is called next, if that is known:
    acknowledgments wait for it, when it is soon, so that most go with the host's answer.
    """

    def __init__(
        self,
        plan: Plan,
        limits: Limits,
        link: Link,
        outside: Outside,
        reach: Reach,
        resolvers: Resolvers,
        statistics: Statistics,
        entropy: Callable[[int], bytes],
    ) -> None:
        self._plan, self._limits, self._link = plan, limits, link
        self._outside, self._statistics, self._entropy = outside, statistics, entropy
        self._reach, self._resolvers = reach, resolvers
        self._connections: dict[bytes, Connection] = {}
        self._touched: dict[Connection, None] = {}
        self._owed: dict[Connection, None] = {}
        self._timers = Timers()
        self.wakes_ns = NEVER_NS
        self._full_until_ns = 0
        self._stations: dict[int, Shared] = {}

    def __len__(self) -> int:
        return len(self._connections)

    @property
    def held(self) -> tuple[int, int]:
        """Bytes that wait for guests, and for hosts."""
        shared = self._stations.values()
        return sum(each.sent.used for each in shared), sum(each.received.used for each in shared)

    @property
    def next_ns(self) -> int | None:
        """When `tick` has something to do."""
        return self._timers.next_ns

    def packet(self, packet: IpPacket, now_ns: int, *, vouched: bool) -> None:
        """A packet of the guest; GuestError when it is malformed. `settle` has to follow."""
        segment = tcp_segment.parse(packet, vouched=vouched)
        start = packet.start
        key = packet.source + packet.destination + packet.frame[start : start + 4]
        connection = self._connections.get(key)
        if connection is not None and not self._replaces(connection, segment):
            connection.segment(segment, now_ns)
            self._touched[connection] = None
        elif segment.flags & SYN and not segment.flags & (ACK | RST):
            self._begin(key, packet, segment, now_ns)
        elif not segment.flags & RST:
            self._reset(packet, segment)

    def _replaces(self, connection: Connection, segment: Segment) -> bool:
        """Whether this is a new connection under an old one's name (RFC 9293, section 3.6.1)."""
        if connection.phase is not Phase.TIME_WAIT or segment.flags & (SYN | ACK) != SYN:
            return False
        if after(segment.sequence, connection.receive.next) < 0:
            return False
        connection.drop()
        self._settle_one(connection, 0)
        return True

    def _begin(self, key: bytes, packet: IpPacket, syn: Segment, now_ns: int) -> None:
        target = self._reach.target(packet.destination, syn.destination_port)
        if target is Service.DNS:
            target = self._resolvers.current() or Refusal.ABSENT
        if not isinstance(target, bytes):
            self._statistics.refused += 1
            prohibited = target is Refusal.PROHIBITED
            self._link.unreachable(
                Unreachable.PROHIBITED if prohibited else Unreachable.HOST, packet
            )
            return
        if not self._has_place(packet.source, now_ns):
            self._statistics.refused += 1
            self._reset(packet, syn)
            return
        connection = self._make(
            key, packet.destination, packet.source, (syn.destination_port, syn.source_port), now_ns
        )
        connection.quote = packet.quoted(packet.start - packet.network_at + 8)
        connection.asked(syn)
        self._outside.connect(connection, target, syn.destination_port)

    def _make(
        self, key: bytes, source: bytes, guest: bytes, ports: tuple[int, int], now_ns: int
    ) -> Connection:
        wire = Wire(self._link.mac(guest) + self._plan.mac, source, guest, ports)
        initial = int.from_bytes(self._entropy(4), "big")
        mss = self._plan.mtu - wire.header_bytes
        shared = self._shared(guest)
        shared.connections += 1
        connection = Connection(wire, shared, initial, mss, now_ns, key)
        self._connections[key] = connection
        self._touched[connection] = None
        self._statistics.connections += 1
        return connection

    def open(
        self, source: tuple[bytes, int], guest: tuple[bytes, int], now_ns: int
    ) -> Connection | None:
        """Begin a connection to the guest from a distant address and, if it is free, port.

        None when there are too many already.
        """
        (address, port), (guest_address, guest_port) = source, guest
        if not self._has_place(guest_address, now_ns):
            self._statistics.refused += 1
            return None
        top = guest_address + address + guest_port.to_bytes(2, "big")
        while top + port.to_bytes(2, "big") in self._connections:
            port = FIRST_PORT + int.from_bytes(self._entropy(2), "big") % (65536 - FIRST_PORT)
        key = top + port.to_bytes(2, "big")
        connection = self._make(key, address, guest_address, (port, guest_port), now_ns)
        connection.open(now_ns)
        return connection

    def connected(self, connection: Connection, now_ns: int) -> None:
        """The host has made the connection that `Outside.connect` asked for."""
        connection.connected(now_ns)

    def refused(self, connection: Connection, why: Unreachable | None) -> None:
        """The host could not: None means that nobody listens there."""
        if why is None or not connection.quote:
            connection.refuse()
            return
        guest = connection.key[: (len(connection.key) - 4) // 2]
        size = len(connection.quote)
        quoted = IpPacket(guest, b"", 0, connection.quote, 0, size, size)
        self._link.unreachable(why, quoted)
        connection.drop()

    def settle(self, now_ns: int) -> None:
        """The end of a batch: the host gets its bytes, the guest its acknowledgments."""
        while self._touched:
            connection, _ = self._touched.popitem()
            self._settle_one(connection, now_ns)

    def touch(self, connection: Connection, now_ns: int) -> None:
        """Something has happened to this one."""
        self._touched.pop(connection, None)
        self._settle_one(connection, now_ns)

    def _settle_one(self, connection: Connection, now_ns: int) -> None:
        self._outside.serve(connection)
        if connection.ack_due:
            if self.wakes_ns - now_ns <= PATIENCE_NS and connection.may_wait:
                self._owed[connection] = None
            else:
                connection.acknowledge()
        if connection.phase is Phase.CLOSED:
            if self._connections.get(connection.key) is connection:
                del self._connections[connection.key]
                connection.shared.connections -= 1
        else:
            self._timers.watch(connection)

    def tick(self, now_ns: int, *, guest_waits: bool) -> None:
        """Call those whose time has come; `guest_waits` says that frames wait for the guest."""
        while self._owed:
            owing, _ = self._owed.popitem()
            if owing.ack_due:
                owing.acknowledge()
        for connection in self._timers.due(now_ns):
            if connection.phase is Phase.SYN_SENT:
                self._readdress(connection)
            connection.timer(now_ns, guest_waits=guest_waits)
            self.touch(connection, now_ns)

    def _readdress(self, connection: Connection) -> None:
        """The guest may have shown its MAC address since the first SYN."""
        guest = connection.key[: (len(connection.key) - 4) // 2]
        connection.wire.readdress(self._link.mac(guest) + self._plan.mac)

    def reset_all(self, addresses: Container[bytes] | None = None) -> None:
        """A guest is gone: end every connection, or those of its addresses, on the host's side."""
        for key, connection in list(self._connections.items()):
            if addresses is None or key[: (len(key) - 4) // 2] in addresses:
                connection.drop()
                self.touch(connection, 0)

    def _shared(self, guest: bytes) -> Shared:
        """What the connections of the station with this address have in common."""
        station = self._link.station(guest)
        shared = self._stations.get(station)
        if shared is None:
            idle = [number for number, each in self._stations.items() if not each.connections]
            for number in idle:
                del self._stations[number]
            total = self._limits.total_bytes
            shared = self._stations[station] = Shared(
                self._limits, self._link.emit, Budget(total), Budget(total), self._repeated
            )
        return shared

    def _has_place(self, guest: bytes, now_ns: int) -> bool:
        """Whether the guest may have one more; one of whoever has more gives way for it, or one
        that has been idle for long.
        """
        limits = self._limits
        if len(self._connections) < limits.connections:
            return True
        most = max(self._stations.values(), key=lambda shared: shared.connections)
        if self._shared(guest).connections + 1 < most.connections:
            theirs = (each for each in self._connections.values() if each.shared is most)
            self._give_up(min(theirs, key=_rank), now_ns)
            return True
        if now_ns < self._full_until_ns:
            return False
        oldest = min(self._connections.values(), key=_rank)
        if oldest.phase is not Phase.TIME_WAIT:
            idle_until_ns = oldest.active_ns + limits.evict_idle_ns
            if now_ns < idle_until_ns:
                # Looking for one takes long when there are many: not again before that.
                self._full_until_ns = min(idle_until_ns, now_ns + 1_000_000_000)
                return False
        self._give_up(oldest, now_ns)
        return True

    def _give_up(self, connection: Connection, now_ns: int) -> None:
        connection.abort()
        self.touch(connection, now_ns)

    def _reset(self, packet: IpPacket, segment: Segment) -> None:
        """Answer a segment of no connection (RFC 9293, section 3.10.7.1)."""
        ports = (segment.destination_port, segment.source_port)
        macs = self._link.mac(packet.source) + self._plan.mac
        wire = Wire(macs, packet.destination, packet.source, ports)
        if segment.flags & ACK:
            frame = wire.frame(segment.acknowledgment, 0, RST, 0)
        else:
            expected = (segment.sequence + segment.length) & SEQUENCE_MASK
            frame = wire.frame(0, expected, RST | ACK, 0)
        self._link.emit(frame)

    def _repeated(self) -> None:
        self._statistics.retransmitted += 1


def _rank(connection: Connection) -> tuple[bool, int]:
    return connection.phase is not Phase.TIME_WAIT, connection.active_ns

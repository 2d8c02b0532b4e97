"""Fuzz target: frames of a guest into user-mode NAT, while the host does anything at any time."""

import random
import struct

from fuzz.harness import damage, main, odd_number

from hospes.network import arp, ethernet, icmp, ipv4, ipv6, udp
from hospes.network.cable import Cable
from hospes.network.icmp import Unreachable
from hospes.network.limits import Limits
from hospes.network.nat import Nat
from hospes.network.packet import ICMP, ICMPV6, UDP
from hospes.network.plan import Plan
from hospes.network.published import Publication
from hospes.network.resolvers import Resolvers
from hospes.network.statistics import Statistics
from hospes.network.tcp import Connection
from hospes.network.tcp_segment import Wire
from hospes.network.tcp_state import Phase
from hospes.network.udp_flow import Peer, UdpFlow
from hospes.network.vnet import PLAIN, VnetHeader

MAC = bytes.fromhex("525400123456")
GUEST = {4: bytes((10, 0, 2, 15)), 16: bytes.fromhex("fd00000000000000000000000000000f")}
OTHERS = (
    bytes((10, 0, 2, 2)), bytes((10, 0, 2, 3)), bytes((8, 8, 8, 8)), bytes((127, 0, 0, 1)),
    b"\xff" * 4, bytes((224, 0, 0, 1)), bytes(4), bytes((10, 0, 2, 77)),
)  # fmt: skip
OTHERS6 = (
    bytes.fromhex("fd000000000000000000000000000002"), bytes.fromhex("fe80" + "0" * 27 + "2"),
    bytes.fromhex("fd000000000000000000000000000003"), bytes.fromhex("20010db8" + "0" * 23 + "1"),
    bytes(16), b"\xff\x02" + bytes(13) + b"\1",
)  # fmt: skip
LIMITS = Limits(
    connections=20, flows=10, peers=4, echoes=4, neighbours=4, connection_bytes=1 << 17,
    assured_bytes=1 << 14, total_bytes=1 << 18, queue_bytes=1 << 20, queue_frames=200,
)  # fmt: skip
FRAMES = 60
OPTIONS_MAX = 40
"""What a header can say the length of."""
STATIONS = 3
PORTS = (53, 67, 68, 80, 4000, 4001)


class Host:
    """Says yes, no or nothing, and takes what it likes."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self.asked: list[Connection] = []
        self.flows: list[tuple[UdpFlow, Peer]] = []
        self.echoes: list[tuple[bytes, int, bytes]] = []

    def is_own(self, address: bytes) -> bool:
        """None of them."""
        return False

    def connect(self, connection: Connection, target: bytes, port: int) -> None:
        """Later."""
        self.asked.append(connection)

    def serve(self, connection: Connection) -> None:
        """Take a part."""
        held = connection.receive.pending_bytes
        if held and self._chance.random() < 0.7:
            connection.taken(self._chance.choice((held, 1, held // 2 or 1)), 0)
        if connection.phase is Phase.OPEN and connection.finish_due:
            connection.host_finished(0)

    def send(self, flow: UdpFlow, target: bytes, port: int, data: bytes) -> None:
        """Remember whom to answer."""
        self.flows.append((flow, (target, port)))

    def end(self, flow: UdpFlow) -> None:
        """Forget it."""
        self.flows = [each for each in self.flows if each[0] is not flow]

    def answer(self, publication: Publication, client: Peer, data: bytes) -> None:
        """Nobody listens."""

    def echo(self, target: bytes, number: int, data: bytes) -> None:
        """Remember it."""
        self.echoes.append((target, number, data))


def case(chance: random.Random) -> None:
    """Frames, the host's doings and time, in any order; everything stays within its limits."""
    host, statistics = Host(chance), Statistics()
    cable = Cable(LIMITS, statistics, lambda: None)
    resolvers = Resolvers([bytes((9, 9, 9, 9))] if chance.random() < 0.5 else [])
    nat = Nat(
        Plan(allow_host=chance.random() < 0.5), LIMITS, cable.emit, host, resolvers,
        chance.randbytes, statistics, station_of=lambda mac: chance.randrange(STATIONS),
    )  # fmt: skip
    cable.accept(chance.randrange(8))
    now_ns = 1 << 40
    for _ in range(chance.randrange(1, FRAMES)):
        for _ in range(chance.choice((1, 1, 5))):
            nat.frame(any_frame(chance, nat), now_ns)
        nat.settle(now_ns)
        host_acts(chance, host, nat, now_ns)
        now_ns += chance.choice((0, 1, 10**6, 3 * 10**8, 10**10, 10**13))
        nat.tick(now_ns, guest_waits=chance.random() < 0.2)
        if chance.random() < 0.5:
            cable.take(chance.choice((1, 50, 1000)))
        assert len(nat.tcp) <= LIMITS.connections
        sent, received = nat.tcp.held
        total, assured = STATIONS * LIMITS.total_bytes, 20 * LIMITS.assured_bytes
        assert 0 <= sent <= total + assured
        assert 0 <= received <= 2 * (total + assured)
    nat.reset()
    assert (len(nat.tcp), nat.tcp.held) == (0, (0, 0))


def host_acts(chance: random.Random, host: Host, nat: Nat, now_ns: int) -> None:
    """One thing the host may do."""
    if host.asked and chance.random() < 0.8:
        connection = chance.choice(host.asked)
        if connection.phase is Phase.CONNECTING:
            if chance.random() < 0.8:
                nat.tcp.connected(connection, now_ns)
            else:
                nat.tcp.refused(connection, chance.choice((None, *Unreachable)))
        elif connection.phase is Phase.OPEN:
            room = connection.room
            if room and chance.random() < 0.8:
                connection.host_data(bytes(chance.randrange(1, room + 1)), now_ns)
            elif room:
                connection.host_end(now_ns)
            elif chance.random() < 0.1:
                connection.abort()
        nat.tcp.touch(connection, now_ns)
    if host.flows and chance.random() < 0.5:
        flow, peer = chance.choice(host.flows)
        nat.udp.answered(flow, peer, bytes(chance.choice((0, 9, 4000))), now_ns)
        nat.udp.unreachable(flow, peer, chance.choice(list(Unreachable)))
    if host.echoes:
        nat.icmp.echoed(*host.echoes.pop())
    if chance.random() < 0.1:
        nat.tcp.open((OTHERS[0], chance.choice(PORTS)), (GUEST[4], 80), now_ns)


def any_frame(chance: random.Random, nat: Nat) -> bytes:
    """A frame that is right, or nearly, or not at all."""
    size = chance.choice((4, 16))
    source, destination = GUEST[size], chance.choice(OTHERS if size == 4 else OTHERS6)
    kind = chance.randrange(6)
    if kind == 0:
        frame = arp.request(MAC, GUEST[4], chance.choice(OTHERS))
    elif kind == 1 or (kind == 2 and not nat.tcp._connections):
        frame = segment(chance, source, destination)
    elif kind == 2:
        frame = fitting(chance, nat)
    elif kind == 3:
        ports = (chance.choice(PORTS), chance.choice(PORTS))
        data = udp.build(source, destination, udp.Datagram(*ports, chance.randbytes(400)))
        frame = packet(chance, source, destination, UDP, data)
    elif kind == 4:
        kind = chance.choice((8, 0, 128, 133, 135, 136))
        rest = chance.choice(OTHERS6) + b"\x01\x01" + MAC
        data = icmp.seal(struct.pack(">BBHI", kind, 0, 0, 7) + rest, source, destination)
        frame = packet(chance, source, destination, ICMP if size == 4 else ICMPV6, data)
    else:
        return PLAIN + nat.link._plan.mac + MAC + chance.randbytes(chance.randrange(100))
    if chance.random() < 0.3:
        frame = damage(chance, frame, 3)
    vnet = VnetHeader(chance.choice((0, 1, 2, 255)), odd_number(chance, 8), gso_size=1)
    return (vnet.pack() if chance.random() < 0.7 else PLAIN) + frame[12:]


def packet(
    chance: random.Random, source: bytes, destination: bytes, protocol: int, data: bytes,
    mtu_min: int = 200,
) -> bytes:  # fmt: skip
    """One packet, or a fragment of one."""
    build = ipv4.packets if len(source) == 4 else ipv6.packets
    kind = ethernet.IPV4 if len(source) == 4 else ethernet.IPV6
    mtu = chance.choice((1500, 1500, mtu_min))
    parts = list(build(source, destination, protocol, data, mtu, chance.randrange(3)))
    return ethernet.frame(Plan().mac, MAC, kind, chance.choice(parts))


def segment(chance: random.Random, source: bytes, destination: bytes) -> bytes:
    """Any TCP segment, SYNs above all."""
    wire = Wire(Plan().mac + MAC, source, destination, (chance.choice(PORTS), chance.choice(PORTS)))
    options = damage(chance, bytes((2, 4, 5, 180, 1, 3, 3, 7)))[:OPTIONS_MAX]
    return wire.frame(
        odd_number(chance, 32), odd_number(chance, 32), chance.choice((2, 2, 2, 16, 4, 255)),
        odd_number(chance, 16), options=options[: len(options) & ~3], data=bytes(3), mss=1460,
    )  # fmt: skip


def fitting(chance: random.Random, nat: Nat) -> bytes:
    """A segment of a connection that exists, near what is expected."""
    key, connection = chance.choice(list(nat.tcp._connections.items()))
    size = (len(key) - 4) // 2
    ports = struct.unpack(">HH", key[-4:])
    wire = Wire(Plan().mac + MAC, key[:size], key[size : 2 * size], ports)
    ahead = chance.choice((0, 0, 0, 1, -1, 5, 100, -100, 70000))
    acked = chance.choice((0, 0, 0, -1, 1, -100))
    return wire.frame(
        connection.receive.next + ahead & 0xFFFF_FFFF, connection.send.next + acked & 0xFFFF_FFFF,
        chance.choice((16, 16, 16, 24, 17, 18, 4, 20)), chance.choice((0, 1, 500, 65535)),
        data=bytes(chance.choice((0, 0, 1, 5, 100, 1460, 60000))), mss=1460,
    )  # fmt: skip


if __name__ == "__main__":
    main(case)

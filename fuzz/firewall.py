"""Fuzz target: a firewall between a guest and a network that both send what they like."""

import random
import struct

from fuzz.harness import damage, main, odd_number
from fuzz.nat import MAC, packet

from hospes.base.errors import HospesError
from hospes.network import arp, icmp, udp
from hospes.network.dns import write_name
from hospes.network.firewall.filter import REFUSALS_MAX, Firewall
from hospes.network.firewall.names import ADDRESSES_MAX, QUESTIONS_MAX
from hospes.network.firewall.rate import HELD_BYTES_MAX
from hospes.network.firewall.servers import SERVERS_MAX
from hospes.network.fragments import DATAGRAMS_MAX
from hospes.network.fragments import HELD_BYTES_MAX as FRAGMENTS_BYTES_MAX
from hospes.network.packet import ICMP, ICMPV6, UDP
from hospes.network.plan import Plan
from hospes.network.tcp_segment import Wire
from hospes.network.vnet import PLAIN, VNET_BYTES
from hospes.spec.firewall import Direction, FirewallSpec, Verdict
from hospes.spec.firewall_rules import firewall_of, parse_selector

HOSTS = {
    4: (bytes((10, 0, 2, 15)), bytes((10, 0, 2, 3)), bytes((8, 8, 8, 8)), b"\xff" * 4, bytes(4)),
    16: (
        bytes.fromhex("fd" + "0" * 28 + "0f"), bytes.fromhex("fd" + "0" * 28 + "03"),
        bytes.fromhex("fe80" + "0" * 27 + "2"), bytes.fromhex("ff02" + "0" * 27 + "1"), bytes(16),
    ),
}  # fmt: skip
PORTS = (53, 67, 68, 80, 443, 546, 547, 4000)
NAMES = ("db.internal", "internal", "a.b.internal", "evil")
TEXTS = (
    "deny:in", "deny:out", "allow:in", "allow:out", "allow:in:tcp:80", "deny:out:tcp:443",
    "allow:out:*.internal", "allow:out:udp:53", "deny:out:8.8.8.0/24", "allow:in:[fd00::/8]",
    "rate:out:8k", "rate:in:tcp:100k", "allow:in:icmp", "allow:in:db.internal:1-100",
)  # fmt: skip
TAGS = (b"", b"", b"", b"\x81\0\0\1", b"\x88\xa8\0\1\x81\0\0\2", b"\x81\0\0\1" * 3)
FLOWS_MAX = 12


def case(chance: random.Random) -> None:
    """Frames both ways, other rules now and then, and time; nothing grows beyond its bounds."""
    servers = chance.choice((None, (), (HOSTS[4][1], HOSTS[16][1])))
    wall = Firewall(
        rules(chance), published=lambda: {(6, 80)}, servers=servers,
        tells=chance.random() < 0.5, flows_max=FLOWS_MAX,
    )  # fmt: skip
    now_ns, sent = 1 << 40, [PLAIN]
    for _ in range(chance.randrange(1, 80)):
        frames = [any_frame(chance, sent[-20:]) for _ in range(chance.choice((1, 1, 4)))]
        way = chance.choice((wall.outgoing, wall.incoming))
        passed = way(frames, now_ns)
        passed += wall.due(chance.choice(list(Direction)), now_ns, chance.choice((0, 1, 50)))
        sent += frames
        assert set(passed) <= set(sent)
        check(wall)
        now_ns += chance.choice((0, 1, 10**7, 10**10, 10**12))
        if chance.random() < 0.05:
            wall.change(rules(chance))
        if chance.random() < 0.02:
            wall.reset()
    assert wall.status().rows


def rules(chance: random.Random) -> FirewallSpec:
    """Some of TEXTS, and perhaps a rule that is one by luck."""
    made = firewall_of(chance.sample(TEXTS, chance.randrange(6)))
    assert made is not None
    try:
        selector = parse_selector(damage(chance, b"out:tcp:10.0.0.1:80", 3).decode("latin-1"))
    except HospesError:
        return made
    return made.decided(chance.choice(list(Verdict)), selector)


def check(wall: Firewall) -> None:
    """What is held."""
    flows, judge = wall.flows, wall._judge
    assert len(flows) == len(flows.outgoing) == len(flows.incoming) <= FLOWS_MAX
    assert len(wall.for_guest) <= REFUSALS_MAX
    assert len(wall.for_network) <= REFUSALS_MAX
    assert len(judge.names) <= ADDRESSES_MAX
    assert judge.names.questions <= QUESTIONS_MAX
    assert len(judge._servers._known) <= SERVERS_MAX
    for way in Direction:
        limits = judge.rules(way).limits
        assert judge.rules(way)._backlog.held == sum(one.queue.held for one in limits)
        assert all(one.queue.held <= HELD_BYTES_MAX for one in limits)
    for each in wall._fragments.values():
        assert each.held <= FRAGMENTS_BYTES_MAX
        assert len(each._partial) <= DATAGRAMS_MAX
    for frame in (*wall.for_guest, *wall.for_network):
        assert frame[:VNET_BYTES] == PLAIN or frame[0] == 0


def any_frame(chance: random.Random, sent: list[bytes]) -> bytes:
    """A frame that is right, or nearly, or one of those before."""
    if chance.random() < 0.2:
        frame = chance.choice(sent)
    else:
        frame = packet_frame(chance, sent)
    if chance.random() < 0.3:
        frame = damage(chance, frame, 3)
    tags = chance.choice(TAGS)
    return frame[:24] + tags + frame[24:] if tags else frame


def packet_frame(chance: random.Random, sent: list[bytes]) -> bytes:
    """One of those that a firewall looks at."""
    size = chance.choice((4, 16))
    source, target = chance.choice(HOSTS[size]), chance.choice(HOSTS[size])
    ports = chance.choice(PORTS), chance.choice(PORTS)
    kind = chance.randrange(6)
    if kind == 0:
        return arp.request(MAC, source[:4], target[:4])
    if kind == 1:
        wire = Wire(Plan().mac + MAC, source, target, ports)
        flags = chance.choice((2, 18, 16, 17, 4, 20, 255))
        numbers = odd_number(chance, 32), odd_number(chance, 32)
        return wire.frame(*numbers, flags, 9, data=b"x", mss=9)
    if kind == 2:
        data = udp.build(source, target, udp.Datagram(*ports, message(chance)))
        return put(chance, source, target, UDP, data)
    if kind == 3:
        what = chance.choice((0, 3, 5, 8, 11, 1, 2, 128, 129, 130, 133, 134, 135, 137, 143))
        rest = chance.choice((bytes(4), b"\0\7\0\1")) + chance.choice(sent)[26:90]
        data = icmp.seal(bytes((what, 0, 0, 0)) + rest, source, target)
        return put(chance, source, target, ICMP if size == 4 else ICMPV6, data)
    if kind == 4:
        return put(chance, source, target, chance.choice((2, 41, 47, 6, 17)), chance.randbytes(30))
    return PLAIN + MAC * 2 + chance.randbytes(chance.randrange(80))


def put(
    chance: random.Random, source: bytes, target: bytes, protocol: int, data: bytes
) -> bytes:
    """One packet, or a fragment of one."""
    return packet(chance, source, target, protocol, data, mtu_min=100)


def message(chance: random.Random) -> bytes:
    """Of DNS, DHCP or nobody."""
    number, name = chance.randrange(3), chance.choice(NAMES)
    asked = write_name(name) + struct.pack(">HH", chance.choice((1, 28)), 1)
    kind = chance.randrange(4)
    if kind == 0:
        return struct.pack(">HHHHHH", number, 0x100, 1, 0, 0, 0) + asked
    if kind == 1:
        count = chance.choice((1, 1, 2, 60000))
        head = struct.pack(">HHHHHH", number, 0x8180, 1, count, 0, 0)
        records = (
            b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, odd_number(chance, 32), 4) + HOSTS[4][2],
            b"\xc0\x0c" + struct.pack(">HHIH", 5, 1, 9, 2) + b"\xc0\x0c",
        )
        return head + asked + b"".join(chance.choice(records) for _ in range(2))
    if kind == 2:
        head = bytes((chance.choice((1, 2)), 1, 6, 0)) + bytes((number,)) * 4 + bytes(228)
        return head + bytes.fromhex("638253630604") + chance.choice(HOSTS[4]) + b"\xff"
    return chance.randbytes(chance.choice((0, 4, 30)))


if __name__ == "__main__":
    main(case)

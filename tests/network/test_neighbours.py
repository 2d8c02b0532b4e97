"""ARP, neighbour discovery and the router's advertisement."""

import struct
from itertools import pairwise

from tests.network.frames import (
    DNS4,
    GATEWAY4,
    GATEWAY6,
    GUEST4,
    GUEST6,
    GUEST_MAC,
    OUR_MAC,
    ethernet,
    icmp6,
    ip,
    see,
    tcp,
)
from tests.network.outside import Net

from hospes.network.limits import SECOND_NS, Limits
from hospes.network.ndp import ROUTER_ADVERTISEMENT, ROUTER_LIFETIME_SECONDS
from hospes.network.plan import ROUTER_LINK_LOCAL, Plan

LINK_LOCAL = bytes.fromhex("fe80000000000000505400fffe123456")
ALL_ROUTERS = bytes.fromhex("ff020000000000000000000000000002")


def arp(sender: bytes, target: bytes, operation: int = 1, mac: bytes = GUEST_MAC) -> bytes:
    fixed = struct.pack(">HHBBH", 1, 0x0800, 6, 4, operation)
    return ethernet(0x0806, fixed + mac + sender + bytes(6) + target, b"\xff" * 6)


def test_our_addresses_are_answered_and_no_others() -> None:
    net = Net()
    for target in (GATEWAY4, DNS4):
        net.send(arp(GUEST4, target))
        (frame,) = net.take()
        seen = see(frame)
        assert (seen.destination_mac, seen.kind) == (GUEST_MAC, 0x0806)
        assert seen.payload[6:] == b"\0\x02" + OUR_MAC + target + GUEST_MAC + GUEST4
    net.send(arp(GUEST4, GUEST4), arp(GUEST4, bytes((10, 0, 2, 99))), arp(GUEST4, GATEWAY4, 2))
    assert net.take() == []
    for length in range(12, 26 + 28):
        net.send(arp(GUEST4, GATEWAY4)[:length])
    assert net.take() == []
    assert net.statistics.malformed > 28


def test_a_flood_of_stations_is_bounded() -> None:
    net = Net(limits=Limits(neighbours=8))
    for number in range(10, 250):
        address = bytes((10, 0, 2, number))
        net.send(arp(address, GATEWAY4, mac=bytes((2, 0, 0, 0, 0, number))))
    assert len(net.nat.link._neighbours) == 8
    assert net.nat.link.mac(bytes((10, 0, 2, 249)))[5] == 249
    net.take()
    assert net.nat.link.mac(bytes((10, 0, 2, 11))) == b"\xff" * 6
    assert see(net.take()[0]).payload[-4:] == bytes((10, 0, 2, 11))


def test_strange_sources_are_ignored() -> None:
    net = Net()
    for source in (bytes((1, 2, 3, 4)), GATEWAY4, bytes((127, 0, 0, 1)), b"\xff" * 4):
        net.send(tcp((source, 4000), (bytes((9, 9, 9, 9)), 80), 1, 0, 2))
    assert (net.take(), net.host.asked, net.statistics.ignored) == ([], [], 4)


def solicit(target: bytes, source: bytes = LINK_LOCAL, hop_limit: int = 255) -> bytes:
    group = bytes.fromhex("ff0200000000000000000001ff") + target[-3:]
    rest = bytes(4) + target + b"\x01\x01" + GUEST_MAC
    frame = bytearray(ip(source, group, 58, icmp6(source, group, 135, 0, rest)))
    frame[26 + 7] = hop_limit
    frame[12:18] = b"\x33\x33" + group[-4:]
    return bytes(frame)


def test_neighbours_are_advertised() -> None:
    net = Net()
    for target in (GATEWAY6, ROUTER_LINK_LOCAL, Plan().dns6):
        net.send(solicit(target))
        (frame,) = net.take()
        seen = see(frame)
        assert (seen.valid, seen.source, seen.destination) == (True, target, LINK_LOCAL)
        assert seen.payload[0] == 136
        assert seen.payload[8:] == target + b"\x02\x01" + OUR_MAC
    net.send(solicit(GUEST6), solicit(GATEWAY6, bytes(16)), solicit(GATEWAY6, hop_limit=64))
    assert net.take() == []


def test_the_router_advertises_prefix_mtu_and_name_server() -> None:
    net = Net()
    net.send(ip(bytes(16), ALL_ROUTERS, 58, icmp6(bytes(16), ALL_ROUTERS, 133, 0, bytes(4))))
    (frame,) = net.take()
    seen = see(frame)
    assert (seen.valid, seen.source, frame[26 + 7]) == (True, ROUTER_LINK_LOCAL, 255)
    options, found = seen.payload[16:], {}
    while options:
        size = options[1] * 8
        found[options[0]] = options[:size]
        options = options[size:]
    assert found[1][2:] == OUR_MAC
    assert found[3][2:4] == bytes((64, 0xC0))
    assert found[3][16:] == Plan().host6(0)
    assert found[5][4:] == (1500).to_bytes(4, "big")
    assert found[25][8:] == Plan().dns6


def test_the_router_advertises_itself_before_it_is_forgotten() -> None:
    net = Net()
    lifetime_ns, at_ns = ROUTER_LIFETIME_SECONDS * SECOND_NS, []
    net.pass_time(lifetime_ns)
    assert net.take() == [], "no guest has IPv6"
    net.send(solicit(ROUTER_LINK_LOCAL))
    net.take()
    asked_ns = net.now
    while net.now < 4 * lifetime_ns:
        net.pass_time(10 * SECOND_NS)
        for frame in net.take():
            assert see(frame).payload[0] == ROUTER_ADVERTISEMENT
            at_ns.append(net.now)
    assert all(later - sooner < lifetime_ns // 3 for sooner, later in pairwise([asked_ns, *at_ns]))
    assert len(at_ns) > 9


def test_options_without_length_end() -> None:
    net = Net()
    for rest in (b"\x01\0" + bytes(6), b"\x01", b"\x01\xff" + bytes(6)):
        message = icmp6(LINK_LOCAL, ALL_ROUTERS, 135, 0, bytes(4) + GATEWAY6 + rest)
        net.send(ip(LINK_LOCAL, ALL_ROUTERS, 58, message))
    assert net.statistics.malformed == 1

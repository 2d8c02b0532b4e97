"""Flows of UDP with their limits, published ports, echo, and errors about what went nowhere."""

import struct

from tests.network.frames import (
    GATEWAY4,
    GATEWAY6,
    GUEST4,
    GUEST6,
    WORLD4,
    WORLD6,
    icmp4,
    icmp6,
    ip,
    see,
    udp,
)
from tests.network.outside import Net

from hospes.network.icmp import Unreachable
from hospes.network.limits import Limits
from hospes.network.plan import Plan
from hospes.network.published import Publication

LOOPBACK4 = bytes((127, 0, 0, 1))


def test_a_flow_keeps_its_port_and_hears_only_its_peers() -> None:
    net = Net()
    other = bytes((93, 184, 216, 35))
    net.send(udp((GUEST4, 4000), (WORLD4, 123), b"a"), udp((GUEST4, 4000), (other, 9), b""))
    (flow, *first), (same, *second) = net.host.sent
    assert flow is same
    assert (first, second) == ([WORLD4, 123, b"a"], [other, 9, b""])
    for peer in ((WORLD4, 123), (WORLD4, 124), (other, 9), (GUEST4, 1)):
        net.nat.udp.answered(flow, peer, bytes(peer[0][-1:]) * 3000, net.now)
    seen = [see(frame) for frame in net.take()]
    assert all(each.valid for each in seen)
    assert len(seen) == 2 * 3  # in fragments, for the MTU is 1500
    assert {each.source for each in seen} == {WORLD4, other}
    net.pass_time(100_000_000_000)
    assert net.host.ended == []
    net.pass_time(130_000_000_000)
    assert net.host.ended == [flow]


def test_ipv6_is_the_same() -> None:
    net = Net()
    net.send(udp((GUEST6, 4000), (WORLD6, 123), b"a"))
    ((flow, *sent),) = net.host.sent
    assert sent == [WORLD6, 123, b"a"]
    net.nat.udp.answered(flow, (WORLD6, 123), b"answer", net.now)
    seen = see(net.take()[-1])
    assert (seen.valid, seen.source, seen.udp_data) == (True, WORLD6, b"answer")


def test_flows_and_peers_are_bounded() -> None:
    net = Net(limits=Limits(flows=10, peers=5))
    for port in range(1000, 1100):
        net.send(udp((GUEST4, port), (WORLD4, 123), b""))
    assert len(net.host.ended) == 90
    for port in range(1000, 1100):
        net.send(udp((GUEST4, 1), (WORLD4, port), b""))
    assert len(net.host.sent[-1][0].peers) == 5
    net.nat.reset()
    assert len(net.host.ended) == 101


def test_the_host_is_out_of_reach_unless_allowed() -> None:
    closed, opened = Net(), Net(Plan(allow_host=True))
    own = bytes((192, 0, 2, 7))
    for net in (closed, opened):
        net.host.own = {own}
        for to in (GATEWAY4, LOOPBACK4, bytes((169, 254, 169, 254)), own):
            net.send(udp((GUEST4, 4000), (to, 80), b"x"))
        mapped = bytes(10) + b"\xff\xff" + LOOPBACK4
        for to6 in (GATEWAY6, bytes(15) + b"\1", mapped, b"\xfe\x80" + bytes(13) + b"\x09"):
            net.send(udp((GUEST6, 4000), (to6, 80), b"x"))
    assert closed.host.sent == []
    assert closed.statistics.refused == 8
    codes = [(see(each).payload[0], see(each).payload[1]) for each in closed.take()]
    assert codes == [(3, 13)] * 4 + [(1, 1)] * 3 + [(1, 3)]  # its own link has no such station
    targets = [target for _, target, _, _ in opened.host.sent]
    assert targets[:4] == [LOOPBACK4, LOOPBACK4, bytes((169, 254, 169, 254)), own]
    assert targets[4] == bytes(15) + b"\1"


def test_nobody_and_groups() -> None:
    net = Net(Plan(allow_host=True))
    net.send(udp((GUEST4, 4000), (bytes((10, 0, 2, 77)), 80), b"x"))
    seen = see(net.take()[0])
    assert (seen.valid, seen.payload[:2]) == (True, b"\x03\x01")
    for group in (b"\xff" * 4, bytes((224, 0, 0, 251)), bytes(4)):
        net.send(udp((GUEST4, 4000), (group, 5353), b"x"))
    net.send(udp((GUEST6, 4000), (b"\xff\x02" + bytes(13) + b"\xfb", 5353), b"x"))
    assert net.host.sent == []


def test_an_error_of_the_host_reaches_the_sender() -> None:
    net = Net()
    net.send(udp((GUEST4, 4000), (WORLD4, 123), b"a"), udp((GUEST6, 4000), (WORLD6, 1), b"a"))
    net.nat.udp.unreachable(net.host.sent[0][0], (WORLD4, 123), Unreachable.PORT)
    net.nat.udp.unreachable(net.host.sent[1][0], (WORLD6, 1), Unreachable.PORT)
    net.nat.udp.unreachable(net.host.sent[1][0], (WORLD6, 2), Unreachable.PORT)
    four, six = (see(frame) for frame in net.take())
    assert (four.valid, four.source, four.payload[:2]) == (True, GATEWAY4, b"\x03\x03")
    assert four.payload[8 + 20 :][:4] == struct.pack(">HH", 4000, 123)
    assert (six.valid, six.payload[:2]) == (True, b"\x01\x04")
    assert six.payload[8 + 40 :][:4] == struct.pack(">HH", 4000, 1)


def test_a_published_port_and_the_way_back() -> None:
    net = Net()
    publication = Publication("udp", "127.0.0.1", 5000, "10.0.2.15", 53)
    net.send(udp((GUEST4, 9), (WORLD4, 9), b""))  # so that its MAC address is known
    client = (LOOPBACK4, 40000)
    net.nat.udp.offered(publication, client, (GUEST4, 53), b"question", net.now)
    seen = see(net.take()[0])
    assert (seen.source, seen.ports, seen.udp_data) == (GATEWAY4, (40000, 53), b"question")
    net.send(udp((GUEST4, 53), (GATEWAY4, 40000), b"answer"))
    assert net.host.answers == [(publication, client, b"answer")]
    net.nat.udp.withdraw(publication)
    net.send(udp((GUEST4, 53), (GATEWAY4, 40000), b"answer"))
    assert len(net.host.answers) == 1


def test_echo_to_us_and_through_the_host() -> None:
    net = Net()
    ping = icmp4(8, 0, struct.pack(">HH", 7, 3) + b"payload")
    net.send(ip(GUEST4, GATEWAY4, 1, ping))
    seen = see(net.take()[0])
    assert (seen.valid, seen.payload[0], seen.payload[4:]) == (True, 0, ping[4:])
    net.send(ip(GUEST4, WORLD4, 1, ping), ip(GUEST4, LOOPBACK4, 1, ping))
    ((target, number, data),) = net.host.echoes
    assert (target, data) == (WORLD4, b"payload")
    assert see(net.take()[0]).payload[:2] == b"\x03\x0d"
    net.nat.icmp.echoed(WORLD6, number, data)
    net.nat.icmp.echoed(WORLD4, number + 1, data)
    assert net.take() == []
    for _ in range(2):
        net.nat.icmp.echoed(WORLD4, number, data)
    (frame,) = net.take()
    seen = see(frame)
    assert (seen.valid, seen.source, seen.payload[4:]) == (True, WORLD4, ping[4:])


def test_echo_in_ipv6() -> None:
    net = Net()
    rest = struct.pack(">HH", 7, 3) + b"payload"
    net.send(ip(GUEST6, GATEWAY6, 58, icmp6(GUEST6, GATEWAY6, 128, 0, rest)))
    seen = see(net.take()[0])
    assert (seen.valid, seen.payload[0], seen.payload[4:]) == (True, 129, rest)
    net.send(ip(GUEST6, WORLD6, 58, icmp6(GUEST6, WORLD6, 128, 0, rest)))
    ((target, number, data),) = net.host.echoes
    net.nat.icmp.echoed(target, number, data)
    seen = see(net.take()[0])
    assert (seen.valid, seen.source, seen.payload[4:]) == (True, WORLD6, rest)


def test_echoes_are_bounded() -> None:
    net = Net(limits=Limits(echoes=4))
    for number in range(50):
        message = icmp4(8, 0, struct.pack(">HH", 7, number))
        net.send(ip(GUEST4, WORLD4, 1, message))
    assert len(net.nat.icmp._echoes._asked) == 4


def test_what_is_wrong_is_counted() -> None:
    net = Net()
    good = udp((GUEST4, 4000), (WORLD4, 123), b"data")
    wrong_sum = good[:-1] + b"\0"
    too_long = good[: 26 + 24] + b"\xff\xff" + good[26 + 26 :]
    net.send(wrong_sum, too_long, ip(GUEST4, WORLD4, 17, b"short"), ip(GUEST4, GATEWAY4, 1, b"x"))
    assert (net.statistics.malformed, net.host.sent) == (4, [])
    vouched = b"\x02" + wrong_sum[1:]
    net.send(vouched)
    assert len(net.host.sent) == 1

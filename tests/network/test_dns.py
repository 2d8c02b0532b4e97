"""Names of the network's own, questions passed on, and messages that are none."""

import random
import struct

import pytest
from tests.network.frames import DNS4, GATEWAY4, GUEST4, GUEST_MAC, see, udp
from tests.network.outside import Net

from hospes.base.errors import GuestError
from hospes.network import dns
from hospes.network.plan import Hosts, Plan

RESOLVER = bytes((8, 8, 8, 8))


def query(name: str, kind: int, identifier: int = 77) -> bytes:
    labels = b"".join(bytes((len(each),)) + each.encode() for each in name.split("."))
    return struct.pack(">HHHHHH", identifier, 0x0100, 1, 0, 0, 0) + labels + struct.pack(
        ">BHH", 0, kind, 1
    )


def ask(net: Net, message: bytes, port: int = 5000) -> bytes | None:
    net.send(udp((GUEST4, port), (DNS4, 53), message))
    frames = net.take()
    if not frames:
        return None
    seen = see(frames[0])
    assert (seen.valid, seen.source, seen.ports) == (True, DNS4, (53, port))
    return seen.udp_data


def records(answer: bytes) -> list[tuple[int, bytes]]:
    identifier, flags, questions, count, _, _ = struct.unpack_from(">HHHHHH", answer)
    assert (identifier, flags & 0x8100, questions) == (77, 0x8100, 1)
    _, at = dns.read_name(answer, 12)
    at += 4
    found = []
    for _ in range(count):
        _, at = dns.read_name(answer, at)
        kind, _, _, size = struct.unpack_from(">HHIH", answer, at)
        found.append((kind, answer[at + 10 : at + 10 + size]))
        at += 10 + size
    assert at == len(answer)
    return found


def test_names_of_the_network() -> None:
    net = Net(Plan(names={"db.test": "10.1.2.3", "Two.Test": "2001:db8::1"}))
    gateway6 = Plan().gateway6
    for name, kind, want in (
        ("host.internal", dns.A, [(dns.A, GATEWAY4)]),
        ("HOST.Internal", dns.AAAA, [(dns.AAAA, gateway6)]),
        ("host.internal", 255, [(dns.A, GATEWAY4), (dns.AAAA, gateway6)]),
        ("guest", dns.A, [(dns.A, GUEST4)]),
        ("guest", dns.AAAA, []),
        ("db.test", dns.A, [(dns.A, bytes((10, 1, 2, 3)))]),
        ("two.test", dns.A, []),
        ("2.2.0.10.in-addr.arpa", dns.PTR, [(dns.PTR, b"\x04host\x08internal\0")]),
    ):
        answer = ask(net, query(name, kind))
        assert answer is not None
        assert records(answer) == want, name
        assert answer[3] & 15 == 0
    unknown = ask(net, query("9.2.0.10.in-addr.arpa", dns.PTR))
    assert unknown is not None
    assert unknown[3] & 15 == dns.NO_SUCH_NAME
    assert net.host.sent == []


def test_a_machine_is_found_at_the_addresses_it_has_given_itself() -> None:
    plan = Plan(ipv4="10.7.0.0/24", ipv6="fd00:7::/64", hosts=Hosts(1, 1, 2), domain="internal")
    net = Net(plan)
    net.nat.join(GUEST_MAC, "web")
    names = dns.Names(plan, net.nat._leases, net.nat.link)

    def told(name: str, kind: int) -> list[tuple[int, bytes]]:
        return records(names.answer(query(name, kind)))

    lease, link_local = bytes((10, 7, 0, 2)), bytes.fromhex("fe80" + "00" * 12 + "0015")
    shown = [bytes.fromhex(f"fd000007{n:024x}") for n in (0x15, 0x99)]
    assert told("web.internal", dns.AAAA) == []
    for source in (link_local, *shown):
        net.send(udp((source, 9), (plan.gateway6, 9), b"x"))
    assert told("web.internal", dns.A) == told("web", dns.A) == [(dns.A, lease)]
    assert told("web.internal", dns.AAAA) == [(dns.AAAA, each) for each in shown]
    assert [kind for kind, _ in told("web", dns.ANY)] == [dns.A, dns.AAAA, dns.AAAA]
    reverse = ".".join(reversed(shown[1].hex())) + ".ip6.arpa"
    assert told(reverse, dns.PTR) == [(dns.PTR, b"\x03web\x08internal\0")]
    for number in range(100):
        source = bytes.fromhex(f"fd000007{0x1000 + number:024x}")
        net.send(udp((source, 9), (plan.gateway6, 9), b"x"))
    assert len(told("web", dns.AAAA)) == dns.ADDRESSES6_MAX
    net.nat.leave(GUEST_MAC)
    assert names.answer(query("web.internal", dns.AAAA))[3] & 15 == dns.NO_SUCH_NAME


def test_other_names_are_passed_on_as_they_are() -> None:
    net = Net()
    message = query("example.org", dns.A)
    assert ask(net, message) is None
    ((flow, target, port, data),) = net.host.sent
    assert (target, port, data) == (RESOLVER, 53, message)
    net.nat.udp.answered(flow, (bytes((9, 9, 9, 9)), 53), b"forged", net.now)
    assert net.take() == []
    net.nat.udp.answered(flow, (RESOLVER, 53), b"answer", net.now)
    seen = see(net.take()[0])
    assert (seen.source, seen.ports, seen.udp_data) == (DNS4, (53, 5000), b"answer")
    net.pass_time(20_000_000_000)
    assert net.host.ended == [flow]


def test_a_resolver_that_is_silent_is_left_for_the_next() -> None:
    net = Net(resolvers="8.8.8.8 9.9.9.9")
    for port in range(5000, 5004):
        ask(net, query("example.org", dns.A), port)
    assert [target[0] for _, target, _, _ in net.host.sent] == [8, 8, 8, 9]
    net.nat.udp.answered(net.host.sent[-1][0], (bytes((9, 9, 9, 9)), 53), b"", net.now)
    net.take()
    ask(net, query("example.org", dns.A), 6000)
    assert net.host.sent[-1][1][0] == 9


def test_without_resolvers_the_guest_is_told() -> None:
    net = Net(resolvers="")
    answer = ask(net, query("example.org", dns.A))
    assert answer is not None
    assert answer[3] & 15 == dns.SERVER_FAILURE


def test_malformed_messages() -> None:
    names, chance = dns.Names(Plan()), random.Random(3)
    whole = query("host.internal", dns.A)
    for length in range(len(whole)):
        with pytest.raises(GuestError):
            names.answer(whole[:length])
    for _ in range(3000):
        damaged = bytearray(whole)
        for _ in range(2):
            damaged[chance.randrange(len(whole))] = chance.randrange(256)
        try:
            names.answer(bytes(damaged))
        except GuestError:
            continue


def test_pointers_that_go_nowhere() -> None:
    head = struct.pack(">HHHHHH", 1, 0, 1, 0, 0, 0)
    long_label = b"\x40" + b"a" * 64 + b"\0"
    for name in (b"\xc0\x0c", b"\xc0\x0e\xc0\x0c", b"\xc0\xff", b"\xc0", long_label):
        with pytest.raises(GuestError):
            dns.parse(head + name + bytes(4))
    long = (b"\x3f" + b"a" * 63) * 4 + b"\0"
    with pytest.raises(GuestError):
        dns.parse(head + long + bytes(4))
    assert dns.read_name(b"\x01a\0\x01b\xc0\0", 3) == ("b.a", 7)

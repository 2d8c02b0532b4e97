"""What passes although nothing may: addresses, neighbours, and nothing else under their names."""

import pytest
from tests.network.firewall.test_names import DISCOVER, dhcp, offer
from tests.network.firewall.wall import Wall
from tests.network.frames import GATEWAY6, GUEST4, GUEST6, WORLD4, ethernet, icmp6, ip, udp

from hospes.network import arp
from hospes.network.plan import Plan

CLOSED = ("deny:in", "deny:out")
ARP = arp.request(Plan().mac, bytes((10, 0, 2, 2)), GUEST4)
ROUTERS = bytes.fromhex("ff02" + "0" * 27 + "2")
LINK_LOCAL = bytes.fromhex("fe80" + "0" * 27 + "9")


def neighbour(
    kind: int, source: bytes = GUEST6, target: bytes = GATEWAY6, hops: int = 255
) -> bytes:
    frame = ip(source, target, 58, icmp6(source, target, kind, 0, bytes(4) + target))
    return frame[:33] + bytes((hops,)) + frame[34:]


def test_addresses_are_resolved() -> None:
    wall = Wall(*CLOSED)
    assert wall.out(ARP) == wall.into(ARP) == 1
    assert wall.out(neighbour(133, target=ROUTERS), neighbour(135), neighbour(136)) == 3
    assert wall.into(neighbour(134, LINK_LOCAL, GUEST6), neighbour(135), neighbour(136)) == 3
    assert wall.counts()["allow in/out (addresses and neighbours)"] == (8, 0)


def test_only_on_the_link_and_only_the_guests_part() -> None:
    wall = Wall(*CLOSED)
    assert wall.out(neighbour(135, hops=64), neighbour(134), neighbour(137)) == 0
    assert wall.into(neighbour(136, hops=254), neighbour(133), neighbour(137)) == 0


@pytest.mark.parametrize("kind", [131, 132, 143])
def test_groups_are_joined(kind: int) -> None:
    wall = Wall(*CLOSED)
    assert wall.out(neighbour(kind, LINK_LOCAL, hops=1)) == 1
    assert wall.out(neighbour(kind, LINK_LOCAL, hops=2), neighbour(kind, hops=1)) == 0
    assert wall.into(neighbour(130, LINK_LOCAL, GUEST6, 1)) == 1


def test_dhcp_answers_who_asks_everybody() -> None:
    wall = Wall(*CLOSED)
    assert wall.into(offer(b"1234", WORLD4)) == 0
    assert wall.out(DISCOVER) == 1
    assert wall.into(offer(b"1234", WORLD4)) == 1
    assert wall.out(udp((GUEST4, 68), (WORLD4, 67), dhcp(1, b"1234"))) == 0
    assert wall.out(udp((GUEST4, 67), (b"\xff" * 4, 68), dhcp(2, b"1234"))) == 0
    wall.wait(61)
    assert wall.into(offer(b"1234", WORLD4)) == 0


def test_no_rate_holds_it_up() -> None:
    wall = Wall(*CLOSED, "rate:out:8k")
    assert sum(wall.out(ARP) for _ in range(10_000)) == 10_000
    assert wall.out(ethernet(0x0806, b"")) == 1

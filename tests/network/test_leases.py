"""Which card gets which address: the same again, the one it was promised, never another's."""

import pytest
from tests.network.frames import GUEST_MAC
from tests.network.outside import Net
from tests.network.test_dhcp import message, talk

from hospes.network import dhcp
from hospes.network.leases import STRANGERS_MAX, Lease, Leases
from hospes.network.plan import Hosts, Plan
from hospes.spec.names import is_label

PLAN = Plan(ipv4="10.7.0.0/28", hosts=Hosts(1, 1, 2), domain="internal")


def address_of(leases: Leases, name: str) -> bytes | None:
    lease = leases.called(name)
    return None if lease is None else lease.address


def mac(number: int) -> bytes:
    return b"\x02\0\0\0" + number.to_bytes(2, "big")


def at(number: int) -> bytes:
    return bytes((10, 7, 0, number))


def test_addresses_are_given_in_order_and_again() -> None:
    leases = Leases(PLAN)
    assert [leases.hold(mac(n), "").address for n in range(3)] == [at(2), at(3), at(4)]
    leases.let_go(mac(1))
    assert leases.hold(mac(9), "").address == at(5)
    assert leases.hold(mac(1), "").address == at(3)


def test_what_was_promised_is_kept_for_a_name_or_a_card() -> None:
    leases = Leases(PLAN, {"web": at(2), mac(7): at(3)})
    assert leases.hold(mac(1), "db").address == at(4)
    assert leases.hold(mac(2), "web").address == at(2)
    assert leases.hold(mac(7), "").address == at(3)
    assert leases.give(mac(8)).address == at(5)


def test_a_machines_new_card_gets_its_address() -> None:
    leases = Leases(PLAN, {"web": at(9)})
    leases.hold(mac(1), "web")
    leases.let_go(mac(1))
    assert leases.hold(mac(2), "web").address == at(9)
    assert address_of(leases, "web") == at(9)
    assert leases.find(mac(1)) is None


def test_they_are_known_the_next_time() -> None:
    changes: list[int] = []
    first = Leases(PLAN, changed=lambda: changes.append(1))
    for number in (3, 1, 2):
        first.hold(mac(number), f"m{number}")
    first.give(mac(50))
    assert len(changes) == 3
    assert [one.mac for one in first.kept] == [mac(3), mac(1), mac(2)]
    again = Leases(PLAN, {"other": at(3)}, first.kept)
    assert again.hold(mac(2), "m2").address == at(4)
    assert again.hold(mac(3), "m3").address == at(2)
    assert again.hold(mac(1), "m1").address == at(5)  # its own was promised to another since


def test_damaged_memories_are_forgotten() -> None:
    addresses = (at(0), at(1), at(15), bytes((10, 8, 0, 2)), b"", at(6), at(6))
    wrong = [Lease(mac(number), address) for number, address in enumerate(addresses)]
    assert [one.mac for one in Leases(PLAN, known=wrong).kept] == [mac(5)]


def test_a_full_network_forgets_who_was_there_longest_ago() -> None:
    leases = Leases(PLAN)
    room = 13
    for number in range(room):
        assert leases.hold(mac(number), "") is not None
    assert leases.hold(mac(99), "") is None
    leases.let_go(mac(5))
    leases.let_go(mac(4))
    assert leases.hold(mac(99), "").address == at(6)
    assert leases.hold(mac(98), "").address == at(7)
    assert leases.hold(mac(97), "") is None


def test_strangers_are_bounded_and_take_nothing_away() -> None:
    leases = Leases(Plan(ipv4="10.7.0.0/16", hosts=Hosts(1, 1, 2)))
    leases.hold(mac(1), "web")
    leases.let_go(mac(1))
    given = [leases.give(mac(number)) for number in range(100, 300)]
    assert len([one for one in given if one is not None]) == STRANGERS_MAX
    assert leases.find(mac(1)) is not None
    leases.release(mac(100))
    assert leases.give(mac(299)) is not None
    small = Leases(PLAN)
    assert len([n for n in range(50) if small.give(mac(n))]) == 13
    assert small.hold(mac(77), "web") is not None  # a card that is plugged in comes first


def test_a_held_lease_cannot_be_released() -> None:
    leases = Leases(PLAN)
    leases.hold(mac(1), "web")
    leases.release(mac(1))
    assert address_of(leases, "web") == at(2)
    assert leases.holder(at(2)) == mac(1)
    leases.let_go(mac(1))
    assert address_of(leases, "web") is None
    assert leases.name_of(at(2)) is None


def test_a_guest_says_what_it_is_called() -> None:
    leases = Leases(PLAN)
    leases.hold(mac(1), "web")
    leases.hold(mac(2), "")
    leases.call(mac(2), "web")
    assert address_of(leases, "web") == at(2)
    leases.call(mac(2), "db")
    leases.call(mac(2), "other")
    leases.call(mac(1), "other")
    assert (address_of(leases, "db"), address_of(leases, "other")) == (at(3), None)
    assert leases.name_of(at(3)) == "db"


@pytest.mark.parametrize("text", ["", "-a", "a-", "A", "a.b", "a" * 64, "ü", "a_b", "a\n"])
def test_labels(text: str) -> None:
    assert not is_label(text)
    assert is_label("a" * 63)
    assert is_label("a-1")


def test_over_dhcp() -> None:
    net = Net(PLAN)
    net.nat.join(GUEST_MAC, "web")
    offer = talk(net, message(dhcp.DISCOVER))
    assert (offer["yours"], offer[12], offer[15]) == (at(2), b"web", b"internal")
    assert (offer[3], offer[6]) == (at(1), at(1))
    wanted = {50: at(3), 12: b"Mail"}
    other = mac(4)
    assert talk(net, message(dhcp.DISCOVER, mac=other))["yours"] == at(3)
    ack = talk(net, message(dhcp.REQUEST, mac=other, options=wanted))
    assert (ack[53], ack[12]) == (b"\x05", b"mail")
    assert address_of(net.nat._leases, "mail") == at(3)


def test_an_isolated_network_has_no_way_out() -> None:
    net = Net(Plan(ipv4="10.7.0.0/28", hosts=Hosts(1, 1, 2), domain="internal", isolated=True))
    offer = talk(net, message(dhcp.DISCOVER))
    assert 3 not in offer
    bare = Net(Plan(ipv4="10.7.0.0/28", hosts=Hosts(1, 1, 2), domain="internal", dns=False))
    assert 6 not in talk(bare, message(dhcp.DISCOVER))

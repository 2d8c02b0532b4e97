"""Servers on a link whose gateway is another station: what they answer, and what they leave."""

import struct

from tests.network.frames import (
    DNS4,
    GATEWAY4,
    GATEWAY6,
    GUEST4,
    OUR_MAC,
    icmp6,
    ip,
    see,
    tcp,
    udp,
)
from tests.network.outside import Net
from tests.network.test_dhcp import message, talk
from tests.network.test_neighbours import ALL_ROUTERS, LINK_LOCAL, arp, solicit

from hospes.network import arp as arp_packets
from hospes.network import dhcp
from hospes.network.plan import ROUTER_LINK_LOCAL, Plan

ROUTER_MAC = bytes.fromhex("0a0000000001")
PLAN = Plan(router_mac=ROUTER_MAC)
WORLD4 = bytes((9, 9, 9, 9))


def test_the_gateways_addresses_are_not_answered() -> None:
    net = Net(PLAN)
    net.send(arp(GUEST4, GATEWAY4), solicit(GATEWAY6), solicit(ROUTER_LINK_LOCAL))
    assert net.take() == []
    net.send(arp(GUEST4, DNS4), solicit(PLAN.dns6))
    answered, advertised = net.take()
    assert see(answered).payload[8:18] == OUR_MAC + DNS4
    seen = see(advertised)
    assert (seen.valid, seen.source) == (True, PLAN.dns6)
    assert not seen.payload[4] & 0x80  # not a router


def test_the_gateway_is_told_of_and_not_we() -> None:
    net = Net(PLAN)
    offer = talk(net, message(dhcp.DISCOVER))
    assert offer is not None
    assert (offer[3], offer[6], offer[54]) == (GATEWAY4, DNS4, DNS4)
    wanted = {50: GUEST4, 54: DNS4}
    ack = talk(net, message(dhcp.REQUEST, options=wanted), GUEST4, DNS4)
    assert ack is not None
    assert ack[53] == b"\x05"
    net.send(ip(LINK_LOCAL, ALL_ROUTERS, 58, icmp6(LINK_LOCAL, ALL_ROUTERS, 133, 0, bytes(4))))
    (advertisement,) = net.take()
    seen = see(advertisement)
    assert (seen.valid, seen.source) == (True, ROUTER_LINK_LOCAL)
    assert advertisement[18:24] == OUR_MAC
    assert b"\x01\x01" + ROUTER_MAC in advertisement
    assert b"\x01\x01" + OUR_MAC not in advertisement


def test_nothing_is_routed() -> None:
    net = Net(PLAN)
    net.send(udp((GUEST4, 4000), (WORLD4, 9), b"x"), tcp((GUEST4, 4000), (WORLD4, 80), 1, 0, 2))
    assert net.host.asked == []
    net.send(udp((GUEST4, 4000), (DNS4, 9), b"x"), tcp((GUEST4, 4000), (DNS4, 80), 1, 0, 2))
    assert net.host.asked == []
    assert all(see(one).source in (DNS4, WORLD4) for one in net.take())


def test_nobody_is_asked_in_the_gateways_name() -> None:
    net = Net(PLAN)
    stranger = bytes((10, 0, 2, 40))
    assert net.nat.link.mac(stranger) == b"\xff" * 6
    assert arp_packets.parse(net.take()[0]).sender == DNS4
    assert net.nat.link.mac(LINK_LOCAL) == b"\xff" * 6
    assert see(net.take()[0]).source == PLAN.dns6


def test_the_gateway_is_known_and_nobody_else_by_its_address() -> None:
    net = Net(PLAN)
    question = struct.pack(">HHHHHH", 7, 0x100, 1, 0, 0, 0) + b"\4host\x08internal\0\0\1\0\1"
    asked = udp((GATEWAY4, 4000), (DNS4, 53), question)
    net.send(asked)
    assert net.take() == []  # from the guest's card
    net.send(asked[:18] + ROUTER_MAC + asked[24:])
    (answer,) = net.take()
    assert see(answer).destination_mac == ROUTER_MAC
    assert see(answer).udp_data[-4:] == GATEWAY4


def test_clients_of_published_ports_are_seen_as_us() -> None:
    net = Net(PLAN)
    for client in (WORLD4, bytes((127, 0, 0, 1)), bytes((10, 0, 2, 40))):
        assert net.nat.reach.seen_as(client, is_ipv4=True) == DNS4
    assert net.nat.reach.seen_as(WORLD4, is_ipv4=False) == PLAN.dns6
    assert not net.nat.reach.is_guests(GATEWAY4)
    assert not PLAN.is_free(GATEWAY4)

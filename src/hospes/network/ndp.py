"""IPv6 neighbour discovery (RFC 4861): neighbours, and the router with its prefix and RDNSS."""

import struct
from typing import Final, NamedTuple

from hospes.base.errors import GuestError
from hospes.network import ethernet, icmp, ipv6
from hospes.network.limits import SECOND_NS
from hospes.network.packet import ICMPV6, IpPacket
from hospes.network.plan import ROUTER_LINK_LOCAL, Plan

ROUTER_SOLICITATION, ROUTER_ADVERTISEMENT = 133, 134
NEIGHBOUR_SOLICITATION, NEIGHBOUR_ADVERTISEMENT = 135, 136
HOP_LIMIT: Final = 255
"""What it must arrive with, so that it cannot have come from another link."""
ALL_NODES: Final = bytes.fromhex("ff020000000000000000000000000001")
_SOLICITED_NODE: Final = bytes.fromhex("ff0200000000000000000001ff")
_SOURCE_MAC, _TARGET_MAC, _PREFIX, _MTU, RDNSS = 1, 2, 3, 5, 25
_ROUTER, _SOLICITED, _OVERRIDE = 0x80, 0x40, 0x20
ROUTER_LIFETIME_SECONDS: Final = 9000
ADVERTISE_NS: Final = 600 * SECOND_NS
"""MaxRtrAdvInterval (RFC 4861, section 6.2.1)."""
FOREVER: Final = 0xFFFF_FFFF


class Neighbour(NamedTuple):
    """A solicitation or an advertisement: the address it is about, and the MAC address told."""

    target: bytes
    mac: bytes


def parse_neighbour(message: bytes) -> Neighbour:
    """GuestError when it is cut off."""
    if len(message) < 24:
        raise GuestError(f"a neighbour message of {len(message)} bytes")
    return Neighbour(message[8:24], _mac_option(message, 24))


def parse_router_solicitation(message: bytes) -> bytes:
    """The MAC address told; empty when there is none."""
    return _mac_option(message, 8)


def _mac_option(message: bytes, at: int) -> bytes:
    while at + 2 <= len(message):
        size = message[at + 1] * 8
        if not size:
            raise GuestError("a neighbour option has no length")
        if message[at] in (_SOURCE_MAC, _TARGET_MAC) and size == 8 <= len(message) - at:
            return message[at + 2 : at + 8]
        at += size
    return b""


def check(packet: IpPacket) -> None:
    """GuestError when a message of neighbour discovery cannot have come from the link."""
    if packet.hop_limit != HOP_LIMIT:
        raise GuestError(f"neighbour discovery with hop limit {packet.hop_limit}")


def multicast_mac(address: bytes) -> bytes:
    """The MAC address of a multicast group (RFC 2464, section 7)."""
    return b"\x33\x33" + address[-4:]


def _frame(mac: bytes, plan: Plan, source: bytes, destination: bytes, message: bytes) -> bytes:
    sealed = icmp.seal(message, source, destination)
    header = ipv6.header(source, destination, ICMPV6, len(sealed), HOP_LIMIT)
    return ethernet.frame(mac, plan.mac, ethernet.IPV6, header, sealed)


def advertisement(plan: Plan, target: bytes, asker: bytes, mac: bytes) -> bytes:
    """The frame that answers a solicitation for an address of ours."""
    flags = (_ROUTER if plan.routes else 0) | _SOLICITED | _OVERRIDE
    message = (
        struct.pack(">BBHI", NEIGHBOUR_ADVERTISEMENT, 0, 0, flags << 24)
        + target
        + bytes((_TARGET_MAC, 1))
        + plan.mac
    )
    return _frame(mac, plan, target, asker, message)


def solicitation(plan: Plan, target: bytes) -> bytes:
    """A frame that asks for the MAC address of a neighbour."""
    group = _SOLICITED_NODE + target[-3:]
    message = (
        struct.pack(">BBHI", NEIGHBOUR_SOLICITATION, 0, 0, 0)
        + target
        + bytes((_SOURCE_MAC, 1))
        + plan.mac
    )
    source = ROUTER_LINK_LOCAL if plan.routes else plan.server6
    return _frame(multicast_mac(group), plan, source, group, message)


def router_advertisement(plan: Plan) -> bytes:
    """The frame that tells all nodes the router, the prefix, the MTU and the name server."""
    network = plan.network6
    prefix = b"" if network is None else network.network_address.packed
    lifetime = 0 if plan.isolated else ROUTER_LIFETIME_SECONDS
    head = struct.pack(">BBHBBHII", ROUTER_ADVERTISEMENT, 0, 0, 64, 0, lifetime, 0, 0)
    on_link_and_autonomous = 0xC0
    server = struct.pack(">BBHI", RDNSS, 3, 0, FOREVER) + plan.dns6 if plan.dns6 else b""
    options = (
        bytes((_SOURCE_MAC, 1)) + (plan.router_mac or plan.mac),
        struct.pack(">BBHI", _MTU, 1, 0, plan.mtu),
        struct.pack(">BBBBIII", _PREFIX, 4, 64, on_link_and_autonomous, FOREVER, FOREVER, 0)
        + prefix,
        server,
    )
    return _frame(
        multicast_mac(ALL_NODES), plan, ROUTER_LINK_LOCAL, ALL_NODES, head + b"".join(options)
    )

"""What passes in spite of all rules: what a guest needs to have an address and know neighbours."""

from typing import Final

from hospes.network import ndp
from hospes.network.firewall.packets import Transport, message_type
from hospes.network.limits import SECOND_NS
from hospes.network.packet import UDP, IpPacket
from hospes.spec.firewall import Direction

ANSWER_NS: Final = 60 * SECOND_NS
"""For how long after the guest's last question DHCP may answer."""
BROADCAST: Final = b"\xff" * 4
ALL_DHCP6_SERVERS: Final = bytes.fromhex("ff020000000000000000000000010002")
LINK_HOPS: Final = 255
"""A packet that still has all of them has passed no router (RFC 4861, section 3.1)."""
NEIGHBOURS: Final = frozenset({ndp.NEIGHBOUR_SOLICITATION, ndp.NEIGHBOUR_ADVERTISEMENT})
GROUP_QUERY: Final = 130
GROUP_REPORTS: Final = frozenset({131, 132, 143})
"""Of multicast listeners (RFC 3810), without which a switch withholds neighbours' questions."""
_DHCP, _DHCP6 = (68, 67), (546, 547)
"""Ports of a client and of a server."""


class Configuration:
    """Tells a guest's own configuration from what the rules are for.

    ARP is not asked about. DHCP is the guest's only when it asks everybody, so that nobody else is
    reached under that name, and for a while its answers; IPv6's neighbours, routers and groups are
    so on the link only.
    """

    def __init__(self) -> None:
        self._until_ns = 0

    def is_part(
        self, direction: Direction, packet: IpPacket, transport: Transport, now_ns: int
    ) -> bool:
        """Whether a packet is, which may make its answer so, too."""
        if direction is Direction.OUT:
            return self._asks(packet, transport, now_ns)
        return self._answers(packet, transport, now_ns)

    def _asks(self, packet: IpPacket, transport: Transport, now_ns: int) -> bool:
        if packet.protocol != UDP:
            kind = message_type(packet)
            neighbour = kind == ndp.ROUTER_SOLICITATION or kind in NEIGHBOURS
            return _is_on_link(packet, neighbour, kind in GROUP_REPORTS)
        ports, everyone = (
            (_DHCP, BROADCAST) if packet.is_ipv4 else (_DHCP6, ALL_DHCP6_SERVERS)
        )
        asks = (transport.source_port, transport.port) == ports and packet.destination == everyone
        if asks:
            self._until_ns = now_ns + ANSWER_NS
        return asks

    def _answers(self, packet: IpPacket, transport: Transport, now_ns: int) -> bool:
        if packet.protocol != UDP:
            kind = message_type(packet)
            neighbour = kind == ndp.ROUTER_ADVERTISEMENT or kind in NEIGHBOURS
            return _is_on_link(packet, neighbour, kind == GROUP_QUERY)
        ports = _DHCP if packet.is_ipv4 else _DHCP6
        answers = (transport.port, transport.source_port) == ports
        return answers and now_ns < self._until_ns


def _is_on_link(packet: IpPacket, neighbour: bool, group: bool) -> bool:
    if packet.is_ipv4:
        return False
    return (neighbour and packet.hop_limit == LINK_HOPS) or (
        group and packet.hop_limit == 1 and packet.source[0] in (0, 0xFE)
    )

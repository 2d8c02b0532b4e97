"""The guest's link as we see it: whose MAC address is whose, and packets sent to the guest."""

from collections.abc import Callable
from typing import Final

from hospes.network import arp, ethernet, icmp, ipv4, ipv6, ndp, udp
from hospes.network.limits import Limits
from hospes.network.packet import ICMP, ICMPV6, UDP, IpPacket
from hospes.network.plan import Plan
from hospes.network.shares import SharedTable
from hospes.network.udp import Datagram

IDENTIFICATION_MASK: Final = 0xFFFF


class Link:
    """Sends through `emit`; learns neighbours from what they send, and forgets the oldest."""

    def __init__(
        self,
        plan: Plan,
        limits: Limits,
        emit: Callable[[bytes], None],
        holder: Callable[[bytes], bytes | None] = lambda address: None,
        station_of: Callable[[bytes], int] = lambda mac: 0,
    ) -> None:
        """`holder` tells whose an address is that no other card may show, and `station_of` at
        which port of a switch a card is.
        """
        self._plan, self.emit = plan, emit
        self._holder, self._station_of = holder, station_of
        self._neighbours = SharedTable[bytes, bytes](limits.neighbours)
        self._identification = 0

    def learn(self, address: bytes, mac: bytes) -> bool:
        """A neighbour has shown its address; False when it is none that a guest may have here."""
        if self._neighbours.get(address) == mac:
            return True
        plan = self._plan
        if address in plan.elsewhere:
            return mac == plan.router_mac
        if not ethernet.is_unicast(mac) or not plan.is_inside(address) or address in plan.ours:
            return False
        if self._holder(address) not in (None, mac):
            return False
        self._neighbours.put(address, mac, self._station_of(mac))
        return True

    def addresses6(self, mac: bytes) -> list[bytes]:
        """The IPv6 addresses, but for link-local ones, that a card has shown."""
        return [
            address
            for address, known in self._neighbours.items()
            if known == mac and self._plan.is_global6(address)
        ]

    def neighbour(self, address: bytes) -> bytes | None:
        """The MAC address of whoever has shown this address, if that is known."""
        return self._neighbours.get(address)

    def station(self, address: bytes) -> int:
        """The port of the switch at which the guest with this address is."""
        mac = self._neighbours.get(address) or self._holder(address)
        return 0 if mac is None else self._station_of(mac)

    def forget(self, mac: bytes) -> set[bytes]:
        """A neighbour is gone: the addresses that it had."""
        gone = {address for address, known in self._neighbours.items() if known == mac}
        for address in gone:
            self._neighbours.pop(address)
        return gone

    def mac(self, address: bytes) -> bytes:
        """The MAC address to send to; everybody's, and a question on its way, while not known."""
        known = self._neighbours.get(address)
        if known is not None:
            return known
        if address in self._plan.elsewhere:
            return self._plan.router_mac
        if len(address) == 4:
            self.emit(arp.request(self._plan.mac, self._plan.server4, address))
        else:
            self.emit(ndp.solicitation(self._plan, address))
        return ethernet.BROADCAST

    def send(
        self,
        source: bytes,
        destination: bytes,
        protocol: int,
        data: bytes,
        mac: bytes | None = None,
    ) -> None:
        """What a packet carries, in fragments if it has to be."""
        mac = self.mac(destination) if mac is None else mac
        self._identification = (self._identification + 1) & IDENTIFICATION_MASK
        is_ipv4 = len(source) == 4
        build = ipv4.packets if is_ipv4 else ipv6.packets
        kind = ethernet.IPV4 if is_ipv4 else ethernet.IPV6
        for packet in build(
            source, destination, protocol, data, self._plan.mtu, self._identification
        ):
            self.emit(ethernet.frame(mac, self._plan.mac, kind, packet))

    def send_udp(
        self, source: bytes, destination: bytes, datagram: Datagram, mac: bytes | None = None
    ) -> None:
        """A datagram."""
        self.send(source, destination, UDP, udp.build(source, destination, datagram), mac)

    def unreachable(self, why: icmp.Unreachable, packet: IpPacket) -> None:
        """Tell the sender of a packet that it went nowhere."""
        own = self._plan.server4 if packet.is_ipv4 else self._plan.server6
        error = icmp.unreachable(why, packet, own)
        self.send(own, packet.source, ICMP if packet.is_ipv4 else ICMPV6, error)

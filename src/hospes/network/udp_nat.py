"""UDP of the guests: DHCP and names are answered here, the rest goes through flows to the host."""

from collections.abc import Container

from hospes.network import dns, ipv4, ipv6, udp
from hospes.network.dhcp import BROADCAST, CLIENT_PORT, SERVER_PORT, DhcpServer
from hospes.network.dns import Names
from hospes.network.icmp import Unreachable
from hospes.network.leases import Leases
from hospes.network.limits import SECOND_NS, Limits
from hospes.network.link import Link
from hospes.network.outside import Outside
from hospes.network.packet import UDP, IpPacket
from hospes.network.plan import Plan
from hospes.network.published import Publication, Return, Returns
from hospes.network.reach import Reach, Refusal, Service
from hospes.network.resolvers import Resolvers
from hospes.network.statistics import Statistics
from hospes.network.udp import Datagram
from hospes.network.udp_flow import Peer, UdpFlow, UdpFlows

SWEEP_NS = 5 * SECOND_NS


class UdpNat:
    """Datagrams of the guest in, datagrams for the guest out through the link."""

    def __init__(
        self,
        plan: Plan,
        limits: Limits,
        link: Link,
        outside: Outside,
        reach: Reach,
        resolvers: Resolvers,
        statistics: Statistics,
        leases: Leases,
    ) -> None:
        self._plan, self._limits, self._link = plan, limits, link
        self._outside, self._resolvers, self._statistics = outside, resolvers, statistics
        self._reach, self._names = reach, Names(plan, leases, link)
        self._dhcp = DhcpServer(plan, leases)
        self._flows, self._returns = UdpFlows(limits), Returns()
        self._swept_ns = 0

    @property
    def next_ns(self) -> int | None:
        """When `tick` has something to do."""
        return self._swept_ns + SWEEP_NS if len(self._flows) else None

    def packet(self, packet: IpPacket, now_ns: int, *, vouched: bool) -> bool:
        """A packet of the guest; False when it concerns nobody. GuestError when malformed."""
        datagram = udp.parse(packet, vouched=vouched)
        to_server = packet.is_ipv4 and datagram.destination_port == SERVER_PORT
        if to_server and packet.destination in (self._plan.server4, BROADCAST):
            self._answer_dhcp(datagram)
            return True
        if not any(packet.source):
            return False
        guest = (packet.source, datagram.source_port)
        seen = (packet.destination, datagram.destination_port)
        back = self._returns.find(guest, seen)
        if back is not None:
            self._returns.note(guest, seen, back._replace(used_ns=now_ns))
            self._outside.answer(back.publication, back.client, datagram.data)
            return True
        target = self._reach.target(*seen)
        if target is Service.DNS:
            self._ask(packet, datagram, now_ns)
        elif isinstance(target, bytes):
            self._forward(packet, datagram, target, now_ns)
        elif target is Refusal.PROHIBITED and self._is_group(packet.destination):
            return False
        else:
            self._refuse(packet, target is Refusal.PROHIBITED)
        return True

    def _is_group(self, address: bytes) -> bool:
        """Multicast and broadcast get no errors (RFC 1122, section 3.2.2)."""
        return address[0] >= 0xE0 if len(address) == 4 else address[0] == 0xFF

    def _refuse(self, packet: IpPacket, prohibited: bool) -> None:
        self._statistics.refused += 1
        why = Unreachable.PROHIBITED if prohibited else Unreachable.HOST
        self._link.unreachable(why, packet)

    def _answer_dhcp(self, datagram: Datagram) -> None:
        reply = self._dhcp.answer(datagram.data)
        if reply is not None:
            answer = Datagram(SERVER_PORT, CLIENT_PORT, reply.data)
            self._link.send_udp(self._plan.server4, reply.address, answer, reply.mac)

    def _ask(self, packet: IpPacket, datagram: Datagram, now_ns: int) -> None:
        """A question to the name server."""
        answer = self._names.answer(datagram.data)
        if answer is None:
            resolver = self._resolvers.current()
            if resolver is not None:
                self._resolvers.asked()
                self._forward(packet, datagram, resolver, now_ns)
                return
            answer = dns.failure(datagram.data)
        back = Datagram(datagram.destination_port, datagram.source_port, answer)
        self._link.send_udp(packet.destination, packet.source, back)

    def _forward(
        self, packet: IpPacket, datagram: Datagram, target: bytes, now_ns: int
    ) -> None:
        is_ipv4 = len(target) == 4
        station = self._link.station(packet.source)
        guest = (packet.source, datagram.source_port)
        flow, old = self._flows.find(*guest, is_ipv4, now_ns, station)
        if old is not None:
            self._outside.end(old)
        port = datagram.destination_port
        flow.allow((target, port), (packet.destination, port), self._limits.peers)
        self._outside.send(flow, target, port, datagram.data)

    def answered(self, flow: UdpFlow, peer: Peer, data: bytes, now_ns: int) -> None:
        """The host has a datagram for a flow; from whom the guest did not write to, it is lost."""
        inside = flow.peers.get(peer)
        if inside is None:
            self._statistics.ignored += 1
            return
        flow.used_ns = now_ns
        if inside[0] in (self._plan.dns4, self._plan.dns6):
            self._resolvers.answered()
        self._link.send_udp(inside[0], flow.address, Datagram(inside[1], flow.port, data))

    def unreachable(self, flow: UdpFlow, peer: Peer, why: Unreachable) -> None:
        """A datagram of a flow could not be delivered to a peer."""
        inside = flow.peers.get(peer)
        if inside is None:
            return
        build = ipv4.header if len(flow.address) == 4 else ipv6.header
        header = build(flow.address, inside[0], UDP, udp.HEADER_BYTES)
        quote = header + udp.build(flow.address, inside[0], Datagram(flow.port, inside[1], b""))
        packet = IpPacket(
            flow.address, inside[0], UDP, quote, 0, len(header), len(quote)
        )
        self._link.unreachable(why, packet)

    def offered(
        self, publication: Publication, client: Peer, guest: Peer, data: bytes, now_ns: int
    ) -> None:
        """A client has sent a datagram to a published port."""
        seen = (self._reach.seen_as(client[0], is_ipv4=len(guest[0]) == 4), client[1])
        self._returns.note(guest, seen, Return(publication, client, now_ns))
        self._link.send_udp(seen[0], guest[0], Datagram(seen[1], guest[1], data))

    def withdraw(self, publication: Publication) -> None:
        """The port is no longer published."""
        self._returns.forget(publication)

    def tick(self, now_ns: int) -> None:
        """End what has been idle for long."""
        if now_ns - self._swept_ns < SWEEP_NS:
            return
        self._swept_ns = now_ns
        for flow in self._flows.expired(now_ns):
            self._outside.end(flow)

    def leave(self, addresses: Container[bytes]) -> None:
        """The guest that had these addresses is gone: end its flows."""
        for flow in self._flows.clear(addresses):
            self._outside.end(flow)

    def reset(self) -> None:
        """End all flows."""
        for flow in self._flows.clear():
            self._outside.end(flow)

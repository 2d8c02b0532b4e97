"""ICMP of one guest: echoes for us or the world, neighbours and the router in IPv6."""

from hospes.network import icmp, ndp
from hospes.network.echo import Echoes
from hospes.network.icmp import ECHO4, ECHO6, ECHO_REPLY4, ECHO_REPLY6, Echo, Unreachable
from hospes.network.limits import Limits
from hospes.network.link import Link
from hospes.network.outside import Outside
from hospes.network.packet import ICMP, ICMPV6, IpPacket
from hospes.network.plan import Plan
from hospes.network.reach import Reach, Refusal
from hospes.network.statistics import Statistics


class IcmpNat:
    """Messages of the guest in, messages for the guest out through the link."""

    def __init__(
        self,
        plan: Plan,
        limits: Limits,
        link: Link,
        outside: Outside,
        reach: Reach,
        statistics: Statistics,
    ) -> None:
        self._plan, self._link, self._outside = plan, link, outside
        self._reach, self._echoes = reach, Echoes(limits)
        self._advertised_ns: int | None = None
        self._statistics = statistics

    def packet(self, packet: IpPacket, mac: bytes, now_ns: int, *, vouched: bool) -> bool:
        """A packet of the guest; False when it concerns nobody. GuestError when malformed."""
        kind, message = icmp.parse(packet, vouched=vouched)
        if kind == (ECHO4 if packet.is_ipv4 else ECHO6):
            return any(packet.source) and self._echo(packet, icmp.parse_echo(message), now_ns)
        if not packet.is_ipv4:
            return self._discovery(packet, kind, message, mac, now_ns)
        return False

    def tick(self, now_ns: int) -> None:
        """The router advertises itself now and then, or guests would forget it in the end.

        They ask once, when their link comes up (RFC 4861, section 6.3.7).
        """
        known_ns = self._advertised_ns
        if known_ns is not None and now_ns - known_ns >= ndp.ADVERTISE_NS:
            self._advertise(now_ns)

    def _advertise(self, now_ns: int) -> None:
        self._advertised_ns = now_ns
        self._link.emit(ndp.router_advertisement(self._plan))

    def _echo(self, packet: IpPacket, echo: Echo, now_ns: int) -> bool:
        if packet.destination in self._plan.ours:
            self._reply(packet.destination, packet.source, echo)
            return True
        target = self._reach.target(packet.destination, 0)
        if isinstance(target, bytes):
            station = self._link.station(packet.source)
            number = self._echoes.add(packet, echo, target, now_ns, station)
            self._outside.echo(target, number, echo.data)
            return True
        self._statistics.refused += 1
        prohibited = target is Refusal.PROHIBITED
        self._link.unreachable(Unreachable.PROHIBITED if prohibited else Unreachable.HOST, packet)
        return True

    def _reply(self, source: bytes, destination: bytes, echo: Echo) -> None:
        is_ipv4 = len(source) == 4
        kind = ECHO_REPLY4 if is_ipv4 else ECHO_REPLY6
        message = icmp.build_echo(kind, echo, source, destination)
        self._link.send(source, destination, ICMP if is_ipv4 else ICMPV6, message)

    def echoed(self, target: bytes, number: int, data: bytes) -> None:
        """A reply has come to the host."""
        asked = self._echoes.take(number, target)
        if asked is not None:
            self._reply(asked.destination, asked.source, asked.echo._replace(data=data))

    def _discovery(
        self, packet: IpPacket, kind: int, message: bytes, mac: bytes, now_ns: int
    ) -> bool:
        """Neighbours and the router (RFC 4861)."""
        if kind == ndp.ROUTER_SOLICITATION:
            ndp.check(packet)
            self._advertise(now_ns)
            return True
        if self._advertised_ns is None:
            self._advertised_ns = now_ns  # A guest uses IPv6, and may have asked another process.
        if kind == ndp.NEIGHBOUR_SOLICITATION:
            ndp.check(packet)
            asked = ndp.parse_neighbour(message)
            if asked.target not in self._plan.ours or not any(packet.source):
                return False
            told = asked.mac or mac
            self._link.emit(ndp.advertisement(self._plan, asked.target, packet.source, told))
            return True
        if kind == ndp.NEIGHBOUR_ADVERTISEMENT:
            ndp.check(packet)
            told_of = ndp.parse_neighbour(message)
            return self._link.learn(told_of.target, told_of.mac or mac)
        return False

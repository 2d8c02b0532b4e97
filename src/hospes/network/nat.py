"""User-mode NAT: every frame of the guests to its protocol, and the host's answers back; no I/O."""

from collections.abc import Callable

from hospes.base.errors import GuestError
from hospes.network import arp, ethernet, ipv4, ipv6
from hospes.network.ethernet import NETWORK_AT
from hospes.network.fragments import Reassembly, joined
from hospes.network.icmp_nat import IcmpNat
from hospes.network.leases import Leases
from hospes.network.limits import Limits
from hospes.network.link import Link
from hospes.network.outside import Outside
from hospes.network.packet import ICMP, ICMPV6, TCP, UDP, IpPacket
from hospes.network.plan import Plan
from hospes.network.reach import Reach
from hospes.network.resolvers import Resolvers
from hospes.network.statistics import Statistics
from hospes.network.tcp_table import TcpTable
from hospes.network.udp_nat import UdpNat
from hospes.network.vnet import DATA_VALID, GSO_NONE, NEEDS_CSUM

UNKNOWN_ADDRESSES = (bytes(4), bytes(16))
"""What a station that has no address yet says it has."""


class Nat:
    """The router of a network with one guest or several, with its servers.

    `emit` takes frames for the guest. `tcp`, `udp` and `icmp` take the host's answers. A card is at
    the port `station_of` its MAC address: what is limited for all, no port can have for itself.
    """

    def __init__(
        self,
        plan: Plan,
        limits: Limits,
        emit: Callable[[bytes], None],
        outside: Outside,
        resolvers: Resolvers,
        entropy: Callable[[int], bytes],
        statistics: Statistics,
        leases: Leases | None = None,
        station_of: Callable[[bytes], int] = lambda mac: 0,
    ) -> None:
        self._plan, self.statistics = plan, statistics
        self._leases = leases or Leases(plan)
        self.link = Link(plan, limits, emit, self._leases.holder, station_of)
        self._station_of = station_of
        self.reach = reach = Reach(plan, outside.is_own)
        self.tcp = TcpTable(
            plan, limits, self.link, outside, reach, resolvers, statistics, entropy
        )
        self.udp = UdpNat(
            plan, limits, self.link, outside, reach, resolvers, statistics, self._leases
        )
        self.icmp = IcmpNat(plan, limits, self.link, outside, reach, statistics)
        self._fragments = Reassembly()

    def frame(self, frame: bytes, now_ns: int) -> None:
        """A frame of the guest; what is malformed is dropped and counted. `settle` follows."""
        statistics = self.statistics
        statistics.frames_from_guest += 1
        statistics.bytes_from_guest += len(frame)
        try:
            if not self._frame(frame, now_ns):
                statistics.ignored += 1
        except GuestError:
            statistics.malformed += 1

    def settle(self, now_ns: int) -> None:
        """All frames of a batch are in."""
        self.tcp.settle(now_ns)

    def tick(self, now_ns: int, *, guest_waits: bool) -> None:
        """Time has passed."""
        self.tcp.tick(now_ns, guest_waits=guest_waits)
        self.udp.tick(now_ns)
        self.icmp.tick(now_ns)

    def join(self, mac: bytes, name: str) -> bytes | None:
        """A card is plugged in, of a machine called so: its address, None when none is left."""
        lease = self._leases.hold(mac, name)
        return None if lease is None else lease.address

    def leave(self, mac: bytes) -> None:
        """A card is gone: its connections and flows end."""
        self._leases.let_go(mac)
        lease = self._leases.find(mac)
        addresses = self.link.forget(mac) | ({lease.address} if lease is not None else set())
        self.tcp.reset_all(addresses)
        self.udp.leave(addresses)

    def reset(self) -> None:
        """The guest starts anew: its connections and flows end."""
        self.tcp.reset_all()
        self.udp.reset()
        self._fragments.clear()

    def _frame(self, frame: bytes, now_ns: int) -> bool:
        """False when the frame is of no concern here."""
        if len(frame) < NETWORK_AT:
            raise GuestError(f"a frame of {len(frame)} bytes")
        if frame[ethernet.DESTINATION] != self._plan.mac and not frame[12] & 1:
            return False
        vouched = bool(frame[0] & (NEEDS_CSUM | DATA_VALID))
        kind = frame[ethernet.TYPE]
        if kind == ethernet.IPV4 and self._plan.gateway4:
            return self._packet(ipv4.parse(frame, NETWORK_AT), frame, now_ns, vouched=vouched)
        if kind == ethernet.IPV6 and self._plan.gateway6:
            return self._packet(ipv6.parse(frame, NETWORK_AT), frame, now_ns, vouched=vouched)
        if kind == ethernet.ARP and self._plan.gateway4 and frame[1] == GSO_NONE:
            return self._arp(arp.parse(frame))
        return False

    def _packet(self, packet: IpPacket, frame: bytes, now_ns: int, *, vouched: bool) -> bool:
        mac = frame[ethernet.SOURCE]
        known = self.link.learn(packet.source, mac)
        if not known and packet.source not in UNKNOWN_ADDRESSES:
            return False
        if packet.fragment is not None:
            pieces = self._fragments.add(packet, now_ns, self._station_of(mac))
            if pieces is None:
                return True
            packet, vouched = joined(pieces), False
        protocol = packet.protocol
        if protocol == TCP and known:
            self.tcp.packet(packet, now_ns, vouched=vouched)
            return True
        if protocol == UDP:
            return self.udp.packet(packet, now_ns, vouched=vouched)
        if protocol == (ICMP if packet.is_ipv4 else ICMPV6):
            return self.icmp.packet(packet, mac, now_ns, vouched=vouched)
        return False

    def _arp(self, asked: arp.Arp) -> bool:
        self.link.learn(asked.sender, asked.sender_mac)
        if asked.operation != arp.REQUEST or asked.target not in self._plan.ours:
            return False
        if ethernet.is_unicast(asked.sender_mac):
            self.link.emit(arp.reply(asked, self._plan.mac))
        return True

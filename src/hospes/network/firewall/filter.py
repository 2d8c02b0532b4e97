"""The firewall of one machine: every frame that crosses its cable, either way; no I/O."""

from collections import deque
from collections.abc import Sequence
from typing import Final

from hospes.base.errors import GuestError
from hospes.network import ethernet
from hospes.network.firewall import packets
from hospes.network.firewall.always import Configuration
from hospes.network.firewall.flows import FLOWS_MAX, Flow, FlowTable, Phase
from hospes.network.firewall.judge import Judge, Published
from hospes.network.firewall.packets import Link, Transport
from hospes.network.firewall.rate import Bucket, Outcome
from hospes.network.firewall.refusal import refusal
from hospes.network.firewall.rules import Opening, Tally
from hospes.network.firewall.servers import Servers
from hospes.network.firewall.states import RST, STEPS, begins_anew, follow
from hospes.network.fragments import Reassembly, joined
from hospes.network.ndp import ROUTER_ADVERTISEMENT
from hospes.network.packet import TCP, UDP, IpPacket
from hospes.network.vnet import VNET_BYTES
from hospes.spec.firewall import Direction, FirewallSpec, FirewallStatus, Verdict

REFUSALS_MAX: Final = 256
"""Answers that wait for the guest; who asks for more is not told."""
REFUSALS_PER_SECOND, REFUSALS_AT_ONCE = 1000, 100
EITHER_WAY: Final = "in/out"
NO_PROTOCOL: Final = -1
NOTHING: Final = Transport(0, 0, b"", b"", answerable=False)


class Firewall:
    """Decides what passes of the frames that a guest sends and of those for it.

    A connection is decided about when it is opened; its packets, and ICMP errors about them, pass
    either way from then on. The guest is told what may not go out, through `for_guest`. With
    `tells`, who opens a connection of TCP to the guest is told as well, through `for_network`;
    otherwise what may not come in is dropped without a word. `published` are the guest's ports that
    are, `servers` the packed addresses of name servers whose answers count: without them, those
    that the network tells the guest.
    """

    def __init__(
        self,
        spec: FirewallSpec,
        *,
        published: Published = tuple,
        servers: tuple[bytes, ...] | None = None,
        tells: bool = False,
        flows_max: int = FLOWS_MAX,
    ) -> None:
        self._servers, self._tells = Servers(servers), tells
        self._judge = Judge(spec, published, self._servers)
        self._configuration = Configuration()
        self.flows = FlowTable(flows_max)
        self._fragments = {each: Reassembly() for each in Direction}
        self._refusals = Bucket(REFUSALS_PER_SECOND, REFUSALS_AT_ONCE)
        self._always = Tally(EITHER_WAY, Verdict.ALLOW, "(addresses and neighbours)")
        self._malformed = Tally(EITHER_WAY, Verdict.DENY, "(malformed)")
        self._generation = 0
        self.for_guest: deque[bytes] = deque()
        self.for_network: list[bytes] = []

    def outgoing(self, frames: Sequence[bytes], now_ns: int) -> list[bytes]:
        """What passes of frames of the guest."""
        return self._filtered(frames, Direction.OUT, now_ns)

    def incoming(self, frames: Sequence[bytes], now_ns: int) -> list[bytes]:
        """What passes of frames for the guest."""
        return self._filtered(frames, Direction.IN, now_ns)

    def due(self, direction: Direction, now_ns: int, limit: int) -> list[bytes]:
        """Frames that a rate has held back and may pass by now; about so many at most."""
        return self._judge.rules(direction).due(now_ns, limit)

    def due_in_ns(self, direction: Direction, now_ns: int) -> int | None:
        """When there will be some; None if nothing is held back."""
        return self._judge.rules(direction).due_in_ns(now_ns)

    @property
    def is_choked(self) -> bool:
        """Whether enough waits for the guest, so that the network may keep what it has."""
        return self._judge.rules(Direction.IN).is_choked

    def change(self, spec: FirewallSpec) -> None:
        """Other rules from here on, also for connections that exist."""
        self._judge.change(spec)
        self._generation += 1

    def reset(self) -> None:
        """The guest starts anew: its connections are over."""
        self.flows.clear()
        self._judge.names.clear()
        self._servers.clear()
        for direction, fragments in self._fragments.items():
            self._judge.rules(direction).forget()
            fragments.clear()
        self.for_guest.clear()

    def status(self) -> FirewallStatus:
        """The rules and what they have done."""
        rows = (*self._judge.rows(), self._always.row(), self._malformed.row())
        judge = self._judge
        return FirewallStatus(judge.spec.texts, rows, len(self.flows), len(judge.names))

    def _filtered(
        self, frames: Sequence[bytes], direction: Direction, now_ns: int
    ) -> list[bytes]:
        self.flows.sweep(now_ns)
        self._judge.names.at(now_ns)
        passed: list[bytes] = []
        known, way = self.flows.by(direction), direction is Direction.IN
        for frame in frames:
            flow = known.get(packets.quick_key(frame))
            if flow is None or flow.generation != self._generation or flow.until_ns <= now_ns:
                passed += self._examined(frame, direction, now_ns)
                continue
            flags = packets.quick_flags(frame) if flow.protocol == TCP else 0
            if flow.overheard or (flags & STEPS and begins_anew(flow, flags)):
                passed += self._examined(frame, direction, now_ns)
            elif flags & STEPS or flow.phase is not Phase.SETTLED or flow.limits[way]:
                if self._passes(flow, direction, flags, [frame], now_ns):
                    passed.append(frame)
            else:
                # Nearly every frame: as `_passes`, with nothing to follow and nothing to limit.
                flow.tally.packets += 1
                flow.tally.bytes += len(frame) - VNET_BYTES
                flow.until_ns = now_ns + flow.patience_ns
                passed.append(frame)
        return passed

    def _passes(
        self, flow: Flow, direction: Direction, flags: int, frames: list[bytes], now_ns: int
    ) -> bool:
        """A packet of a connection that is allowed; False if it is held back, or is too much."""
        octets = _octets(frames)
        limit = flow.limits[direction is Direction.IN]
        outcome = Outcome.PASSED if limit is None else limit.offer(frames, octets, now_ns)
        if outcome is Outcome.DROPPED:
            return False
        flow.tally.count(len(frames), octets)
        if flow.phase is not Phase.SETTLED or flags & STEPS:
            follow(self.flows, flow, flags, by_opener=direction is flow.direction)
        flow.until_ns = now_ns + flow.patience_ns
        return outcome is Outcome.PASSED

    def _examined(self, frame: bytes, direction: Direction, now_ns: int) -> list[bytes]:
        """A frame that has something unusual about it: the frames that pass thereupon.

        Fragments wait for each other, for only together they tell what they are.
        """
        try:
            link = packets.link_of(frame)
            if link.kind == ethernet.ARP:
                return self._counted([frame], self._always)
            packet = packets.packet_of(frame, link)
            if packet is None:
                return self._foreign(frame, direction, now_ns)
            pieces = self._fragments[direction].add(packet, now_ns)
            if pieces is None:
                return []
            whole = joined(pieces)
            transport = packets.transport_of(whole, link.tags)
        except GuestError:
            return self._counted([frame], self._malformed)
        frames = [piece.frame for piece in pieces]
        if self._is_configuration(direction, whole, transport, now_ns):
            return self._counted(frames, self._always)
        return self._judged(direction, whole, transport, link, frames, now_ns)

    def _judged(
        self,
        direction: Direction,
        packet: IpPacket,
        transport: Transport,
        link: Link,
        frames: list[bytes],
        now_ns: int,
    ) -> list[bytes]:
        """Frames that carry one packet."""
        flags = packets.flags_of(packet)
        flow = self._known(direction, packet, transport, flags, now_ns)
        if flow is None and packets.is_error(packet):
            blamed = packets.blamed_key(packet, link.tags)
            about = self.flows.by(_other(direction)).get(blamed)
            if about is not None and about.until_ns > now_ns:
                return self._counted(frames, about.tally)
        if flow is None:
            opening = _opening(direction, packet, transport)
            tally = self._judge.decide(opening, packet)
            if not tally.allows:
                self._refuse(direction, packet, frames[0], link, now_ns)
                return self._counted(frames, tally)
            flow = self._begun(opening, transport, tally)
            if transport.answerable and not flags & RST:
                self.flows.add(flow)
        if flow.overheard:
            self._judge.overhear(direction, packet, transport)
        return frames if self._passes(flow, direction, flags, frames, now_ns) else []

    def _known(
        self,
        direction: Direction,
        packet: IpPacket,
        transport: Transport,
        flags: int,
        now_ns: int,
    ) -> Flow | None:
        """The connection that a packet belongs to, if the rules still have it."""
        flow = self.flows.by(direction).get(transport.key)
        if flow is None:
            return None
        if flow.until_ns <= now_ns or begins_anew(flow, flags):
            self.flows.remove(flow)
            return None
        single = flow.each and direction is flow.direction
        if single or (flow.generation != self._generation and not flow.each):
            opening = Opening(flow.direction, flow.protocol, flow.remote, flow.port)
            tally = self._judge.decide(opening, packet, flow.tally)
            if not tally.allows and single:
                return None
            if not tally.allows:
                self.flows.remove(flow)
                return None
            self._decided(flow, opening, tally)
        return flow

    def _foreign(self, frame: bytes, direction: Direction, now_ns: int) -> list[bytes]:
        """A frame of another protocol than IP: no rule is about it, but for the rest."""
        opening = Opening(direction, NO_PROTOCOL, b"", 0)
        tally = self._judge.rest(direction)
        if not tally.allows:
            return self._counted([frame], tally)
        flow = self._begun(opening, NOTHING, tally)
        return [frame] if self._passes(flow, direction, 0, [frame], now_ns) else []

    def _begun(self, opening: Opening, transport: Transport, tally: Tally) -> Flow:
        """A connection that is allowed, if only for a single packet."""
        keys = transport.key, transport.back
        if opening.direction is Direction.IN:
            keys = transport.back, transport.key
        flow = Flow(opening.direction, opening.protocol, opening.remote, opening.port, keys)
        self._decided(flow, opening, tally)
        return flow

    def _decided(self, flow: Flow, opening: Opening, tally: Tally) -> None:
        flow.tally, flow.generation = tally, self._generation
        flow.limits = self._judge.limits(opening)
        flow.each = self._judge.is_for_single_questions(tally)
        flow.overheard = self._judge.concerns_names(opening)

    def _is_configuration(
        self, direction: Direction, packet: IpPacket, transport: Transport, now_ns: int
    ) -> bool:
        if not self._configuration.is_part(direction, packet, transport, now_ns):
            return False
        if packet.protocol == UDP:
            message = packets.payload_of(packet)
            heard = self._servers.asked if direction is Direction.OUT else self._servers.told
            heard(message)
        elif direction is Direction.IN and packets.message_type(packet) == ROUTER_ADVERTISEMENT:
            self._servers.advertised(bytes(packet.payload))
        return True

    def _refuse(
        self, direction: Direction, packet: IpPacket, frame: bytes, link: Link, now_ns: int
    ) -> None:
        """Tell who has sent a packet, if he is to be told."""
        inwards = direction is Direction.IN
        if inwards and not (self._tells and packet.protocol == TCP):
            return
        full = len(self.for_network if inwards else self.for_guest) >= REFUSALS_MAX
        if full or not self._refusals.take(1, now_ns):
            return
        told = refusal(packet, frame, link)
        if told is not None:
            (self.for_network if inwards else self.for_guest).append(told)

    @staticmethod
    def _counted(frames: list[bytes], tally: Tally) -> list[bytes]:
        """Frames that pass, or do not, by a decision."""
        tally.count(len(frames), _octets(frames))
        return frames if tally.allows else []


def _opening(direction: Direction, packet: IpPacket, transport: Transport) -> Opening:
    remote = packet.source if direction is Direction.IN else packet.destination
    return Opening(direction, packet.protocol, remote, transport.port)


def _octets(frames: list[bytes]) -> int:
    """Of Ethernet frames."""
    return sum(map(len, frames)) - VNET_BYTES * len(frames)


def _other(direction: Direction) -> Direction:
    return Direction.OUT if direction is Direction.IN else Direction.IN

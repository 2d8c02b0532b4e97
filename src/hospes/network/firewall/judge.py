"""Whether a connection may be opened: the rules, published ports, and names as they are learnt."""

from collections.abc import Callable, Collection

from hospes.base.errors import GuestError
from hospes.network import dns
from hospes.network.firewall.names import Names
from hospes.network.firewall.packets import Transport, payload_of
from hospes.network.firewall.rules import Limit, Opening, Rules, Tally
from hospes.network.firewall.servers import Servers
from hospes.network.packet import UDP, IpPacket
from hospes.network.reach import DNS_PORT
from hospes.spec.firewall import Direction, FirewallRow, FirewallSpec, Verdict

Published = Callable[[], Collection[tuple[int, int]]]
"""The guest's ports that are published: of which protocol, and which."""


class Judge:
    """Decides about connections, and hears what the guest is told of names.

    Where the rest may not go out, the guest may still ask its name servers for what a rule allows
    by its name, or there would be no address to allow.
    """

    def __init__(self, spec: FirewallSpec, published: Published, servers: Servers) -> None:
        self._published, self._servers, self.names = published, servers, Names()
        self._admitted = Tally(Direction.IN, Verdict.ALLOW, "(published ports)")
        self._questions = Tally(Direction.OUT, Verdict.ALLOW, "(questions for allowed names)")
        self._rules: dict[Direction, Rules] = {}
        self.spec = spec
        self.change(spec)

    def change(self, spec: FirewallSpec) -> None:
        """Other rules from here on; those that stay go on counting."""
        self.spec = spec
        self._rules = {
            each: Rules(spec, each, self.names.of, self._rules.get(each)) for each in Direction
        }

    def decide(self, opening: Opening, packet: IpPacket, held: Tally | None = None) -> Tally:
        """The verdict on a connection that a packet opens, or goes on with."""
        rules = self._rules[opening.direction]
        found = rules.decide(opening, held)
        if found is not rules.rest or found.allows:
            return found
        if opening.direction is Direction.IN:
            return self._admitted if self._is_published(opening) else found
        return self._questions if self._asks_for_allowed(opening, packet) else found

    def rest(self, direction: Direction) -> Tally:
        """The verdict on what no rule can be about."""
        return self._rules[direction].rest

    def limits(self, opening: Opening) -> tuple[Limit | None, Limit | None]:
        """The limits on a connection's packets: of the guest, and for it."""
        out, into = self._rules[Direction.OUT], self._rules[Direction.IN]
        return out.limit_for(opening), into.limit_for(opening)

    def rules(self, direction: Direction) -> Rules:
        """Those of a direction."""
        return self._rules[direction]

    def is_for_single_questions(self, tally: Tally) -> bool:
        """Whether each packet has to be looked at."""
        return tally is self._questions

    def concerns_names(self, opening: Opening) -> bool:
        """Whether the connection is one with a name server of the network's."""
        asks = opening.protocol == UDP and opening.port == DNS_PORT
        return asks and opening.direction is Direction.OUT and opening.remote in self._servers

    def overhear(self, direction: Direction, packet: IpPacket, transport: Transport) -> None:
        """A packet of such a connection passes."""
        message = payload_of(packet)
        if direction is Direction.IN:
            self.names.answered(packet.source, packet.destination, transport.port, message)
            return
        try:
            self.names.asked(packet.destination, packet.source, transport.source_port, message)
        except GuestError:
            return

    def rows(self) -> list[FirewallRow]:
        """What was decided so far."""
        into, out = self._rules[Direction.IN], self._rules[Direction.OUT]
        admits = self.spec.admits_published and self._published()
        asks = not out.rest.allows and out.has_names
        return [
            *into.rows(*([self._admitted] if admits else [])),
            *out.rows(*([self._questions] if asks else [])),
        ]

    def _is_published(self, opening: Opening) -> bool:
        if not self.spec.admits_published:
            return False
        return (opening.protocol, opening.port) in self._published()

    def _asks_for_allowed(self, opening: Opening, packet: IpPacket) -> bool:
        if not self.concerns_names(opening):
            return False
        try:
            name = dns.parse(payload_of(packet)).name
        except GuestError:
            return False
        return self._rules[Direction.OUT].allows_name(name)


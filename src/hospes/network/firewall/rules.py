"""A firewall's rules as they are applied: who may open a connection, and what they have decided."""

import ipaddress
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from hospes.network.firewall.rate import Backlog, Outcome, Queue, bucket_for
from hospes.network.packet import ICMP, ICMPV6, TCP, UDP
from hospes.spec.firewall import (
    Carried,
    Direction,
    FirewallRow,
    FirewallSpec,
    RateLimit,
    Selector,
    Verdict,
    format_rate,
)

PROTOCOLS: Final = {Carried.TCP: (TCP,), Carried.UDP: (UDP,), Carried.ICMP: (ICMP, ICMPV6)}
PORTED: Final = (TCP, UDP)
ENOUGH_BYTES: Final = 256 << 10
"""What waits for the limit on everything before the network is asked for more."""

NamesOf = Callable[[bytes], Iterable[str]]
"""The names that a packed address has by now."""


class Tally:
    """What one decision has come to; packets and bytes of a connection count both ways."""

    __slots__ = ("bytes", "direction", "dropped", "packets", "verdict", "what")

    def __init__(self, direction: str, verdict: str, what: str) -> None:
        self.direction, self.verdict, self.what = direction, verdict, what
        self.packets = self.bytes = self.dropped = 0

    @property
    def allows(self) -> bool:
        """Whether what it is about passes."""
        return self.verdict != Verdict.DENY

    def count(self, packets: int, octets: int) -> None:
        """Some more."""
        self.packets += packets
        self.bytes += octets

    def row(self) -> FirewallRow:
        """For whoever looks at the firewall."""
        return FirewallRow(
            self.direction, self.verdict, self.what, self.packets, self.bytes, self.dropped
        )


@dataclass(frozen=True)
class Opening:
    """A connection that is about to be: `port` is the one it is opened to, 0 if it has none."""

    direction: Direction
    protocol: int
    remote: bytes
    port: int


class Matcher:
    """Tells whether a selector is about a connection."""

    def __init__(self, selector: Selector, names_of: NamesOf) -> None:
        self.selector, self._names_of = selector, names_of
        self._protocols = None if selector.protocol is None else PROTOCOLS[selector.protocol]
        if selector.has_ports and self._protocols is None:
            self._protocols = PORTED
        self._is_everyone = not selector.remote
        self._network = (0, 0, 0)
        if selector.remote and not selector.is_named:
            found = ipaddress.ip_network(selector.remote)
            size = found.max_prefixlen // 8
            self._network = size, int(found.netmask), int(found.network_address)

    def is_about(self, opening: Opening) -> bool:
        """Whether it is, its direction left aside."""
        if self._protocols is not None and opening.protocol not in self._protocols:
            return False
        if not self.selector.first_port <= opening.port <= self.selector.last_port:
            return False
        return self._is_everyone or self._is_remote(opening.remote)

    def is_named(self, name: str) -> bool:
        """Whether it is about hosts of this name, given in lower case."""
        wanted = self.selector.remote
        if not self.selector.is_named:
            return False
        return name.endswith(wanted[1:]) if wanted.startswith("*.") else name == wanted

    def _is_remote(self, address: bytes) -> bool:
        if self.selector.is_named:
            return any(map(self.is_named, self._names_of(address)))
        size, mask, base = self._network
        return len(address) == size and int.from_bytes(address, "big") & mask == base


class Decision:
    """A rule: a matcher and its tally."""

    def __init__(self, verdict: Verdict, matcher: Matcher, tally: Tally) -> None:
        self.verdict, self.matcher, self.tally = verdict, matcher, tally


class Limit:
    """A rate limit: a matcher, what waits for its rate, and its tally."""

    def __init__(
        self, asked: RateLimit, matcher: Matcher, tally: Tally, backlog: Backlog
    ) -> None:
        self.asked, self.matcher, self.tally = asked, matcher, tally
        self.queue = Queue(bucket_for(asked.bits_per_second), backlog)

    def offer(self, frames: list[bytes], octets: int, now_ns: int) -> Outcome:
        """Frames of one packet; counted whatever becomes of them."""
        outcome = self.queue.offer(frames, octets, now_ns)
        if outcome is Outcome.DROPPED:
            self.tally.dropped += len(frames)
        else:
            self.tally.count(len(frames), octets)
        return outcome


class Rules:
    """The rules of one direction; `before` keeps what it has counted for rules that stay."""

    def __init__(
        self,
        spec: FirewallSpec,
        direction: Direction,
        names_of: NamesOf,
        before: "Rules | None" = None,
    ) -> None:
        self.direction, self._before = direction, before.tallies() if before else {}
        rules = [one for one in spec.rules if one.selector.direction is direction]
        decisions = [
            Decision(
                one.verdict,
                Matcher(one.selector, names_of),
                self._tally(one.verdict, _bare(one.selector)),
            )
            for one in rules
        ]
        self._denials = [one for one in decisions if one.verdict is Verdict.DENY]
        self._allowances = [one for one in decisions if one.verdict is Verdict.ALLOW]
        self.rest = self._tally(spec.rest(direction), "(all else)")
        self._backlog: Backlog = before._backlog if before else Backlog()
        known = {one.asked: one for one in before.limits} if before else {}
        wanted = (one for one in spec.limits if one.selector.direction is direction)
        limits = [
            known.pop(one) if one in known else self._limit(one, names_of) for one in wanted
        ]
        # What is for some connections comes before what is for all.
        self.limits: list[Limit] = sorted(limits, key=lambda limit: limit.asked.selector.is_whole)
        self.let_go: list[bytes] = before.let_go if before else []
        for limit in known.values():
            self.let_go += limit.queue.drain()
        self._before = {}

    def decide(self, opening: Opening, held: Tally | None = None) -> Tally:
        """The verdict on a connection; `held` is the one that it was opened by.

        An allowance by name holds for a connection as long as that lasts, whatever becomes of the
        name's address.
        """
        for denial in self._denials:
            if denial.matcher.is_about(opening):
                return denial.tally
        for allowance in self._allowances:
            stays = held is allowance.tally and allowance.matcher.selector.is_named
            if stays or allowance.matcher.is_about(opening):
                return allowance.tally
        return self.rest

    def limit_for(self, opening: Opening) -> Limit | None:
        """The limit on packets of a connection in the rules' direction, whoever has opened it."""
        return next((one for one in self.limits if one.matcher.is_about(opening)), None)

    @property
    def is_choked(self) -> bool:
        """Whether so much waits for the limit on everything that no more should come."""
        last = self.limits[-1] if self.limits else None
        return last is not None and last.asked.selector.is_whole and last.queue.held > ENOUGH_BYTES

    def due_in_ns(self, now_ns: int) -> int | None:
        """When something that waits may pass; None if nothing waits."""
        if not self._backlog.held:
            return 0 if self.let_go else None
        due = (limit.queue.due_in_ns(now_ns) for limit in self.limits)
        return min((ns for ns in due if ns is not None), default=None)

    def forget(self) -> None:
        """Whom what waits is from or for is gone."""
        self.let_go = []
        for each in self.limits:
            each.queue.drain()

    def due(self, now_ns: int, limit: int) -> list[bytes]:
        """Frames that may pass by now; once there are `limit` of them, others stay."""
        found, self.let_go = self.let_go[:limit], self.let_go[limit:]
        for each in self.limits if self._backlog.held else ():
            while len(found) < limit and (more := each.queue.take(now_ns)):
                found += more
        return found

    def allows_name(self, name: str) -> bool:
        """Whether an allowance is about hosts of this name."""
        return any(one.matcher.is_named(name) for one in self._allowances)

    @property
    def has_names(self) -> bool:
        """Whether an allowance is about hosts by their names."""
        return any(one.matcher.selector.is_named for one in self._allowances)

    def tallies(self) -> dict[tuple[str, str], Tally]:
        """By verdict and rule."""
        return {(one.verdict, one.what): one for one in self._all()}

    def rows(self, *between: Tally) -> Iterator[FirewallRow]:
        """In the order in which they are asked, and the limits; some stand before the rest."""
        tallies = [one.tally for one in (*self._denials, *self._allowances)]
        limits = [limit.tally for limit in self.limits]
        return (one.row() for one in (*tallies, *between, self.rest, *limits))

    def _all(self) -> Iterator[Tally]:
        yield from (one.tally for one in (*self._denials, *self._allowances))
        yield from (limit.tally for limit in self.limits)
        yield self.rest

    def _limit(self, asked: RateLimit, names_of: NamesOf) -> Limit:
        tally = self._tally(*_limit_words(asked))
        return Limit(asked, Matcher(asked.selector, names_of), tally, self._backlog)

    def _tally(self, verdict: str, what: str) -> Tally:
        known = self._before.get((verdict, what))
        return known or Tally(self.direction, verdict, what)


def _bare(selector: Selector) -> str:
    """A selector without its direction."""
    return str(selector).partition(":")[2]


def _limit_words(limit: RateLimit) -> tuple[str, str]:
    rate = f"{format_rate(limit.bits_per_second)}bit/s"
    return "limit", ":".join(filter(None, (_bare(limit.selector), rate)))

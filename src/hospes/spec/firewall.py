"""What a user asks of a machine's firewall: which connections pass, and how fast."""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from hospes.base.errors import HospesError

RULES_MAX: Final = 256
"""As many may decide about a new connection; each is looked at."""
PORT_MAX: Final = 65535


class Direction(StrEnum):
    """Of a connection, seen from the guest: IN is what others open."""

    IN = "in"
    OUT = "out"


class Verdict(StrEnum):
    """What becomes of a connection."""

    ALLOW = "allow"
    DENY = "deny"


class Carried(StrEnum):
    """A protocol that a rule is about; ICMP is that of either IP."""

    TCP = "tcp"
    UDP = "udp"
    ICMP = "icmp"


@dataclass(frozen=True)
class Selector:
    """Connections by their direction, protocol, other end and port; what is not said is any.

    `remote` is a network such as `10.0.0.0/8`, a name in lower case, or `*.` and a suffix. The
    ports, from first to last, are those that a connection is opened to: the guest's when it comes
    in, the other end's when it goes out.
    """

    direction: Direction
    protocol: Carried | None = None
    remote: str = ""
    first_port: int = 0
    last_port: int = PORT_MAX

    @property
    def has_ports(self) -> bool:
        """Whether it is about some ports only."""
        return (self.first_port, self.last_port) != (0, PORT_MAX)

    @property
    def is_whole(self) -> bool:
        """Whether it is about everything in its direction."""
        return self == Selector(self.direction)

    @property
    def is_named(self) -> bool:
        """Whether the other end is told by its name."""
        return bool(self.remote) and "/" not in self.remote

    def __str__(self) -> str:
        remote = self.remote.removesuffix("/32").removesuffix("/128")
        parts = [self.direction.value, self.protocol and self.protocol.value]
        parts.append(f"[{remote}]" if ":" in remote else remote)
        if self.has_ports:
            last = "" if self.last_port == self.first_port else f"-{self.last_port}"
            parts.append(f"{self.first_port}{last}")
        return ":".join(filter(None, parts))


@dataclass(frozen=True)
class Rule:
    """A verdict on some connections."""

    verdict: Verdict
    selector: Selector


@dataclass(frozen=True)
class RateLimit:
    """How many bits per second pass, in the selector's direction, of some connections together.

    `in:tcp:443` counts what comes in, whoever has opened the connection to port 443.
    """

    selector: Selector
    bits_per_second: int


@dataclass(frozen=True)
class FirewallSpec:
    """The rules of one machine; a denial comes before an allowance, in whatever order they stand.

    `incoming` and `outgoing` are for the rest; None is what follows from the rules: nothing comes
    in but to published ports, and everything goes out unless something is allowed to.
    """

    rules: tuple[Rule, ...] = ()
    limits: tuple[RateLimit, ...] = ()
    incoming: Verdict | None = None
    outgoing: Verdict | None = None

    def __post_init__(self) -> None:
        count = len(self.rules) + len(self.limits)
        if count > RULES_MAX:
            raise HospesError(
                f"a firewall cannot have {count} rules; put networks and ports together, "
                f"up to {RULES_MAX}"
            )

    @property
    def texts(self) -> tuple[str, ...]:
        """As users write it, and as it is kept."""
        rests = ((Direction.IN, self.incoming), (Direction.OUT, self.outgoing))
        return (
            *(f"{verdict}:{direction}" for direction, verdict in rests if verdict),
            *(f"{rule.verdict}:{rule.selector}" for rule in self.rules),
            *(f"rate:{one.selector}:{format_rate(one.bits_per_second)}" for one in self.limits),
        )

    def rest(self, direction: Direction) -> Verdict:
        """What becomes of connections that no rule is about."""
        said = self.incoming if direction is Direction.IN else self.outgoing
        if said is not None:
            return said
        allowed = any(
            rule.verdict is Verdict.ALLOW and rule.selector.direction is direction
            for rule in self.rules
        )
        return Verdict.DENY if direction is Direction.IN or allowed else Verdict.ALLOW

    @property
    def admits_published(self) -> bool:
        """Whether published ports are reached without a rule that says so."""
        return self.incoming is None

    def decided(self, verdict: Verdict, selector: Selector) -> "FirewallSpec":
        """With a verdict on some connections, in place of an earlier one on just these."""
        if selector.is_whole:
            return self._with_rest(selector.direction, verdict)
        rule = Rule(verdict, selector)
        if rule in self.rules:
            return self
        rules = (*(one for one in self.rules if one.selector != selector), rule)
        return replace(self, rules=rules)

    def limited(self, limit: RateLimit) -> "FirewallSpec":
        """With a limit, in place of an earlier one on just these connections."""
        limits = (one for one in self.limits if one.selector != limit.selector)
        return replace(self, limits=(*limits, limit))

    def without(self, selector: Selector) -> "FirewallSpec":
        """Without the rule and the limit on just these connections; HospesError if none is."""
        rules = tuple(one for one in self.rules if one.selector != selector)
        limits = tuple(one for one in self.limits if one.selector != selector)
        less = replace(self, rules=rules, limits=limits)
        if selector.is_whole:
            less = less._with_rest(selector.direction, None)
        if less == self:
            raise HospesError(
                f"the firewall has no rule {selector}; 'hospes firewall NAME' lists those it has"
            )
        return less

    def _with_rest(self, direction: Direction, verdict: Verdict | None) -> "FirewallSpec":
        if direction is Direction.IN:
            return replace(self, incoming=verdict)
        return replace(self, outgoing=verdict)


def format_rate(bits_per_second: int) -> str:
    """With the largest unit that leaves a whole number: 10M, 1500k."""
    for unit in ("", "k", "M"):
        if bits_per_second % 1000:
            return f"{bits_per_second}{unit}"
        bits_per_second //= 1000
    return f"{bits_per_second}G"


@dataclass(frozen=True)
class FirewallRow:
    """What one rule has decided: packets and bytes of its connections both ways, or refused ones.

    Of a limit, `packets` and `bytes` are what passed, `dropped` the packets that were too much.
    """

    direction: str
    verdict: str
    rule: str
    packets: int = 0
    bytes: int = 0
    dropped: int = 0


@dataclass(frozen=True)
class FirewallStatus:
    """A firewall: its rules as a user writes them, what they did, connections and known names."""

    texts: tuple[str, ...]
    rows: tuple[FirewallRow, ...]
    connections: int
    names: int

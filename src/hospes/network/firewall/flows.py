"""Connections that a firewall has let through, found again by each of their packets."""

from enum import IntEnum
from itertools import islice
from typing import Final

from hospes.network.firewall.rules import Limit, Tally
from hospes.network.limits import SECOND_NS
from hospes.network.packet import TCP, UDP
from hospes.spec.firewall import Direction

FLOWS_MAX: Final = 16384
LOOKED_AT: Final = 32
"""Connections of which the one idle for longest gives way, when all are well established."""
SWEEP_NS: Final = 10 * SECOND_NS
CLOSED_NS: Final = 120 * SECOND_NS
"""After the last FIN, for what is still on its way."""
RESET_NS: Final = 10 * SECOND_NS


class Phase(IntEnum):
    """How far a connection has come: packets of one side, of both, and of the first one again."""

    OPENED = 0
    ANSWERED = 1
    SETTLED = 2
    CLOSED = 3


PATIENCE_NS: Final = {
    TCP: (60 * SECOND_NS, 60 * SECOND_NS, 7440 * SECOND_NS),
    UDP: (30 * SECOND_NS, 30 * SECOND_NS, 180 * SECOND_NS),
}
"""How long it may be silent in the first three phases: RFC 5382, REQ-5, and RFC 4787, REQ-5."""
OTHER_PATIENCE_NS: Final = (30 * SECOND_NS, 30 * SECOND_NS, 180 * SECOND_NS)


class Flow:
    """A connection: who has opened it, to whom, what decided so, and the limits for each way.

    `keys` are those of its packets from the guest and for it. With `each`, the decision is on
    single packets of who has opened it; `overheard` ones are listened to for names.
    """

    __slots__ = (
        "direction",
        "each",
        "fins",
        "generation",
        "keys",
        "limits",
        "overheard",
        "patience_ns",
        "phase",
        "port",
        "protocol",
        "remote",
        "tally",
        "until_ns",
    )  # fmt: skip

    def __init__(
        self,
        direction: Direction,
        protocol: int,
        remote: bytes,
        port: int,
        keys: tuple[bytes, bytes],
    ) -> None:
        self.direction, self.protocol, self.remote, self.port = direction, protocol, remote, port
        self.keys = keys
        self.tally: Tally
        self.limits: tuple[Limit | None, Limit | None] = None, None
        self.phase, self.fins = Phase.OPENED, 0
        self.patience_ns = PATIENCE_NS.get(protocol, OTHER_PATIENCE_NS)[Phase.OPENED]
        self.until_ns, self.generation = 0, 0
        self.each = self.overheard = False

    @property
    def used_ns(self) -> int:
        """When its last packet passed."""
        return self.until_ns - self.patience_ns


class FlowTable:
    """At most `limit` connections. Those that are not well established give way first."""

    def __init__(self, limit: int = FLOWS_MAX) -> None:
        self._limit = limit
        self.outgoing: dict[bytes, Flow] = {}
        self.incoming: dict[bytes, Flow] = {}
        self._young: dict[Flow, None] = {}
        self._settled: dict[Flow, None] = {}
        self._swept_ns = 0
        self.evicted = 0

    def __len__(self) -> int:
        return len(self._young) + len(self._settled)

    def by(self, direction: Direction) -> dict[bytes, Flow]:
        """Connections by the keys of packets in a direction."""
        return self.incoming if direction is Direction.IN else self.outgoing

    def add(self, flow: Flow) -> None:
        """A new connection, in place of any that has the same packets."""
        for old in (self.outgoing.get(flow.keys[0]), self.incoming.get(flow.keys[1])):
            if old is not None:
                self.remove(old)
        if len(self) >= self._limit:
            self.remove(self._dispensable())
            self.evicted += 1
        self.outgoing[flow.keys[0]] = self.incoming[flow.keys[1]] = flow
        self._young[flow] = None

    def remove(self, flow: Flow) -> None:
        """It is over."""
        if self.outgoing.get(flow.keys[0]) is flow:
            del self.outgoing[flow.keys[0]]
        if self.incoming.get(flow.keys[1]) is flow:
            del self.incoming[flow.keys[1]]
        self._young.pop(flow, None)
        self._settled.pop(flow, None)

    def advance(self, flow: Flow, phase: Phase, patience_ns: int) -> None:
        """A connection has come to another phase."""
        if phase is Phase.SETTLED:
            self._young.pop(flow, None)
            self._settled[flow] = None
        elif flow.phase is Phase.SETTLED:
            self._settled.pop(flow, None)
            self._young[flow] = None
        flow.phase, flow.patience_ns = phase, patience_ns

    def sweep(self, now_ns: int) -> None:
        """Now and then, forget what has been silent for too long."""
        if now_ns - self._swept_ns < SWEEP_NS:
            return
        self._swept_ns = now_ns
        for flow in [one for one in self.outgoing.values() if one.until_ns <= now_ns]:
            self.remove(flow)

    def clear(self) -> None:
        """Forget all."""
        for each in (self.outgoing, self.incoming, self._young, self._settled):
            each.clear()

    def _dispensable(self) -> Flow:
        if self._young:
            return next(iter(self._young))
        some = list(islice(self._settled, LOOKED_AT))
        found = min(some, key=lambda flow: flow.used_ns)
        for flow in some:
            # The next time, others are looked at.
            self._settled[flow] = self._settled.pop(flow)
        return found

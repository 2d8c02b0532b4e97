"""A firewall between a machine's network card and its network."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from hospes.base.clock import Clock
from hospes.devices.backends import NetworkBackend
from hospes.network.firewall.filter import Firewall
from hospes.network.packet import TCP, UDP
from hospes.spec.firewall import Carried, Direction, FirewallSpec, FirewallStatus, Verdict
from hospes.spec.net import Publication, TransportKind

FETCHES_MAX: Final = 8
"""How often more is taken from the network when nothing of what came may pass."""
DUE_MAX: Final = 256
"""Frames held back that go on their way at a time."""
NUMBERS: Final = {TransportKind.TCP: TCP, TransportKind.UDP: UDP}


class FirewalledNetwork:
    """A NetworkBackend before another, of whose frames some do not pass.

    `publications` tells which ports of the guest are published there, None if the network knows of
    no such thing. It is the machine's thread alone that comes in here.
    """

    def __init__(
        self,
        inner: NetworkBackend,
        spec: FirewallSpec,
        *,
        publications: Callable[[], Iterable[Publication]] | None,
        servers: tuple[bytes, ...] | None,
        ring: Callable[[], None],
        clock: Clock,
    ) -> None:
        self._inner, self._ring, self._clock = inner, ring, clock
        self._publications = publications or tuple
        self._left: list[bytes] = []
        self._firewall = Firewall(
            spec, published=self._published, servers=servers, tells=publications is not None
        )

    @property
    def waiting(self) -> bool:
        """Whether there are frames for the guest, before it is known whether they pass."""
        firewall = self._firewall
        if self._left or firewall.for_guest or firewall.due_in_ns(Direction.IN, self._now()) == 0:
            return True
        return self._inner.waiting and not firewall.is_choked

    @property
    def link_up(self) -> bool:
        """Whether the cable is plugged in."""
        return self._inner.link_up

    def send(self, frames: Sequence[bytes]) -> None:
        """Frames from the guest; never waits."""
        self.tick()
        passed = self._firewall.outgoing(frames, self._now())
        if passed:
            self._inner.send(passed)
        if self._firewall.for_guest:
            self._ring()

    def receive(self, limit: int) -> list[bytes]:
        """Up to limit frames for the guest, in order."""
        frames = self._left or self._own(limit) or self._fetched(limit)
        frames, self._left = frames[:limit], frames[limit:]
        return frames

    def due_in_ns(self) -> int | None:
        """When frames that a rate has held back may pass, either way."""
        now_ns = self._now()
        due = (self._firewall.due_in_ns(each, now_ns) for each in Direction)
        return min((ns for ns in due if ns is not None), default=None)

    def tick(self) -> None:
        """Those of the guest's that are due go on their way."""
        due = self._firewall.due(Direction.OUT, self._now(), DUE_MAX)
        if due:
            self._inner.send(due)

    def accept(self, offloads: int) -> None:
        """What of Offload the driver wants from here on."""
        self._inner.accept(offloads)

    def change(self, spec: FirewallSpec) -> None:
        """Other rules from here on."""
        self._firewall.change(spec)

    def reset(self) -> None:
        """The guest starts anew."""
        self._left = []
        self._firewall.reset()

    def status(self) -> FirewallStatus:
        """The rules and what they have done."""
        return self._firewall.status()

    def _own(self, limit: int) -> list[bytes]:
        """What the guest is told by the firewall, or was held back by it."""
        told = self._firewall.for_guest
        if told:
            return [told.popleft() for _ in range(min(limit, len(told)))]
        return self._firewall.due(Direction.IN, self._now(), limit)

    def _fetched(self, limit: int) -> list[bytes]:
        """What passes of the network's; a few more than `limit`, if fragments have waited."""
        for _ in range(FETCHES_MAX):
            frames = [] if self._firewall.is_choked else self._inner.receive(limit)
            passed = self._firewall.incoming(frames, self._now())
            self._tell_network()
            if passed or not frames:
                return passed
        return []

    def _now(self) -> int:
        return self._clock.monotonic_ns()

    def _tell_network(self) -> None:
        told = self._firewall.for_network
        if told:
            self._inner.send(list(told))
            told.clear()

    def _published(self) -> set[tuple[int, int]]:
        return {(NUMBERS[one.protocol], one.guest_port) for one in self._publications()}


def closed_ports(
    spec: FirewallSpec | None, publications: Iterable[Publication]
) -> Iterator[str]:
    """Sentences about published ports that no rule lets anybody reach."""
    if spec is None:
        return
    for one in publications:
        if not _may_be_reached(spec, one):
            yield (
                f"port {one.host_port} of {one.host_address} leads to a port that the firewall "
                f"keeps closed; open it with 'allow:in:{one.protocol}:{one.guest_port}'"
            )


def _may_be_reached(spec: FirewallSpec, published: Publication) -> bool:
    if spec.admits_published or spec.rest(Direction.IN) is Verdict.ALLOW:
        return True
    protocol = Carried(published.protocol)
    return any(
        rule.verdict is Verdict.ALLOW
        and rule.selector.direction is Direction.IN
        and rule.selector.protocol in (None, protocol)
        and rule.selector.first_port <= published.guest_port <= rule.selector.last_port
        for rule in spec.rules
    )

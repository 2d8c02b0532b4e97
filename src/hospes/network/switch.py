"""A learning switch (IEEE 802.1D, section 7): to which ports each frame goes; no I/O."""

from dataclasses import dataclass
from typing import Final, NamedTuple

from hospes.network.ethernet import MAC_BYTES, is_unicast
from hospes.network.limits import SECOND_NS

AGE_NS: Final = 300 * SECOND_NS
"""What has not been heard of for so long is forgotten (IEEE 802.1D, table 7-5)."""
LEARNED_MAX: Final = 64
"""Addresses that one port may show besides its own."""
SETTLED_NS: Final = SECOND_NS
"""An address moves to another port at most so often."""
REFRESH_NS: Final = 10 * SECOND_NS
"""An address that is heard of all the time is noted so often."""

Targets = tuple[int, ...]
NOWHERE: Final[Targets] = ()


class Place(NamedTuple):
    """The port behind which a station is, when it was noted, and since when it is there."""

    port: int
    heard_ns: int
    since_ns: int


@dataclass
class Counts:
    """Frames that the switch did not pass on as they came, or passed to all."""

    flooded: int = 0
    """To everybody, for it is not known where their destination is."""
    spoofed: int = 0
    """From an address that is another port's own, or none of a single station; dropped."""
    nowhere: int = 0
    """Whose destination is behind the port that they came from; dropped."""
    moved: int = 0
    """Addresses that have moved to another port."""
    refused: int = 0
    """From an address that has been behind another port for too short a time; dropped."""


class Port:
    """What is known of a port: its card's own address, which no other port can take."""

    __slots__ = ("last", "learned", "mac", "strict", "targets", "until_ns")

    def __init__(self, mac: bytes, strict: bool) -> None:
        self.mac, self.strict = mac, strict
        self.learned: dict[bytes, None] = {}
        self.last, self.targets, self.until_ns = b"", NOWHERE, 0


class Switch:
    """Ports have numbers. What is said of a frame needs only its two addresses.

    A station's place is known by what it sends, and forgotten after AGE_NS. A port's own address is
    never forgotten and never another's. The addresses that a port shows are bounded, each port for
    itself, so that none can make the switch forget what it knows of others. A frame never goes back
    where it came from; with one switch and one cable per machine, there are no loops.
    """

    def __init__(self) -> None:
        self.counts = Counts()
        self._ports: dict[int, Port] = {}
        self._places: dict[bytes, Place] = {}
        self._own: dict[bytes, int] = {}

    def __len__(self) -> int:
        """How many ports there are."""
        return len(self._ports)

    def attach(self, number: int, mac: bytes, *, strict: bool = False) -> None:
        """A card is plugged in; with `strict`, only frames from its own address are taken.

        The number and the address must be free (`is_taken`).
        """
        self._ports[number] = Port(mac, strict)
        self._own[mac] = number
        self._forget(mac)
        self._changed()

    def detach(self, number: int) -> None:
        """It is plugged in no more; what it has shown is forgotten."""
        port = self._ports.pop(number)
        del self._own[port.mac]
        for mac in port.learned:
            del self._places[mac]
        self._changed()

    def is_taken(self, mac: bytes) -> bool:
        """Whether a port has this address as its own."""
        return mac in self._own

    def port_of(self, mac: bytes) -> int:
        """The port at which an address was last; 0 when none is known. Any thread may ask."""
        own = self._own.get(mac)
        if own is not None:
            return own
        place = self._places.get(mac)
        return 0 if place is None else place.port

    def targets(self, number: int, addresses: bytes, now_ns: int) -> Targets:
        """The ports that a frame from a port goes to, by its destination and source addresses."""
        port = self._ports[number]
        if addresses == port.last and now_ns < port.until_ns:
            return port.targets
        source = addresses[MAC_BYTES:]
        if source != port.mac and not self._learn(number, port, source, now_ns):
            return NOWHERE
        destination = addresses[:MAC_BYTES]
        found = self._find(destination, now_ns)
        if found is None:
            if is_unicast(destination):
                self.counts.flooded += 1
            return tuple(other for other in self._ports if other != number)
        if found == number:
            self.counts.nowhere += 1
            return NOWHERE
        # The next frames of a conversation are of the same two.
        port.last, port.targets, port.until_ns = addresses, (found,), now_ns + REFRESH_NS
        return port.targets

    def _find(self, destination: bytes, now_ns: int) -> int | None:
        own = self._own.get(destination)
        if own is not None:
            return own
        place = self._places.get(destination)
        if place is None:
            return None
        if now_ns - place.heard_ns > AGE_NS:
            self._forget(destination)
            return None
        return place.port

    def _learn(self, number: int, port: Port, source: bytes, now_ns: int) -> bool:
        """Note where a station is; False when it may not be there."""
        if port.strict or source in self._own or not is_unicast(source):
            self.counts.spoofed += 1
            return False
        place = self._places.get(source)
        if place is None or now_ns - place.heard_ns > AGE_NS:
            since_ns = now_ns
        elif place.port == number:
            since_ns = place.since_ns
        elif now_ns - place.since_ns < SETTLED_NS:
            self.counts.refused += 1
            return False
        else:
            self.counts.moved += 1
            since_ns = now_ns
        if place is not None and place.port != number:
            self._forget(source)
            self._changed()
        port.learned.pop(source, None)
        if len(port.learned) >= LEARNED_MAX:
            self._forget(next(iter(port.learned)))
            self._changed()
        port.learned[source] = None
        self._places[source] = Place(number, now_ns, since_ns)
        return True

    def _forget(self, mac: bytes) -> None:
        place = self._places.pop(mac, None)
        if place is not None:
            del self._ports[place.port].learned[mac]

    def _changed(self) -> None:
        """What ports remember of their last frame may hold no longer."""
        for port in self._ports.values():
            port.last = b""

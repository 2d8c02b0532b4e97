"""Echo requests on their way through the host (ping), and whose the replies are."""

from typing import NamedTuple

from hospes.network.icmp import Echo
from hospes.network.limits import Limits
from hospes.network.packet import IpPacket


class Asked(NamedTuple):
    """A guest's request: who asked whom with which identifier and sequence, and when."""

    source: bytes
    destination: bytes
    target: bytes
    echo: Echo
    at_ns: int


class Echoes:
    """Requests under numbers of our own, for the host's kernel has its own identifiers."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._asked: dict[int, Asked] = {}
        self._number = 0

    def add(self, packet: IpPacket, echo: Echo, target: bytes, now_ns: int) -> int:
        """The number for a request; the oldest without a reply gives way."""
        while self._asked:
            number, oldest = next(iter(self._asked.items()))
            full = len(self._asked) >= self._limits.echoes
            if not full and now_ns - oldest.at_ns < self._limits.echo_idle_ns:
                break
            del self._asked[number]
        self._number = (self._number + 1) & 0xFFFF
        short = echo._replace(data=b"")
        self._asked[self._number] = Asked(packet.source, packet.destination, target, short, now_ns)
        return self._number

    def take(self, number: int, target: bytes) -> Asked | None:
        """The request that a reply from target belongs to; a second reply belongs to none."""
        asked = self._asked.get(number)
        if asked is None or asked.target != target:
            return None
        return self._asked.pop(number)

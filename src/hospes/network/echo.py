"""Echo requests on their way through the host (ping), and whose the replies are."""

from typing import NamedTuple

from hospes.network.icmp import Echo
from hospes.network.limits import Limits
from hospes.network.packet import IpPacket
from hospes.network.shares import SharedTable


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
        self._asked = SharedTable[int, Asked](limits.echoes)
        self._number = 0

    def add(self, packet: IpPacket, echo: Echo, target: bytes, now_ns: int, station: int) -> int:
        """The number for a station's request; its oldest without a reply may give way."""
        while (first := self._asked.oldest(station)) is not None:
            number, oldest = first
            if now_ns - oldest.at_ns < self._limits.echo_idle_ns:
                break
            self._asked.pop(number)
        self._number = (self._number + 1) & 0xFFFF
        short = echo._replace(data=b"")
        asked = Asked(packet.source, packet.destination, target, short, now_ns)
        self._asked.put(self._number, asked, station)
        return self._number

    def take(self, number: int, target: bytes) -> Asked | None:
        """The request that a reply from target belongs to; a second reply belongs to none."""
        asked = self._asked.get(number)
        if asked is None or asked.target != target:
            return None
        return self._asked.pop(number)

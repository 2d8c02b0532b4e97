"""Fragments of IP datagrams put together again (RFC 791, section 3.2; RFC 8200, section 4.5)."""

from dataclasses import dataclass, field
from typing import Final

from hospes.base.errors import GuestError
from hospes.network.packet import IP_MAX_BYTES, IpPacket
from hospes.network.shares import SharedTable

DATAGRAMS_MAX: Final = 64
PIECES_MAX: Final = 128
HELD_BYTES_MAX: Final = 8 << 20
"""Of frames, whatever else is in them than fragments."""
AGE_MAX_NS: Final = 30_000_000_000

Key = tuple[bytes, bytes, int, int]


@dataclass
class Partial:
    """A datagram of which something is missing: pieces by offset, its length once known."""

    born_ns: int
    pieces: dict[int, IpPacket] = field(default_factory=dict)
    length: int | None = None
    carried: int = 0
    held: int = 0


class Reassembly:
    """At most DATAGRAMS_MAX datagrams under way, each for AGE_MAX_NS; then, of the station that
    has most, the oldest gives way.
    """

    def __init__(self) -> None:
        self._partial = SharedTable[Key, Partial](DATAGRAMS_MAX)
        self.held = 0

    def add(self, packet: IpPacket, now_ns: int, station: int = 0) -> list[IpPacket] | None:
        """All pieces of a station's datagram in order, once this was the last one missing.

        GuestError, and the datagram is gone, when pieces overlap (RFC 5722) or reach too far.
        """
        fragment = packet.fragment
        if fragment is None:
            return [packet]
        key = (packet.source, packet.destination, packet.protocol, fragment.identification)
        partial = self._find(key, now_ns, station)
        end = fragment.offset + packet.length
        if end > IP_MAX_BYTES or (fragment.more and packet.length & 7) or not packet.length:
            self._forget(key)
            raise GuestError(f"a fragment of {packet.length} bytes at {fragment.offset}")
        if fragment.offset in partial.pieces:
            return None
        partial.pieces[fragment.offset] = packet
        partial.carried += packet.length
        partial.held += len(packet.frame)
        self.held += len(packet.frame)
        if not fragment.more:
            partial.length = end
        if len(partial.pieces) > PIECES_MAX or partial.carried > (partial.length or IP_MAX_BYTES):
            self._forget(key)
            raise GuestError("fragments overlap or are too many")
        if partial.carried == partial.length:
            self._forget(key)
            return _in_order(partial)
        while self.held > HELD_BYTES_MAX:
            self.held -= self._partial.give_way().held
        return None

    def clear(self) -> None:
        """Forget what is under way."""
        self._partial.clear()
        self.held = 0

    def _find(self, key: Key, now_ns: int, station: int) -> Partial:
        partial = self._partial.get(key)
        if partial is None or now_ns - partial.born_ns > AGE_MAX_NS:
            self._forget(key)
            partial = Partial(now_ns)
            gone = self._partial.put(key, partial, station)
            self.held -= gone.held if gone is not None else 0
        return partial

    def _forget(self, key: Key) -> None:
        gone = self._partial.pop(key)
        if gone is not None:
            self.held -= gone.held


def joined(pieces: list[IpPacket]) -> IpPacket:
    """The datagram that consecutive pieces make up."""
    first = pieces[0]
    if first.fragment is None:
        return first
    data = b"".join(piece.payload for piece in pieces)
    header = first.frame[first.network_at : first.start]
    return first._replace(
        frame=header + data,
        network_at=0,
        start=len(header),
        end=len(header) + len(data),
        fragment=None,
    )


def _in_order(partial: Partial) -> list[IpPacket]:
    """GuestError when pieces overlap, and so leave a gap elsewhere."""
    at, found = 0, []
    for offset in sorted(partial.pieces):
        if offset != at:
            raise GuestError("fragments overlap")
        found.append(partial.pieces[offset])
        at += partial.pieces[offset].length
    return found

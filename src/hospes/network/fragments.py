"""Fragments of IP datagrams put together again (RFC 791, section 3.2; RFC 8200, section 4.5)."""

from dataclasses import dataclass, field
from typing import Final

from hospes.base.errors import GuestError
from hospes.network.packet import IP_MAX_BYTES, IpPacket

DATAGRAMS_MAX: Final = 64
PIECES_MAX: Final = 128
AGE_MAX_NS: Final = 30_000_000_000

Key = tuple[bytes, bytes, int, int]


@dataclass
class Partial:
    """A datagram of which something is missing: pieces by offset, its length once known."""

    born_ns: int
    pieces: dict[int, bytes] = field(default_factory=dict)
    length: int | None = None
    held: int = 0


class Reassembly:
    """At most DATAGRAMS_MAX datagrams under way, each for AGE_MAX_NS; the oldest gives way."""

    def __init__(self) -> None:
        self._partial: dict[Key, Partial] = {}

    def add(self, packet: IpPacket, now_ns: int) -> IpPacket | None:
        """The whole packet once this was the last piece missing.

        GuestError, and the datagram is gone, when pieces overlap (RFC 5722) or reach too far.
        """
        fragment = packet.fragment
        if fragment is None:
            return packet
        key = (packet.source, packet.destination, packet.protocol, fragment.identification)
        partial = self._find(key, now_ns)
        end = fragment.offset + packet.length
        if end > IP_MAX_BYTES or (fragment.more and packet.length & 7) or not packet.length:
            del self._partial[key]
            raise GuestError(f"a fragment of {packet.length} bytes at {fragment.offset}")
        if fragment.offset in partial.pieces:
            return None
        partial.pieces[fragment.offset] = bytes(packet.payload)
        partial.held += packet.length
        if not fragment.more:
            partial.length = end
        if len(partial.pieces) > PIECES_MAX or partial.held > (partial.length or IP_MAX_BYTES):
            del self._partial[key]
            raise GuestError("fragments overlap or are too many")
        if partial.held != partial.length:
            return None
        del self._partial[key]
        return _whole(packet, partial)

    def _find(self, key: Key, now_ns: int) -> Partial:
        partial = self._partial.get(key)
        if partial is None or now_ns - partial.born_ns > AGE_MAX_NS:
            self._partial.pop(key, None)
            if len(self._partial) >= DATAGRAMS_MAX:
                del self._partial[next(iter(self._partial))]
            partial = self._partial[key] = Partial(now_ns)
        return partial


def _whole(packet: IpPacket, partial: Partial) -> IpPacket:
    at = 0
    for offset in sorted(partial.pieces):
        if offset != at:
            raise GuestError("fragments overlap")
        at += len(partial.pieces[offset])
    data = b"".join(partial.pieces[offset] for offset in sorted(partial.pieces))
    header = packet.frame[packet.network_at : packet.start]
    return packet._replace(
        frame=header + data,
        network_at=0,
        start=len(header),
        end=len(header) + len(data),
        fragment=None,
    )

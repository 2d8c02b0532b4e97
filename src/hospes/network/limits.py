"""How much of the host one guest, or those of one shared network, may use through it."""

from dataclasses import dataclass
from typing import Final

SECOND_NS: Final = 1_000_000_000
MILLISECOND_NS: Final = 1_000_000


@dataclass(frozen=True)
class Limits:
    """Counts, bytes and nanoseconds; what exceeds them is refused or dropped, and counted.

    When all connections are taken, one of a guest that has more than the new one's gives way, or
    one that has been idle for `evict_idle_ns`.
    """

    connections: int = 4096
    flows: int = 1024
    peers: int = 256
    echoes: int = 256
    neighbours: int = 256
    connection_bytes: int = 1 << 20
    """What one connection may hold, each way."""
    assured_bytes: int = 64 << 10
    """What a connection may hold whatever the others do."""
    total_bytes: int = 64 << 20
    """What all connections of a guest may hold together beyond that, each way."""
    queue_bytes: int = 8 << 20
    """Frames for the guest that wait; hosts are not read beyond."""
    queue_frames: int = 16384
    """Frames beyond are dropped."""
    evict_idle_ns: int = 60 * SECOND_NS
    flow_idle_ns: int = 120 * SECOND_NS
    """UDP: RFC 4787, REQ-5."""
    query_idle_ns: int = 10 * SECOND_NS
    """UDP to port 53, which is one question and one answer."""
    echo_idle_ns: int = 10 * SECOND_NS


class Budget:
    """Bytes that all connections of a guest hold together in one direction."""

    def __init__(self, limit: int) -> None:
        self.limit, self.used = limit, 0

    @property
    def left(self) -> int:
        """May be negative, for each connection has an assured share."""
        return self.limit - self.used

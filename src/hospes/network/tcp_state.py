"""What the connections of a network have in common: phases, constants and collaborators."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Final

from hospes.network.limits import SECOND_NS, Budget, Limits

SCALE: Final = 7
SUPER_BYTES: Final = 64_000
"""Data in one frame to the guest, below what an IP packet can hold."""
TIME_WAIT_NS: Final = SECOND_NS
"""Short, for the cable neither delays nor duplicates."""
KEEPALIVE_NS: Final = 7200 * SECOND_NS
"""RFC 9293, section 3.8.4."""
SYN_RETRIES_MAX: Final = 6
MSS_LEAST: Final = 48
"""Less is nonsense, or an attempt to have many tiny segments made."""


class Phase(Enum):
    """Where a connection is; OPEN covers the states in which data or a FIN may pass."""

    CONNECTING = "connecting"
    SYN_SENT = "syn-sent"
    SYN_RECEIVED = "syn-received"
    OPEN = "open"
    TIME_WAIT = "time-wait"
    CLOSED = "closed"


@dataclass
class Shared:
    """What the connections of one station have in common, and how many they are."""

    limits: Limits
    emit: Callable[[bytes], None]
    received: Budget
    sent: Budget
    retransmitted: Callable[[], None] = lambda: None
    connections: int = 0

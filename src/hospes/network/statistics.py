"""What a network has done and dropped, in numbers for whoever watches a machine."""

from dataclasses import dataclass
from typing import NamedTuple


@dataclass
class Statistics:
    """Counts since the network was made."""

    frames_from_guest: int = 0
    frames_to_guest: int = 0
    bytes_from_guest: int = 0
    bytes_to_guest: int = 0
    malformed: int = 0
    """Frames from the guest that contradict themselves."""
    ignored: int = 0
    """Frames that are of no concern to this network."""
    overrun: int = 0
    """Frames for the guest that were dropped because it took none."""
    refused: int = 0
    """Connections and datagrams to where the guest may not reach, or beyond a limit."""
    connections: int = 0
    """TCP connections begun."""
    retransmitted: int = 0
    """TCP segments sent to the guest again."""


class Passed(NamedTuple):
    """Frames and bytes as the guest sees them; dropped are frames that it did not take."""

    frames_sent: int = 0
    bytes_sent: int = 0
    frames_received: int = 0
    bytes_received: int = 0
    dropped: int = 0

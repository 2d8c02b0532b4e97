"""How a connection comes about and ends, as who stands between the two ends can see it."""

from typing import Final

from hospes.network.firewall.flows import (
    CLOSED_NS,
    OTHER_PATIENCE_NS,
    PATIENCE_NS,
    RESET_NS,
    Flow,
    FlowTable,
    Phase,
)

FIN, SYN, RST, ACK = 1, 2, 4, 16
STEPS: Final = FIN | SYN | RST
"""Flags of segments that change a connection's state."""
_OPENER, _OTHER = 1, 2


def follow(flows: FlowTable, flow: Flow, flags: int, *, by_opener: bool) -> None:
    """A packet of a connection has passed; flags are those of TCP, 0 for all other protocols.

    A connection counts as settled once its opener has reacted to an answer, which who lies about
    his address cannot.
    """
    patience = PATIENCE_NS.get(flow.protocol, OTHER_PATIENCE_NS)
    if flags & RST:
        flows.advance(flow, Phase.CLOSED, RESET_NS)
        return
    if flow.phase is Phase.OPENED and not by_opener:
        flows.advance(flow, Phase.ANSWERED, patience[Phase.ANSWERED])
    elif flow.phase is Phase.ANSWERED and by_opener and not flags & SYN:
        flows.advance(flow, Phase.SETTLED, patience[Phase.SETTLED])
    if flags & FIN:
        flow.fins |= _OPENER if by_opener else _OTHER
        if flow.fins == _OPENER | _OTHER:
            flows.advance(flow, Phase.CLOSED, CLOSED_NS)


def begins_anew(flow: Flow, flags: int) -> bool:
    """Whether a packet is the first of another connection between the same two ports."""
    return flow.phase is Phase.CLOSED and flags & (SYN | ACK) == SYN

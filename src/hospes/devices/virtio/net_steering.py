"""Which pair of a network card's queues a frame belongs to (virtio 1.2, section 5.1.6.5.5)."""

import zlib
from dataclasses import dataclass, field
from typing import Final

from hospes.devices.virtio.net_frame import TYPE

FLOWS_MAX: Final = 1024
IPV4, IPV6 = b"\x08\x00", b"\x86\xdd"
_IPV4_HEADER: Final = 0x45
_TCP, _UDP = 6, 17
_FRAGMENT: Final = 0x3FFF
_PORTS_END: Final = 50
"""Of IPv4, the shorter one; a part of a key is no worse than a whole one."""


@dataclass
class Steering:
    """A flow's frames go to the pair that the guest last sent one from; part of a snapshot.

    `flows` has pairs by flow, in the order they were first used: the oldest is forgotten first.
    """

    flows: dict[bytes, int] = field(default_factory=dict)

    def learn(self, frame: bytes, pair: int) -> None:
        """The guest has sent a frame from a pair."""
        flow, flows = flow_of_sent(frame), self.flows
        if flow not in flows and len(flows) == FLOWS_MAX:
            del flows[next(iter(flows))]
        flows[flow] = pair

    def pair_for(self, frame: bytes, pairs: int) -> int:
        """Of so many pairs, the one for a frame to the guest; always one for an unknown flow."""
        flow = flow_of_received(frame)
        pair = self.flows.get(flow, pairs)
        return pair if pair < pairs else zlib.crc32(flow) % pairs


def flow_of_sent(frame: bytes) -> bytes:
    """Addresses and ports of a frame, from the guest's to the other; b"" if it has none."""
    if len(frame) < _PORTS_END:
        return b""
    kind = frame[TYPE]
    if kind == IPV4:
        return frame[38:50] if _has_ports(frame) else frame[38:46]
    return frame[34:70] if kind == IPV6 and frame[32] in (_TCP, _UDP) else b""


def flow_of_received(frame: bytes) -> bytes:
    """The same key for a frame in the other direction."""
    key = flow_of_sent(frame)
    if len(key) <= 12:
        return key[4:8] + key[:4] + key[10:12] + key[8:10]
    return key[16:32] + key[:16] + key[34:36] + key[32:34]


def _has_ports(frame: bytes) -> bool:
    """Whether an IPv4 header without options is followed by ports, in every part of a packet."""
    fragment = int.from_bytes(frame[32:34], "big") & _FRAGMENT
    return frame[26] == _IPV4_HEADER and not fragment and frame[35] in (_TCP, _UDP)

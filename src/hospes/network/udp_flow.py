"""UDP through the NAT: a flow for each of the guest's ports, which hears only whom it wrote to."""

from collections.abc import Container
from dataclasses import dataclass, field
from typing import Final

from hospes.network.limits import Limits
from hospes.network.shares import SharedTable

Peer = tuple[bytes, int]
DNS_PORT: Final = 53


@dataclass(eq=False)
class UdpFlow:
    """One port of the guest, mapped to one socket of the host (RFC 4787, REQ-1).

    `peers` maps whom the host hears from to whom the guest wrote to; only they may answer (REQ-8).
    `is_ipv4` is of the socket, which may differ from the guest's for the name server.
    """

    address: bytes
    port: int
    is_ipv4: bool
    used_ns: int
    peers: dict[Peer, Peer] = field(default_factory=dict)
    host: object = None
    queries_only: bool = True

    def allow(self, outside: Peer, inside: Peer, limit: int) -> None:
        """The guest has written to inside, which is outside on the host."""
        if self.peers.get(outside) != inside:
            if len(self.peers) >= limit:
                del self.peers[next(iter(self.peers))]
            self.peers[outside] = inside
        if outside[1] != DNS_PORT:
            self.queries_only = False


class UdpFlows:
    """At most Limits.flows; beyond, the station that has most loses one."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._flows = SharedTable[tuple[bytes, int, bool], UdpFlow](limits.flows)

    def __len__(self) -> int:
        return len(self._flows)

    def find(
        self, address: bytes, port: int, is_ipv4: bool, now_ns: int, station: int
    ) -> tuple[UdpFlow, UdpFlow | None]:
        """The flow of a guest's port, made if there is none, and the one that gave way for it."""
        key = (address, port, is_ipv4)
        flow = self._flows.get(key)
        if flow is None:
            flow = UdpFlow(address, port, is_ipv4, now_ns)
        flow.used_ns = now_ns
        return flow, self._flows.put(key, flow, station)

    def expired(self, now_ns: int) -> list[UdpFlow]:
        """Flows that have been idle for too long, removed."""
        limits = self._limits
        old = [
            (key, flow)
            for key, flow in self._flows.items()
            if now_ns - flow.used_ns
            > (limits.query_idle_ns if flow.queries_only else limits.flow_idle_ns)
        ]
        for key, _ in old:
            self._flows.pop(key)
        return [flow for _, flow in old]

    def clear(self, addresses: Container[bytes] | None = None) -> list[UdpFlow]:
        """All flows, or those of a guest's addresses, removed."""
        gone = [
            (key, flow)
            for key, flow in self._flows.items()
            if addresses is None or key[0] in addresses
        ]
        for key, _ in gone:
            self._flows.pop(key)
        return [flow for _, flow in gone]

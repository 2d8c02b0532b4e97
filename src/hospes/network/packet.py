"""An IP packet of either version, as the layers above it see it."""

from typing import Final, NamedTuple

TCP, UDP, ICMP, ICMPV6 = 6, 17, 1, 58
HOP_LIMIT: Final = 64
IP_MAX_BYTES: Final = 65535


class Fragment(NamedTuple):
    """A packet's place in a larger one: offset in bytes, and whether more follows."""

    identification: int
    offset: int
    more: bool


class IpPacket(NamedTuple):
    """Addresses are packed; what the packet carries is `frame[start:end]`."""

    source: bytes
    destination: bytes
    protocol: int
    frame: bytes
    network_at: int
    start: int
    end: int
    hop_limit: int = HOP_LIMIT
    fragment: Fragment | None = None

    @property
    def is_ipv4(self) -> bool:
        """Otherwise it is IPv6."""
        return len(self.source) == 4

    @property
    def payload(self) -> memoryview:
        """What it carries."""
        return memoryview(self.frame)[self.start : self.end]

    @property
    def length(self) -> int:
        """Bytes of what it carries."""
        return self.end - self.start

    def quoted(self, limit: int) -> bytes:
        """Its header and the beginning of what it carries, for an ICMP error."""
        return self.frame[self.network_at : min(self.end, self.network_at + limit)]

"""What there is to say of a network that machines share."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Present:
    """A machine that is in a network now; dropped are frames that it did not take."""

    name: str
    mac: str
    address: str
    frames_sent: int
    bytes_sent: int
    frames_received: int
    bytes_received: int
    dropped: int
    published: tuple[str, ...]


@dataclass(frozen=True)
class Known:
    """Who has or had an address in a network, which is kept for its card."""

    name: str
    mac: str
    address: str


@dataclass(frozen=True)
class NetworkInspected:
    """Everything known of a network; counts are of its switch and gateway while it is at work.

    `bridge` is what the bridge of the host is called that it is, "" for a network in user mode.
    """

    name: str
    kind: str
    bridge: str
    subnet: str
    gateway: str
    ipv6: str
    dns: bool
    domain: str
    isolated: bool
    allow_host: bool
    strict: bool
    fixed: dict[str, str]
    leases: tuple[Known, ...]
    process: int | None
    machines: tuple[Present, ...]
    switch: dict[str, int]
    uplink: dict[str, int]

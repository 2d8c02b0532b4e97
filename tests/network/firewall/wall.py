"""A firewall with a clock, and frames of a guest and of others, for its tests."""

import struct

from tests.network import frames
from tests.network.frames import GUEST4, GUEST6, GUEST_MAC, OUR_MAC, SYN, WORLD4, tcp, udp

from hospes.network.firewall.filter import Firewall
from hospes.spec.firewall import Direction
from hospes.spec.firewall_rules import firewall_of

SECOND = 1_000_000_000
DNS4 = frames.DNS4
SERVER6 = bytes.fromhex("fd000000000000000000000000000003")


def inbound(frame: bytes) -> bytes:
    """The same from the other side of the cable."""
    return frame[:12] + GUEST_MAC + OUR_MAC + frame[24:]


class Wall:
    """The firewall of some rules; `out` and `into` say how many of the frames given pass."""

    def __init__(self, *texts: str, servers: tuple[bytes, ...] | None = (DNS4,), **options) -> None:
        spec = firewall_of(texts)
        assert spec is not None
        self.firewall, self.now = Firewall(spec, servers=servers, **options), 100 * SECOND

    def out(self, *given: bytes) -> int:
        return len(self.firewall.outgoing(given, self.now))

    def due(self, direction: Direction = Direction.OUT, limit: int = 1000) -> int:
        """How many that were held back pass by now."""
        return len(self.firewall.due(direction, self.now, limit))

    def into(self, *given: bytes) -> int:
        return len(self.firewall.incoming([inbound(each) for each in given], self.now))

    def change(self, *texts: str) -> None:
        spec = firewall_of(texts)
        assert spec is not None
        self.firewall.change(spec)

    def wait(self, seconds: float) -> None:
        self.now += int(seconds * SECOND)

    def counts(self) -> dict[str, tuple[int, int]]:
        """Packets that passed or were refused, and those dropped by a rate."""
        rows = self.firewall.status().rows
        return {f"{r.verdict} {r.direction} {r.rule}": (r.packets, r.dropped) for r in rows}

    def told(self) -> list[frames.Seen]:
        """What the guest is told."""
        taken = [frames.see(each) for each in self.firewall.for_guest]
        self.firewall.for_guest.clear()
        return taken


def syn(port: int, remote: bytes = WORLD4, own: int = 40000, flags: int = SYN) -> bytes:
    """A segment of the guest."""
    guest = GUEST4 if len(remote) == 4 else GUEST6
    return tcp((guest, own), (remote, port), 1000, 0, flags)


def knock(port: int, remote: bytes = WORLD4, own: int = 50000, flags: int = SYN) -> bytes:
    """A segment for the guest's port."""
    guest = GUEST4 if len(remote) == 4 else GUEST6
    return tcp((remote, own), (guest, port), 1000, 0, flags)


def reply(port: int, remote: bytes = WORLD4, own: int = 40000, flags: int = SYN | 16) -> bytes:
    """An answer to `syn`."""
    return knock(own, remote, port, flags)


def name_bytes(name: str) -> bytes:
    parts = [bytes((len(label),)) + label.encode() for label in name.split(".") if label]
    return b"".join(parts) + b"\0"


def question(name: str, kind: int = 1, number: int = 7) -> bytes:
    return struct.pack(">HHHHHH", number, 0x0100, 1, 0, 0, 0) + name_bytes(name) + struct.pack(
        ">HH", kind, 1
    )  # fmt: skip


def record(owner: str, kind: int, seconds: int, data: bytes) -> bytes:
    return name_bytes(owner) + struct.pack(">HHIH", kind, 1, seconds, len(data)) + data


def answer(
    name: str, *records: bytes, kind: int = 1, number: int = 7, flags: int = 0x8180
) -> bytes:
    head = struct.pack(">HHHHHH", number, flags, 1, len(records), 0, 0)
    return head + name_bytes(name) + struct.pack(">HH", kind, 1) + b"".join(records)


def ask(message: bytes, server: bytes = DNS4, own: int = 5353) -> bytes:
    return udp((GUEST4, own), (server, 53), message)


def tell(message: bytes, server: bytes = DNS4, own: int = 5353) -> bytes:
    return udp((server, 53), (GUEST4, own), message)

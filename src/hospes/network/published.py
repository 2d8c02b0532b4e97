"""Ports of the guest that the host offers to others, and the way back for their UDP answers."""

from dataclasses import dataclass
from typing import Final, NamedTuple

from hospes.network.udp_flow import Peer

RETURNS_MAX: Final = 1024


@dataclass(frozen=True)
class Publication:
    """A port of the host that leads to one of the guest; `protocol` is tcp or udp."""

    protocol: str
    address: str
    port: int
    guest: str
    guest_port: int

    def __str__(self) -> str:
        return f"{self.protocol} {self.address}:{self.port}"


class Return(NamedTuple):
    """Where an answer of the guest goes."""

    publication: Publication
    client: Peer
    used_ns: int


class Returns:
    """By the guest's end and the end it answers to; the entry used longest ago gives way."""

    def __init__(self) -> None:
        self._entries: dict[tuple[Peer, Peer], Return] = {}

    def note(self, guest: Peer, seen: Peer, entry: Return) -> None:
        """A client has written to the guest, which sees it as `seen`."""
        key = (guest, seen)
        if self._entries.pop(key, None) is None and len(self._entries) >= RETURNS_MAX:
            del self._entries[next(iter(self._entries))]
        self._entries[key] = entry

    def find(self, guest: Peer, seen: Peer) -> Return | None:
        """The client that the guest answers, if it does."""
        return self._entries.get((guest, seen)) if self._entries else None

    def forget(self, publication: Publication) -> None:
        """The port is no longer published."""
        self._entries = {
            key: entry
            for key, entry in self._entries.items()
            if entry.publication != publication
        }

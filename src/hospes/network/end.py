"""What all networks of a guest have: frames that wait for it, and a thread that polls."""

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Final

from hospes.network.cable import Cable
from hospes.network.host_poll import Poll
from hospes.network.limits import Limits
from hospes.network.statistics import Statistics

JOIN_SECONDS: Final = 5.0
"""How long `close` waits for the thread."""


class NetworkEnd(ABC):
    """A NetworkBackend (devices/backends.py) but for `send` and `close`.

    `ring` is called by any thread when frames have come or the link has changed. Who is ready
    starts `_thread`.
    """

    def __init__(self, limits: Limits, ring: Callable[[], None]) -> None:
        self._ring = ring
        self.statistics = Statistics()
        self._cable, self._poll = Cable(limits, self.statistics, ring), Poll()
        self._up, self._closing = True, False
        self._thread = threading.Thread(target=self._serve, name="hospes-network", daemon=True)

    @property
    def link_up(self) -> bool:
        """Whether the cable leads anywhere."""
        return self._up

    @property
    def waiting(self) -> bool:
        """Whether a frame is there for the guest."""
        return self._cable.waiting

    def accept(self, offloads: int) -> None:
        """What the guest's driver takes (vnet.Offloads)."""
        self._cable.accept(offloads)

    def receive(self, limit: int) -> list[bytes]:
        """Up to limit frames for the guest."""
        frames = self._cable.take(limit)
        if self._holds_back() and self._cable.drained:
            self._poll.wake()
        return frames

    @abstractmethod
    def _serve(self) -> None:
        """What the thread does."""

    @abstractmethod
    def _holds_back(self) -> bool:
        """Whether nothing is taken from the host until the guest has taken what is there."""

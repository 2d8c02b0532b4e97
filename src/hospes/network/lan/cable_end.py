"""A machine's cable to the switch of a network that it shares, plugged in anew when that ends."""

import threading
from collections.abc import Callable
from typing import Final

from hospes.base.errors import HospesError
from hospes.network.ethernet import NETWORK_AT
from hospes.network.framing import LENGTH_BYTES, Outbox, tune
from hospes.network.lan.connection import ask, plug_in
from hospes.network.lan.directory import LanDirectory
from hospes.network.lan.messages import Publish, Withdraw
from hospes.network.stream_end import QUEUE_BYTES, StreamEnd
from hospes.network.vnet import FRAME_MAX_BYTES
from hospes.spec.net import Publication

AGAIN_SECONDS: Final = (0.0, 0.1, 0.5, 2.0, 5.0)
"""Between attempts to reach a network again; the last is repeated."""


class CableEnd(StreamEnd):
    """A NetworkBackend (devices/backends.py) whose frames cross a socket, and not one is cut up.

    `ring` is called by any thread when frames have come or the link has changed; `remark` gets a
    sentence for the user. A thread reaches the network again when its process has ended.
    HospesError when it cannot be reached at first.
    """

    def __init__(
        self,
        directory: LanDirectory,
        mac: str,
        name: str,
        *,
        ring: Callable[[], None] = lambda: None,
        remark: Callable[[str], None] = lambda text: None,
    ) -> None:
        super().__init__(ring, remark, NETWORK_AT, FRAME_MAX_BYTES)
        self._directory, self._mac, self._name = directory, mac, name
        self._ports_lock = threading.Lock()
        self._ports: list[Publication] = []
        self._ended = threading.Event()
        try:
            self._join()
        except BaseException:
            self._poll.close()
            raise
        self._thread.start()

    @property
    def publications(self) -> tuple[Publication, ...]:
        """The ports that are published."""
        return tuple(self._ports)

    def publish(self, publication: Publication) -> None:
        """Offer a port of the guest on the host; HospesError when the host's port is in use."""
        with self._ports_lock:
            ask(self._directory, Publish(self._mac, publication), type(None))
            self._ports.append(publication)

    def withdraw(self, publication: Publication) -> None:
        """Offer it no more, but leave its connections; HospesError when it is not offered."""
        with self._ports_lock:
            ask(self._directory, Withdraw(self._mac, publication), type(None))
            self._ports.remove(publication)

    def close(self) -> None:
        """Unplug; may be called again."""
        self._ended.set()
        super().close()

    def _put(self, outbox: Outbox, frame: bytes) -> bool:
        return outbox.put(len(frame).to_bytes(LENGTH_BYTES), frame)

    def _received(self, piece: memoryview) -> bytes:
        return bytes(piece)

    def _join(self) -> None:
        """Plug in."""
        connection, self.address = plug_in(self._directory, self._mac, self._name)
        tune(connection)
        self._connect(connection, Outbox(connection, QUEUE_BYTES))

    def _cut_off(self) -> None:
        """The network's process has ended before this machine: have another."""
        for attempt in range(1 << 30):
            pause = AGAIN_SECONDS[min(attempt, len(AGAIN_SECONDS) - 1)]
            if self._ended.wait(pause):
                return
            try:
                self._join()
            except HospesError as error:
                self._lost(str(error))
                continue
            self._publish_again()
            self._plug(True)
            return

    def _publish_again(self) -> None:
        """What was published is so again, as far as can be."""
        for publication in self.publications:
            try:
                ask(self._directory, Publish(self._mac, publication), type(None))
            except HospesError as error:
                self._remark(f"a port is published no more: {error}")

    def _lost(self, why: str) -> None:
        if self._up:
            self._remark(f"the machine is cut off from the network {self._directory.name!r}: {why}")
        self._plug(False)

"""A machine's cable to the switch of a network that it shares, plugged in anew when that ends."""

import threading
from collections.abc import Callable, Sequence
from socket import socket
from typing import Final

from hospes.base.errors import GuestError, HospesError
from hospes.base.log import save_crash
from hospes.network.end import JOIN_SECONDS, NetworkEnd
from hospes.network.ethernet import NETWORK_AT
from hospes.network.host_poll import READ, WRITE
from hospes.network.lan.connection import ask, plug_in
from hospes.network.lan.directory import LanDirectory
from hospes.network.lan.framing import LENGTH_BYTES, Inbox, Outbox, tune
from hospes.network.lan.messages import Publish, Withdraw
from hospes.network.limits import Limits
from hospes.network.vnet import FRAME_MAX_BYTES
from hospes.spec.net import Publication

QUEUE_BYTES: Final = 8 << 20
"""Of a guest that sends faster than the switch takes; what comes then is dropped, and counted."""
AGAIN_SECONDS: Final = (0.0, 0.1, 0.5, 2.0, 5.0)
"""Between attempts to reach a network again; the last is repeated."""


class CableEnd(NetworkEnd):
    """A NetworkBackend (devices/backends.py) whose frames cross a socket, and not one is cut up.

    `ring` is called by any thread when frames have come or the link has changed; `remark` gets a
    sentence for the user. The guest's frames are sent by whoever sends them; a thread receives, and
    reaches the network again when its process has ended. HospesError when it cannot be reached at
    first.
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
        super().__init__(Limits(), ring)
        self._directory, self._mac, self._name = directory, mac, name
        self._remark, self._mask = remark, 0
        self._lock, self._ports_lock = threading.Lock(), threading.Lock()
        self._ports: list[Publication] = []
        self._ended = threading.Event()
        try:
            self._join()
        except BaseException:
            self._poll.close()
            raise
        self._thread.start()

    def send(self, frames: Sequence[bytes]) -> None:
        """Frames of the guest; never waits."""
        statistics = self.statistics
        with self._lock:
            outbox = self._outbox
            if outbox is None:
                statistics.ignored += len(frames)
                return
            for frame in frames:
                if outbox.put(len(frame).to_bytes(LENGTH_BYTES), frame):
                    statistics.frames_from_guest += 1
                    statistics.bytes_from_guest += len(frame)
                else:
                    statistics.refused += 1
            self._flush(outbox)

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
        if self._closing:
            return
        self._closing = True
        self._ended.set()
        self._poll.wake()
        self._thread.join(JOIN_SECONDS)
        self._drop()
        self._cable.clear()
        if not self._thread.is_alive():
            self._poll.close()

    def _holds_back(self) -> bool:
        return self._held_back

    def _join(self) -> None:
        """Plug in; what was published is so again, as far as can be."""
        connection, self.address = plug_in(self._directory, self._mac, self._name)
        tune(connection)
        inbox = Inbox(NETWORK_AT, FRAME_MAX_BYTES)
        with self._lock:
            self._socket: socket | None = connection
            self._outbox: Outbox | None = Outbox(connection, QUEUE_BYTES)
            self._inbox, self._held_back = inbox, False
            self._want(READ)

    def _drop(self) -> None:
        """The connection is of no use any more."""
        with self._lock:
            if self._socket is not None:
                self._want(0)
                self._socket.close()
            self._socket = self._outbox = None

    def _want(self, mask: int) -> None:
        if self._socket is not None:
            self._poll.want(self._socket.fileno(), self._mask, mask, self._ready)
            self._mask = mask

    def _flush(self, outbox: Outbox) -> bool:
        """With the lock held; False when the other end is gone, which the thread notices too."""
        try:
            outbox.flush()
        except OSError:
            return False
        self._want(self._mask & READ | (WRITE if outbox.waiting else 0))
        return True

    def _serve(self) -> None:
        """The thread: frames from the switch, and a new connection when this one has ended."""
        while not self._closing:
            try:
                for ready, events in self._poll.wait(None):
                    ready(events)
                if self._held_back and self._cable.drained:
                    self._held_back = False
                    with self._lock:
                        self._want(self._mask | READ)
                if self._socket is None:
                    self._join_again()
            except Exception as error:
                save_crash(error)
                self._drop()
            self._cable.ring_if_due()

    def _ready(self, events: int) -> None:
        with self._lock:
            outbox, connection = self._outbox, self._socket
            if outbox is None or connection is None:
                return
            there = not events & WRITE or self._flush(outbox)
        if not there or (events & READ and not self._receive(connection)):
            self._drop()

    def _receive(self, connection: socket) -> bool:
        """Take frames; False at the end of the connection."""
        inbox = self._inbox
        try:
            if not inbox.receive(connection):
                return False
            pieces = inbox.take()
        except BlockingIOError:
            return True
        except (OSError, GuestError):
            return False
        for start, end in pieces:
            try:
                self._cable.emit(bytes(inbox.view[start:end]))
            except GuestError:
                self.statistics.malformed += 1
        if self._cable.full:
            self._held_back = True
            with self._lock:
                self._want(self._mask & ~READ)
        return True

    def _join_again(self) -> None:
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
        for publication in self.publications:
            try:
                ask(self._directory, Publish(self._mac, publication), type(None))
            except HospesError as error:
                self._remark(f"a port is published no more: {error}")

    def _lost(self, why: str) -> None:
        if self._up:
            self._remark(f"the machine is cut off from the network {self._directory.name!r}: {why}")
        self._plug(False)

    def _plug(self, up: bool) -> None:
        """The guest sees its cable pulled out, or plugged in."""
        if up != self._up:
            self._up = up
            self._cable.clear()
            self._ring()

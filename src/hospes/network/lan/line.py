"""A connection to a network's process: of a user with questions, or a machine's cable."""

import socket
from collections.abc import Callable
from typing import Final, Protocol

from hospes.base.asking import pack_error
from hospes.base.errors import GuestError, HospesError
from hospes.network.ethernet import NETWORK_AT
from hospes.network.framing import Inbox, Outbox, tune, with_length
from hospes.network.host_poll import READ, WRITE, Poll
from hospes.network.lan.messages import LONGEST_BYTES
from hospes.network.statistics import Passed
from hospes.network.vnet import FRAME_MAX_BYTES

QUEUE_BYTES: Final = 4 << 20
"""Waiting for a machine that takes no frames; what comes then is dropped, and counted."""


class Owner(Protocol):
    """Whom the connection's pieces are for."""

    def asked(self, line: "Line", message: bytes, /) -> None:
        """A request has come."""
        ...

    def sent(self, line: "Line", pieces: list[tuple[int, int]], /) -> None:
        """Frames have come, and are in `line.inbox.view`."""
        ...

    def gone(self, line: "Line", /) -> None:
        """The other end is gone."""
        ...


class Line:
    """Polled from its making to `close`. It is `asking` to be plugged in until it is `plugged`, and
    pieces are frames.
    """

    def __init__(self, number: int, ours: socket.socket, poll: Poll, owner: Owner) -> None:
        self.number, self._socket = number, ours
        self._poll, self._owner = poll, owner
        tune(ours)
        self.inbox = Inbox(1, LONGEST_BYTES)
        self._outbox = Outbox(ours, QUEUE_BYTES)
        self._mask = 0
        self.asking = self.plugged = False
        self.mac, self.name, self.address = b"", "", b""
        self.frames_sent = self.bytes_sent = 0
        self.frames_received = self.bytes_received = self.dropped = 0
        self._want(READ)

    @property
    def open(self) -> bool:
        """Whether the other end is there, as far as is known."""
        return self._socket.fileno() >= 0

    @property
    def passed(self) -> Passed:
        """What has passed so far."""
        return Passed(
            self.frames_sent, self.bytes_sent, self.frames_received, self.bytes_received,
            self.dropped,
        )  # fmt: skip

    def plug(self, mac: bytes, name: str, address: bytes) -> None:
        """It is a machine's cable from here on."""
        self.mac, self.name, self.address, self.plugged = mac, name, address, True
        self.inbox.least, self.inbox.most = NETWORK_AT, FRAME_MAX_BYTES

    def answer(self, message: bytes) -> None:
        """Send an answer."""
        self._outbox.put(with_length(message))
        self.flush()

    def pass_on(self, run: memoryview | bytes, frames: int) -> None:
        """Frames with their lengths, for the machine; `flush` follows before they are gone."""
        if self._outbox.put(run):
            self.frames_received += frames
            self.bytes_received += len(run)
        else:
            self.dropped += frames

    def flush(self) -> None:
        """Send what the other end takes."""
        if not self.open:
            return
        try:
            self._outbox.flush()
        except OSError:
            self._owner.gone(self)
            return
        self._want(READ | WRITE if self._outbox.waiting else READ)

    def close(self) -> None:
        """The end of it."""
        if self.open:
            self._want(0)
            self._socket.close()

    def _want(self, mask: int) -> None:
        self._poll.want(self._socket.fileno(), self._mask, mask, self._ready)
        self._mask = mask

    def _ready(self, events: int) -> None:
        if events & WRITE:
            self.flush()
        if events & READ and self.open:
            self._read()

    def _read(self) -> None:
        try:
            if self.inbox.receive(self._socket):
                self._use()
                return
        except BlockingIOError:
            return
        except (OSError, GuestError):
            pass
        self._owner.gone(self)

    def _use(self) -> None:
        """What has come is frames, or requests, of which one may be the last before frames."""
        if self.plugged:
            pieces = self.inbox.take()
            if pieces:
                self._owner.sent(self, pieces)
            return
        for start, end in self.inbox.take():
            if self.asking or self.plugged or self._outbox.waiting:
                self._owner.gone(self)  # It does not wait for answers.
            if not self.open:
                return
            self._owner.asked(self, bytes(self.inbox.view[start:end]))


def refuse(line: Line, act: Callable[[], bytes]) -> None:
    """Answer with what comes of it, or with what is wrong."""
    try:
        message = act()
    except HospesError as error:
        message = pack_error(error)
    line.answer(message)

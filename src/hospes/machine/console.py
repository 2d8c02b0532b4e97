"""A console between the machine's thread and the host: bounded both ways, nothing ever dropped."""

import threading
from collections.abc import Callable
from typing import Final, Protocol

from hospes.devices.stream import CharacterStream

HISTORY_BYTES: Final = 256 * 1024
INPUT_BYTES: Final = 256 * 1024
OPENING_BYTES: Final = 64


class Sink(Protocol):
    """Who takes a console's output."""

    def write(self, data: bytes) -> int:
        """Take bytes without waiting; returns how many. Taking fewer, it calls `room_again`
        of its console once there is room."""
        ...

    def input_taken(self) -> None:
        """The machine has taken input, so that there is room for more."""
        ...


class Console:
    """The back end of one CharacterStream, and the door through which the host talks to it.

    Without a sink, output is only remembered, the last HISTORY_BYTES of it. `wake` rouses the
    machine's thread; it then calls `deliver`. `opening` is the first that the guest has written
    since it was switched on, at most OPENING_BYTES of it.
    """

    def __init__(self, name: str, wake: Callable[[], None]) -> None:
        self.name = name
        self.blocked = False
        self.bytes_out = 0
        self.bytes_in = 0
        self.opening = b""
        self._wake = wake
        self._sink: Sink | None = None
        self._history = bytearray()
        self._input = bytearray()
        self._lock = threading.Lock()

    def attach(self, sink: Sink | None, replay: bool = False) -> None:
        """Send output to a sink from here on; with replay, what is remembered first."""
        with self._lock:
            self._sink = sink
            if sink is not None and replay and self._history:
                sink.write(bytes(self._history[-HISTORY_BYTES:]))
        self.room_again()

    def detach(self, sink: Sink) -> None:
        """Forget the sink, if it is still the one."""
        with self._lock:
            if self._sink is sink:
                self._sink = None
        self.room_again()

    @property
    def history(self) -> bytes:
        """The end of the output so far."""
        with self._lock:
            return bytes(self._history)

    def write(self, data: bytes) -> int:
        """Output from the machine's thread; fewer bytes taken than offered mean "wait"."""
        with self._lock:
            taken = len(data) if self._sink is None else self._sink.write(data)
            self._history += data[:taken]
            if len(self.opening) < OPENING_BYTES:
                self.opening = (self.opening + data[:taken])[:OPENING_BYTES]
            if len(self._history) > 2 * HISTORY_BYTES:
                del self._history[:-HISTORY_BYTES]
            self.blocked = taken < len(data)
        self.bytes_out += taken
        return taken

    def room_again(self) -> None:
        """The sink can take output again; any thread."""
        with self._lock:
            was_blocked, self.blocked = self.blocked, False
        if was_blocked:
            self._wake()

    @property
    def input_room(self) -> int:
        """How many bytes `feed` would take now."""
        return INPUT_BYTES - len(self._input)

    def feed(self, data: bytes) -> int:
        """Input from the host, any thread; returns how many bytes were taken.

        The sink's `input_taken` says when to offer the rest again.
        """
        with self._lock:
            taken = min(len(data), INPUT_BYTES - len(self._input))
            self._input += data[:taken]
        if taken:
            self._wake()
        return taken

    @property
    def input_waiting(self) -> bool:
        """Whether `deliver` has something to do."""
        return bool(self._input)

    def deliver(self, stream: CharacterStream) -> None:
        """Move input to the stream, as far as it takes it; the machine's thread."""
        with self._lock:
            taken = stream.receive(bytes(self._input))
            del self._input[:taken]
            sink = self._sink
        self.bytes_in += taken
        if taken and sink is not None:
            sink.input_taken()

"""What a guest has sent over a connection and the host has not taken yet."""

from typing import Final, Protocol

from hospes.devices.backends import SocketEnd

LENGTH_BYTES: Final = 4


class Output(Protocol):
    """Bytes on their way to the host; `gone` is set once the host takes none any more."""

    gone: bool

    @property
    def waiting(self) -> bool:
        """Whether the host has still to take something."""
        ...

    def add(self, data: bytes, ends: bool, /) -> int:
        """More from the guest, with which a message may end; how many bytes were got rid of."""
        ...

    def flush(self) -> int:
        """Pass on what the host takes now; how many bytes were got rid of."""
        ...


class StreamOutput:
    """Bytes without boundaries."""

    def __init__(self, end: SocketEnd) -> None:
        self._end = end
        self._held = bytearray()
        self.gone = False

    @property
    def waiting(self) -> bool:
        return bool(self._held)

    def add(self, data: bytes, ends: bool) -> int:
        if self._held:
            self._held += data
            return self.flush()
        taken = self._put(data) if data else 0
        self._held += data[taken:]
        return taken

    def flush(self) -> int:
        taken = self._put(self._held) if self._held else 0
        del self._held[:taken]
        return taken

    def _put(self, data: bytes | bytearray) -> int:
        """All of it, if the host takes none any more: it is of no use then."""
        taken = None if self.gone else self._end.put(data)
        if taken is None:
            self.gone = True
            return len(data)
        return taken


class MessageOutput:
    """Whole messages; each is kept with its length before it, so that small ones cost little."""

    def __init__(self, end: SocketEnd) -> None:
        self._end = end
        self._begun = bytearray()
        self._held = bytearray()
        self._at = 0
        self.gone = False

    @property
    def waiting(self) -> bool:
        return bool(self._held)

    def add(self, data: bytes, ends: bool) -> int:
        self._begun += data
        if not ends or not self._begun:  # An empty message would be the end for the host.
            return 0
        self._held += len(self._begun).to_bytes(LENGTH_BYTES) + self._begun
        self._begun.clear()
        return self.flush()

    def flush(self) -> int:
        done = 0
        while self._at < len(self._held):
            start = self._at + LENGTH_BYTES
            size = int.from_bytes(self._held[self._at : start])
            taken = None if self.gone else self._end.put(self._held[start : start + size])
            self.gone = self.gone or taken is None
            if taken == 0:
                break
            self._at = start + size
            done += size
        # Only now and then, for all that follows is moved.
        if 2 * self._at >= len(self._held):
            del self._held[: self._at]
            self._at = 0
        return done

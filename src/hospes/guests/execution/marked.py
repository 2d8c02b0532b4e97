"""A stream of a command that begins at a mark and may end with another one, without I/O."""

import secrets
from typing import Final

from hospes.base.errors import GuestError

MARK_BYTES: Final = 16
LONGEST_STATUS_BYTES: Final = 16


def random_mark() -> str:
    """Something that no command writes but by a chance of 2^-128; on a port after a byte 0xFF."""
    return secrets.token_hex(MARK_BYTES)


class MarkedStream:
    """Takes what came from a port, gives back what is the command's.

    What comes before the first mark was left by others. What follows the second is the command's
    exit code. Only bytes that may be the beginning of a mark wait for more.
    """

    def __init__(self, mark: str) -> None:
        self._mark = b"\xff" + mark.encode()
        self.started = False
        self.ended = False
        self._buffer = bytearray()

    def feed(self, data: bytes) -> bytes:
        """The command's bytes among these; GuestError when the end is not as it should be."""
        self._buffer += data
        if not self.started:
            _, found, after = self._buffer.partition(self._mark)
            if not found:
                del self._buffer[: -len(self._mark) + 1]
                return b""
            self.started, self._buffer = True, after
        if self.ended:
            self._check_end()
            return b""
        at = self._buffer.find(self._mark)
        self.ended = at >= 0
        if not self.ended:
            at = self._possible_mark()
        mine = bytes(self._buffer[:at])
        del self._buffer[: at + len(self._mark) * self.ended]
        self._check_end()
        return mine

    def finish(self) -> bytes:
        """No more comes: what had waited for more is the command's after all."""
        left = b"" if self.ended or not self.started else bytes(self._buffer)
        if not self.ended:
            self._buffer.clear()
        return left

    @property
    def status(self) -> int | None:
        """The command's exit code; None as long as it has not come."""
        text = bytes(self._buffer)
        if not self.ended or not text.endswith(b"\n") or not text.strip().isdigit():
            return None
        return int(text) & 0xFF

    def _check_end(self) -> None:
        if self.ended and len(self._buffer) > LONGEST_STATUS_BYTES:
            raise GuestError(f"the command's exit code is {bytes(self._buffer[:16])!r}")

    def _possible_mark(self) -> int:
        """From where on the end of the buffer may be the beginning of the mark."""
        size = len(self._buffer)
        at = self._buffer.find(self._mark[:1], max(0, size - len(self._mark) + 1))
        while at >= 0 and not self._mark.startswith(self._buffer[at:]):
            at = self._buffer.find(self._mark[:1], at + 1)
        return at if at >= 0 else size

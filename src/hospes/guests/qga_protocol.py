"""The host's end of the QEMU guest agent's protocol: lines of JSON over a byte stream, without I/O.

The protocol has no identifiers in its answers and the stream outlives its clients, so what a client
reads first may answer somebody who has gone. `guest-sync-delimited` puts the two ends in step: the
byte 0xFF makes the agent forget half a request, and its answer begins with 0xFF, which occurs
nowhere else in what it sends. (QEMU, docs/interop/qemu-ga-ref.)
"""

import re
import secrets
from collections.abc import Mapping
from typing import Any, Final, TypeVar

import msgspec

from hospes.base.errors import GuestError

SENTINEL: Final = b"\xff"
LONGEST_LINE_BYTES: Final = 1 << 20
LONGEST_TEXT: Final = 200
UNPRINTABLE: Final = re.compile("\0+")

T = TypeVar("T")


class Failure(msgspec.Struct, frozen=True):
    """Why the agent did not do what it was asked."""

    kind: str = msgspec.field(name="class", default="")
    description: str = msgspec.field(name="desc", default="")


class Answer(msgspec.Struct, frozen=True):
    """One answer: a value, still encoded, or a failure."""

    value: msgspec.Raw = msgspec.field(name="return", default=msgspec.Raw(b"null"))
    error: Failure | None = None


class AgentStream:
    """`feed` it what the guest sent; send what its other methods return."""

    def __init__(self) -> None:
        self.synchronised = False
        self._mark = 0
        self._buffer = bytearray()

    def synchronise(self) -> bytes:
        """What puts the ends in step; only the answer to the newest of these does."""
        self.synchronised = False
        self._mark = secrets.randbits(60)
        return SENTINEL + self.request("guest-sync-delimited", {"id": self._mark})

    def request(self, command: str, arguments: Mapping[str, Any] | None = None) -> bytes:
        """The line that asks for a command."""
        message: dict[str, Any] = {"execute": command}
        if arguments:
            message["arguments"] = arguments
        return msgspec.json.encode(message) + b"\n"

    def feed(self, data: bytes) -> list[Answer]:
        """Take bytes from the guest; the answers in them. GuestError when they break the rules."""
        self._buffer += data
        unfinished = self.synchronised and b"\n" not in data
        while not self.synchronised and self._find_mark():
            pass
        if not self.synchronised:
            return []
        *lines, rest = [self._buffer] if unfinished else self._buffer.split(b"\n")
        if max(map(len, (*lines, rest))) > LONGEST_LINE_BYTES:
            raise GuestError(f"its agent sent a line of more than {LONGEST_LINE_BYTES} bytes")
        self._buffer = rest
        return [parse(line) for line in lines if line.strip()]

    def _find_mark(self) -> bool:
        """Drop what was meant for others; True while there may be more to drop."""
        at = self._buffer.find(SENTINEL)
        del self._buffer[: at if at >= 0 else len(self._buffer)]
        again = self._buffer.find(SENTINEL, 1)
        end = self._buffer.find(b"\n", 1, again if again >= 0 else len(self._buffer))
        if end < 0:
            if again < 0 and len(self._buffer) <= LONGEST_LINE_BYTES:
                return False
            del self._buffer[: again if again >= 0 else len(self._buffer)]
            return again >= 0
        line = self._buffer[1:end]
        del self._buffer[: end + 1]
        try:
            self.synchronised = decode(parse(line), int) == self._mark
        except GuestError:
            return True
        return not self.synchronised


def parse(line: bytes | bytearray) -> Answer:
    """One line from the agent."""
    try:
        return msgspec.json.decode(line, type=Answer)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise GuestError(f"its agent sent {bytes(line[:40])!r}, which is no answer") from None


def decode(answer: Answer, kind: type[T]) -> T:
    """An answer's value."""
    try:
        return msgspec.json.decode(answer.value, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise GuestError(
            f"its agent answered {bytes(answer.value)[:40]!r}, where something else was due"
        ) from None


def printable(text: str | bytes) -> str:
    """What a guest says, fit for a sentence: short, on one line, no terminal sequences."""
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    shown = "".join(each if each.isprintable() else "\0" for each in text[: 8 * LONGEST_TEXT])
    return UNPRINTABLE.sub(" ", shown).strip()[:LONGEST_TEXT]

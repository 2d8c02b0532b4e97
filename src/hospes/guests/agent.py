"""The guest's agent: runs commands that the host sends over a console device of their own.

Both ends speak lines and marked frames over one byte stream, a terminal in raw mode (`hvc0`).
The agent is a script for busybox (`agent_script.py`); `AgentProtocol` is the host's end, which does
no I/O.

Guest to host, once, when the terminal is in raw mode and not earlier:

    hospes-agent 1\\n               the version of this protocol; before it the host sends nothing

Host to guest:

    run MARK LENGTH\\n              then LENGTH bytes: a command for `sh -c`; its input is /dev/null
    signal NAME\\n                  to the running command's process group; TERM, INT, KILL
    poweroff\\n                     write what is to be written and switch the machine off

MARK is 32 hexadecimal digits, new and random for each command. Guest to host during a command:

    MARK b\\n                       the command starts
    anything                       its standard output as it is, byte for byte
    MARK e BASE64\\n                a piece of its standard error
    MARK x STATUS\\n                all its output has been sent; its status, 128 + N for signal N

Standard output costs no encoding and no process per piece, and no byte of it needs an escape: a
mark cannot occur in it but by a chance of 2^-128. A frame of standard error is one write(2) to the
terminal, which the kernel does not divide, so it stands between two pieces of output and never
inside the other's frame. What arrives outside `b` ... `x` is nobody's output and is dropped.

One command runs at a time. As with ssh, a process that the command leaves behind holding its output
keeps the command from ending: redirect the output of what should stay.
"""

import base64
import binascii
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from hospes.base.errors import GuestError, HospesError

VERSION: Final = 1
STATUS: Final = re.compile(rb"[0-9]{1,3}")
STATUS_MAX: Final = 255
READY: Final = re.compile(rb"hospes-agent (\d{1,9})\r?\n")
LONGEST_GREETING_BYTES: Final = 64
MARK_DIGITS: Final = 32
# Linux takes no argument of a program longer than 128 KiB with its closing NUL.
LONGEST_COMMAND_BYTES: Final = 128 * 1024 - 1
LONGEST_FRAME_BYTES: Final = 1 << 20
SIGNALS: Final = frozenset({"HUP", "INT", "QUIT", "KILL", "USR1", "USR2", "TERM", "CONT", "STOP"})


@dataclass(frozen=True)
class Ready:
    """The agent listens."""

    version: int


@dataclass(frozen=True)
class Output:
    """A piece of the command's standard output."""

    data: bytes


@dataclass(frozen=True)
class ErrorOutput:
    """A piece of the command's standard error."""

    data: bytes


@dataclass(frozen=True)
class Finished:
    """The command has ended and all its output has arrived."""

    status: int


Event = Ready | Output | ErrorOutput | Finished


def random_mark() -> bytes:
    return os.urandom(MARK_DIGITS // 2).hex().encode()


class AgentProtocol:
    """The host's end: `feed` it what the guest sent; send what its other methods return."""

    def __init__(self, new_mark: Callable[[], bytes] = random_mark) -> None:
        self.new_mark = new_mark
        self.ready = False
        self.running = False
        self._mark = b""
        self._started = False
        self._buffer = bytearray()

    def run(self, command: str) -> bytes:
        """The line that starts a command; `ready` must be true and `running` false."""
        raw = command.encode("utf-8", "surrogateescape")
        if not self.ready or self.running:
            state = "is still running a command" if self.running else "is not ready yet"
            raise HospesError(f"The guest {state}; wait for it before running {command[:40]!r}.")
        if b"\0" in raw:
            raise HospesError("A command cannot contain a NUL; write its data to a file instead.")
        if len(raw) > LONGEST_COMMAND_BYTES:
            raise HospesError(
                f"The command has {len(raw)} bytes and Linux takes {LONGEST_COMMAND_BYTES}; "
                "put it into a file in the guest."
            )
        self._mark = self.new_mark()
        self._started = False
        self.running = True
        return b"run %s %d\n%s\n" % (self._mark, len(raw) + 1, raw)

    def signal(self, name: str) -> bytes:
        """The line that sends a signal, such as TERM, to the running command."""
        if name not in SIGNALS:
            raise HospesError(f"The signal {name!r} is not one of {', '.join(sorted(SIGNALS))}.")
        return b"signal %s\n" % name.encode()

    def poweroff(self) -> bytes:
        return b"poweroff\n"

    def feed(self, data: bytes) -> list[Event]:
        """Take bytes from the guest; what they mean. GuestError when they break the protocol."""
        self._buffer += data
        events: list[Event] = []
        if not self.ready:
            self._await_ready(events)
        while self.running and self._next(events):
            pass
        if not self.running:
            self._drop_strays()
        return events

    def _await_ready(self, events: list[Event]) -> None:
        match = READY.search(self._buffer)
        if match is None:
            self._drop_strays()
            return
        version = int(match[1])
        if version != VERSION:
            raise GuestError(f"its agent speaks version {version}, not {VERSION}")
        del self._buffer[: match.end()]
        self.ready = True
        events.append(Ready(version))

    def _drop_strays(self) -> None:
        """Forget bytes that are nobody's output, but for a greeting that may still be growing."""
        keep = 0 if self.ready else LONGEST_GREETING_BYTES
        del self._buffer[: max(0, len(self._buffer) - keep)]

    def _next(self, events: list[Event]) -> bool:
        """Take output up to the next mark and then its frame; False when more bytes are needed."""
        at = self._buffer.find(self._mark)
        complete = at >= 0
        if not complete:
            at = max(0, len(self._buffer) - len(self._mark) + 1)
            at = _possible_mark(self._buffer, self._mark, at)
        if self._started and at:
            events.append(Output(bytes(self._buffer[:at])))
        del self._buffer[:at]
        if not complete:
            return False
        end = self._buffer.find(b"\n")
        if end < 0:
            if len(self._buffer) > LONGEST_FRAME_BYTES:
                raise GuestError("its agent sent a frame without an end")
            return False
        frame = bytes(self._buffer[len(self._mark) : end])
        del self._buffer[: end + 1]
        self._frame(frame, events)
        return True

    def _frame(self, frame: bytes, events: list[Event]) -> None:
        kind, _, value = frame.strip().partition(b" ")
        try:
            if kind == b"b":
                self._started = True
            elif kind == b"e":
                events.append(ErrorOutput(base64.b64decode(value, validate=True)))
            elif kind == b"x":
                events.append(Finished(_status(value)))
                self.running = False
            else:
                raise GuestError(f"its agent sent a frame of unknown kind {frame[:40]!r}")
        except (ValueError, binascii.Error):
            raise GuestError(f"its agent sent a damaged frame {frame[:40]!r}") from None


def _status(text: bytes) -> int:
    if not STATUS.fullmatch(text) or int(text) > STATUS_MAX:
        raise ValueError(text)
    return int(text)


def _possible_mark(buffer: bytearray, mark: bytes, start: int) -> int:
    """Where, from `start` on, the end of the buffer may be the beginning of the mark."""
    for at in range(start, len(buffer)):
        if mark.startswith(buffer[at:]):
            return at
    return len(buffer)

"""What a worker tells the process that started it: progress, then that it is ready, or why not."""

from collections.abc import Iterator
from typing import Final

import msgspec

from hospes.base.record import UNREADABLE

LINE_END: Final = b"\n"


class Line(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line of JSON: how far a task is, or the last: `ready` or an `error`."""

    task: str = ""
    done: int = 0
    total: int = 0
    ready: bool = False
    error: str = ""


def pack_line(line: Line) -> bytes:
    """A line as it is sent."""
    return msgspec.json.encode(line) + LINE_END


def unpack_lines(pieces: Iterator[bytes]) -> Iterator[Line]:
    """The lines in pieces as they arrive; what is none is skipped."""
    rest = b""
    for piece in pieces:
        *lines, rest = (rest + piece).split(LINE_END)
        for line in lines:
            try:
                yield msgspec.json.decode(line, type=Line)
            except UNREADABLE:
                continue

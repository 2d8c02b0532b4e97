"""Reading a console's log: its last lines, and what comes, across the rotation of its files."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import BinaryIO, Final

from hospes.manager.store import MachineDirectory
from hospes.spec.kept import CONSOLE_FILE, OLDER_CONSOLE_FILE

PIECE_BYTES: Final = 65536
POLL_SECONDS: Final = 0.1


def read_log(machine: MachineDirectory, lines: int | None, follow: bool) -> Iterator[bytes]:
    """The log in pieces, or its last lines; with follow, what is written until the machine ends."""
    current = _opened(machine, CONSOLE_FILE)
    if lines is None:
        older = _opened(machine, OLDER_CONSOLE_FILE)
        if older is not None:
            with older:
                yield from _rest(older)
    if current is None:
        return
    try:
        if lines is not None:
            yield _tail(machine, current, lines)
        yield from _rest(current)
        while follow:
            ran = machine.runs
            yield from _rest(current)
            fresh = _opened(machine, CONSOLE_FILE)
            if fresh is not None and os.fstat(fresh.fileno()).st_ino != _inode(current):
                yield from _rest(current)
                current.close()
                current = fresh
            elif fresh is not None:
                fresh.close()
            if not ran:
                yield from _rest(current)
                return
            time.sleep(POLL_SECONDS)
    finally:
        current.close()


def _inode(file: BinaryIO) -> int:
    return os.fstat(file.fileno()).st_ino


def _opened(machine: MachineDirectory, name: str) -> BinaryIO | None:
    with suppress(FileNotFoundError):
        return (machine.path / name).open("rb")
    return None


def _rest(file: BinaryIO) -> Iterator[bytes]:
    read: Callable[[], bytes] = lambda: file.read(PIECE_BYTES)  # noqa: E731
    return iter(read, b"")


def _tail(machine: MachineDirectory, current: BinaryIO, lines: int) -> bytes:
    """The last lines of both files; the current one is read to its end."""
    data = current.read()
    if data.count(b"\n") < lines:
        older = _opened(machine, OLDER_CONSOLE_FILE)
        if older is not None:
            with older:
                data = older.read() + data
    kept = data.splitlines(keepends=True)[-lines:] if lines else []
    return b"".join(kept)

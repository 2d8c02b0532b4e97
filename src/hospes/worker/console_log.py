"""What a guest has written to its console, in a file of bounded size and one older one."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from hospes.base.errors import os_reason

LONGEST_BYTES: Final = 8 << 20


class ConsoleLog:
    """Appends to a file; when it is full it becomes the older one, and a new one is begun.

    A write that fails loses its bytes and is reported; the guest goes on.
    """

    def __init__(
        self,
        path: Path,
        older: Path,
        report: Callable[[str], None],
        longest_bytes: int = LONGEST_BYTES,
    ) -> None:
        self._path, self._older = path, older
        self._report = report
        self._longest_bytes = longest_bytes
        self._file = self._open()
        self._size = os.fstat(self._file).st_size

    def write(self, data: bytes) -> None:
        """Append bytes."""
        try:
            if self._size + len(data) > self._longest_bytes and self._size:
                self._rotate()
            while data:
                written = os.write(self._file, data)
                self._size += written
                data = data[written:]
        except OSError as error:
            reason = os_reason(error)
            self._report(f"the console's log {self._path} is not complete: {reason}")

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    def _rotate(self) -> None:
        os.replace(self._path, self._older)
        fresh = self._open()
        os.close(self._file)
        self._file, self._size = fresh, 0

    def _open(self) -> int:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        return os.open(self._path, flags, 0o600)

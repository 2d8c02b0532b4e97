"""The output of an image's build in a guest: followed for progress, kept, and searched for why."""

import re
from collections import deque
from typing import BinaryIO, Final

from hospes.base.progress import Progress
from hospes.guests.qga_protocol import printable

MARK: Final = "hospes: "
INSTALLING: Final = "Installing the packages"
STEP: Final = re.compile(r"(?:Unpacking|Setting up) ")
FAILED: Final = re.compile(r"dpkg: error processing (?:package|archive) (\S+)")
LAST_LINES: Final = 200
LONGEST_LINE_BYTES: Final = 64 * 1024


class BuildLog:
    """Takes the output as it comes; `steps` is how often a package is unpacked or set up."""

    def __init__(self, out: BinaryIO, steps: int, progress: Progress) -> None:
        self.out, self.steps, self.progress = out, steps, progress
        self.failed_package = ""
        self._lines: deque[str] = deque(maxlen=LAST_LINES)
        self._rest = b""
        self._task, self._done = "", 0

    def take(self, data: bytes) -> None:
        """A piece of the guest's output."""
        self.out.write(data)
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._line(line.decode("utf-8", "replace").rstrip())
        self._rest = self._rest[:LONGEST_LINE_BYTES]

    def last(self, count: int) -> list[str]:
        """The last lines that say something."""
        return [line for line in self._lines if line and not line.startswith(MARK)][-count:]

    def end(self) -> None:
        """The build is over: so is what was being done."""
        if self._task:
            self.progress(self._task, 1, 1)

    def _line(self, line: str) -> None:
        self._lines.append(line)
        if line.startswith(MARK):
            self.end()
            self._task = printable(line.removeprefix(MARK))
            self.progress(self._task, 0, self.steps if self._task == INSTALLING else 0)
        elif self._task == INSTALLING and STEP.match(line):
            self._done += 1
            self.progress(INSTALLING, max(0, min(self._done, self.steps - 1)), self.steps)
        elif not self.failed_package and (match := FAILED.match(line)):
            self.failed_package = match[1].partition(":")[0]

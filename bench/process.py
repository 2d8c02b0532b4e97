"""A machine program as a child process on a terminal of its own, watched from outside."""

import os
import pty
import select
import subprocess
import time
import tty
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Self

from hospes.base.errors import HospesError

TAIL_BYTES: Final = 400


class MachineProcess:
    """A context with a running program; times are seconds of the host's monotonic clock."""

    def __init__(self, command: Sequence[str]) -> None:
        self.command = list(command)
        self.output = bytearray()
        self.started = 0.0
        self._master = -1
        self._program: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self._master, slave = pty.openpty()
        tty.setraw(slave)
        self.started = time.monotonic()
        try:
            self._program = subprocess.Popen(
                self.command, stdin=slave, stdout=slave, stderr=slave, start_new_session=True
            )
        finally:
            os.close(slave)
        return self

    def __exit__(self, *ended: object) -> None:
        program = self._running
        program.kill()
        program.wait()
        os.close(self._master)

    @property
    def _running(self) -> subprocess.Popen[bytes]:
        assert self._program is not None, "used outside its context"
        return self._program

    def wait_for(
        self, marker: bytes, start: int = 0, seconds: float = 120, unless: bytes = b""
    ) -> float:
        """Read until a marker stands in the output from `start` on; when it had arrived."""
        end = time.monotonic() + seconds
        looked = start
        while True:
            if self.output.find(marker, looked) >= 0:
                return time.monotonic()
            if unless and self.output.find(unless, start) >= 0:
                raise self._failure(f"printed {unless.decode()!r}")
            looked = max(start, len(self.output) - len(marker))
            if not self._read(end - time.monotonic()):
                late = time.monotonic() >= end
                when = f"within {seconds:.0f} s" if late else "before it ended"
                raise self._failure(f"did not print {marker.decode()!r} {when}")

    def wait_for_end(self, seconds: float = 120) -> float:
        """Read until the program has closed its terminal and ended; when that was."""
        end = time.monotonic() + seconds
        while self._read(end - time.monotonic()):
            pass
        try:
            self._running.wait(max(0.0, end - time.monotonic()))
        except subprocess.TimeoutExpired:
            raise self._failure(f"did not end within {seconds:.0f} s") from None
        return time.monotonic()

    def send(self, text: str) -> float:
        """Type something; when that began."""
        at = time.monotonic()
        os.write(self._master, text.encode())
        return at

    def cpu_seconds(self) -> float:
        """Processor time of all the program's threads so far, in the host's kernel's terms."""
        # The clock id of another process: CPUCLOCK_SCHED in the three low bits (timers in Linux).
        return time.clock_gettime((~self._running.pid << 3) | 2)

    def resident_beyond(self, guest_bytes: int) -> int:
        """Resident bytes outside the mapping that holds the guest's memory."""
        sizes = resident_mappings(Path(f"/proc/{self._running.pid}/smaps").read_text("utf-8"))
        large = [mapping for mapping in sizes if mapping[0] >= guest_bytes]
        if not large:
            raise self._failure(f"has no mapping of {guest_bytes} bytes for the guest's memory")
        return sum(resident for _, resident in sizes) - min(large)[1]

    def _read(self, seconds: float) -> bool:
        """Take what comes next; False at the end of the output or of the time."""
        if seconds <= 0 or not select.select([self._master], [], [], seconds)[0]:
            return False
        try:
            data = os.read(self._master, 1 << 16)
        except OSError:
            return False
        self.output += data
        return bool(data)

    def _failure(self, what: str) -> HospesError:
        tail = bytes(self.output[-TAIL_BYTES:]).decode("utf-8", "replace")
        return HospesError(f"'{' '.join(self.command)}' {what}; it ended with {tail!r}")


def resident_mappings(smaps: str) -> list[tuple[int, int]]:
    """Size and resident bytes of each mapping in a process's smaps."""
    sizes: list[tuple[int, int]] = []
    size = 0
    for line in smaps.splitlines():
        name, _, value = line.partition(":")
        if name == "Size":
            size = int(value.split()[0]) * 1024
        elif name == "Rss":
            sizes.append((size, int(value.split()[0]) * 1024))
    return sizes

"""Progress of long tasks on standard error: a moving line on a terminal, else two lines."""

import time
from typing import Final, TextIO

BAR_WIDTH: Final = 24
REDRAW_S: Final = 0.1


class ProgressLine:
    """A Progress that draws; one task at a time, each beginning a new line."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._live = stream.isatty()
        self._task: str | None = None
        self._drawn_s = 0.0
        self._began_s = 0.0

    def __call__(self, task: str, done: int, total: int) -> None:
        """Show how far a task is; draws at most ten times a second, and always the end."""
        now, task = time.monotonic(), task[:1].upper() + task[1:]
        if task != self._task:
            self.close()
            self._task, self._began_s, self._drawn_s = task, now, 0.0
            if not self._live:
                self._write(f"{task}...\n")
        over = total > 0 and done >= total
        if self._live and (over or now - self._drawn_s >= REDRAW_S):
            self._drawn_s = now
            self._write(f"\r\x1b[K{task} {_bar(done, total)}")
        if over:
            self._finish(now)

    def close(self) -> None:
        """Leave an unfinished line behind, so that what follows starts on a new one."""
        if self._task is not None and self._live:
            self._write("\n")
        self._task = None

    def _finish(self, now: float) -> None:
        took = f"{self._task}: done in {now - self._began_s:.1f} s\n"
        self._write(f"\r\x1b[K{took}" if self._live else took)
        self._task = None

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()


def _bar(done: int, total: int) -> str:
    if total <= 0:
        return f"{done}" if done else ""
    filled = BAR_WIDTH * min(done, total) // total
    return f"[{'#' * filled}{'.' * (BAR_WIDTH - filled)}] {100 * min(done, total) // total}%"

"""Root's session on a guest's console, typed into and read like a user would."""

import re
import time
from collections.abc import Callable
from typing import Final

PROMPT: Final = "# "
CONTROL: Final = re.compile(r"\x1b(?:\[[0-9;?!]*[A-Za-z]|c)|\r")
POLL_SECONDS: Final = 0.05


class Login:
    """`output` tells all that the console has shown, `type` types on it."""

    def __init__(self, output: Callable[[], str], type: Callable[[str], object]) -> None:
        self.output, self.type = output, type
        self._count = 0

    def until(self, pattern: str, seconds: float, start: int = 0) -> str:
        """Wait until what is shown from `start` on matches; AssertionError when it never does."""
        limit = time.monotonic() + seconds
        while time.monotonic() < limit:
            shown = CONTROL.sub("", self.output()[start:])
            if re.search(pattern, shown):
                return shown
            time.sleep(POLL_SECONDS)
        raise AssertionError(f"no {pattern!r} on the console: {self.output()[-2000:]}")

    def enter(self, seconds: float) -> None:
        """Log in as root, who has no password."""
        self.until(r"login: $", seconds)
        start = len(self.output())
        self.type("root\n")
        self.until(rf"{PROMPT}$", seconds, start)

    def run(self, command: str, seconds: float = 120) -> tuple[int, str]:
        """A command's exit code and output, which should be short."""
        self._count += 1
        mark = f"end-{self._count}"
        start = len(self.output())
        # The line is echoed, wrapped anywhere: no mark is written in it as it will come out.
        end = f"echo ${{PIPESTATUS[0]}}-'{mark}'-$?"
        self.type(f"clear; echo 'begin'-'{mark}'; ({command}) 2>&1 | cat; {end}\n")
        shown = self.until(rf"\d+-{mark}-\d+\n", seconds, start)
        lines = shown.splitlines()
        last = next(n for n, line in enumerate(lines) if re.fullmatch(rf"\d+-{mark}-\d+", line))
        first = next(n for n, line in enumerate(lines) if line.endswith(f"begin-{mark}")) + 1
        return int(lines[last].partition("-")[0]), "\n".join(lines[first:last])

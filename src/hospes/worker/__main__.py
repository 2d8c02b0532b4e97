"""`python -m hospes.worker DIRECTORY`: the machine described on standard input, until it ends.

Standard output tells the starter how far it is, with lines of `report`; it is closed once the
machine runs.
"""

import os
import sys
from pathlib import Path
from typing import Final

from hospes.base import open_files
from hospes.base.errors import HospesError
from hospes.base.log import save_crash
from hospes.base.record import unpack
from hospes.spec.kept import Boot
from hospes.worker.report import Line, pack_line

FAILURE: Final = 1


class Starter:
    """The process that waits for this one to be ready."""

    def __init__(self) -> None:
        self._out = os.dup(1)
        os.dup2(2, 1)

    def progress(self, task: str, done: int, total: int) -> None:
        """How far a task is."""
        self.tell(Line(task, done, total))

    def tell(self, line: Line) -> None:
        """Send a line; BrokenPipeError when nobody waits any more."""
        os.write(self._out, pack_line(line))

    def leave(self) -> None:
        """There is nothing more to be said; the files of the starter are let go."""
        os.close(self._out)
        nowhere = os.open(os.devnull, os.O_RDWR)
        os.dup2(nowhere, 0)
        os.close(nowhere)


def main() -> int:
    """Hold one machine; the exit code."""
    os.umask(0o077)
    open_files.allow_many()
    starter = Starter()
    try:
        boot = unpack(sys.stdin.buffer.read(), Boot)
        from hospes.worker.worker import Worker

        worker = Worker(Path(sys.argv[1]), boot, starter.progress)
    except BrokenPipeError:
        return FAILURE
    except HospesError as error:
        starter.tell(Line(error=str(error)))
        return FAILURE
    except Exception as error:
        path = save_crash(error)
        failed = f"Hospes itself failed ({type(error).__name__}), the details are in {path}"
        starter.tell(Line(error=failed))
        return FAILURE
    worker.start()
    try:
        starter.tell(Line(ready=True))
    except BrokenPipeError:
        worker.machine.stop("for the command that started it was ended")
    starter.leave()
    worker.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""What the operating system says of a place where Hospes keeps its files, as one sentence."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from hospes.base.errors import HospesError, os_reason

FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextmanager
def disk_errors(what: str, where: Path, variable: str) -> Iterator[None]:
    """Errors about `what` is `where`, a place that an environment variable can move.

    `what` is such as "the machines in".
    """
    try:
        yield
    except OSError as problem:
        if problem.errno in FULL:
            raise HospesError(
                f"the disk with {what} {where} is full; free some space or set {variable}"
            ) from problem
        reason = os_reason(problem)
        raise HospesError(
            f"{what} {where} cannot be changed ({reason}); set {variable} to a directory that can"
        ) from problem

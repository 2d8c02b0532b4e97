"""The lock of a directory that one process at a time works with, let go of by its death."""

import fcntl
import os
import time
from pathlib import Path
from typing import Final

PROBE_SECONDS: Final = 0.5
"""Who only asks whether the lock is held, holds it for a moment; so a refusal is not believed at
once."""
PAUSE_SECONDS: Final = 0.01


def take_lock(path: Path, seconds: float = PROBE_SECONDS) -> int | None:
    """Lock a file for this process alone; its descriptor, or None while another has it.

    FileNotFoundError if the file is not there, or was removed meanwhile.
    """
    deadline = time.monotonic() + seconds
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    os.close(descriptor)
                    return None
                time.sleep(PAUSE_SECONDS)
        if os.stat(path).st_ino != os.fstat(descriptor).st_ino:
            raise FileNotFoundError(path)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def is_locked(path: Path) -> bool:
    """Whether a process holds the lock; FileNotFoundError if the file is not there."""
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False

"""Waiting for what somebody else does."""

import time
from collections.abc import Callable
from typing import Final

PAUSE_SECONDS: Final = 0.005


def eventually(condition: Callable[[], bool], seconds: float = 10.0) -> bool:
    """Whether it comes true; it is not asked again once it has."""
    limit = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > limit:
            return False
        time.sleep(PAUSE_SECONDS)
    return True

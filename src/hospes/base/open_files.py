"""How many files this process may have open."""

import resource
from contextlib import suppress
from typing import Final

WANTED: Final = 65536


def allow_many() -> None:
    """Raise the limit that programs start with (for the sake of select(2)) towards the real one."""
    allowed, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = WANTED if most == resource.RLIM_INFINITY else min(WANTED, most)
    if allowed != resource.RLIM_INFINITY and allowed < wanted:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))

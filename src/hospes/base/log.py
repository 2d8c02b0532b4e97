"""The log of what went wrong inside Hospes, kept as files for whoever has to mend it."""

import os
import sys
import time
from pathlib import Path
from typing import Final

from hospes.base.paths import cache_directory

CRASHES_KEPT: Final = 50


def hospes_version() -> str:
    """The installed version, or "unknown" in a bare source tree."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("hospes")
    except PackageNotFoundError:
        return "unknown"


def save_crash(error: BaseException) -> Path | None:
    """Write an unexpected error with its traceback to a new file; None if that cannot be done.

    The last CRASHES_KEPT stay.
    """
    import platform  # Here, both of them, for every start would pay for what hardly one needs.
    import traceback

    stamp = time.strftime("%Y%m%d-%H%M%S")
    path = cache_directory() / "log" / f"crash-{stamp}-{os.getpid()}.txt"
    lines = [
        f"hospes {hospes_version()}, Python {platform.python_version()}, {platform.platform()}\n",
        f"command: {sys.argv!r}\n\n",
        *traceback.format_exception(error),
    ]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(lines), encoding="utf-8")
        for old in sorted(path.parent.glob("crash-*.txt"))[:-CRASHES_KEPT]:
            old.unlink(missing_ok=True)
    except OSError:
        return None
    return path

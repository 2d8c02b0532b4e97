"""Where Hospes keeps files of its own: what can be made or fetched again lives in one cache."""

import os
from pathlib import Path


def cache_directory() -> Path:
    """HOSPES_CACHE, or `hospes` in the user's cache directory (XDG Base Directory); not created."""
    chosen = os.environ.get("HOSPES_CACHE")
    if chosen:
        return Path(chosen).expanduser().absolute()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "hospes"


def config_directory() -> Path:
    """`hospes` in the user's configuration directory (XDG Base Directory); not created."""
    base = os.environ.get("XDG_CONFIG_HOME")
    return (Path(base) if base else Path.home() / ".config") / "hospes"

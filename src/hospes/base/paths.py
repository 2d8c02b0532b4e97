"""Where Hospes is, and keeps files of its own: a cache for what can be made again, and data."""

import os
from pathlib import Path


def module_path() -> str:
    """For PYTHONPATH: where a process finds this very program, wherever it was started from."""
    places = [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]
    return os.pathsep.join(filter(None, places))


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


def data_directory() -> Path:
    """HOSPES_HOME, or `hospes` in the user's data directory (XDG Base Directory); not created.

    What is in it cannot be made again: machines and their disks.
    """
    chosen = os.environ.get("HOSPES_HOME")
    if chosen:
        return Path(chosen).expanduser().absolute()
    base = os.environ.get("XDG_DATA_HOME")
    return (Path(base) if base else Path.home() / ".local" / "share") / "hospes"

"""A place of its own for the machines of a test, and the certainty that nothing is left of them."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from hospes.base.errors import HospesError
from hospes.manager.stopping import pull_plug
from hospes.manager.store import Store


@contextmanager
def own_home(path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """HOSPES_HOME is this path; its machines are stopped at the end, and no process may be left."""
    monkeypatch.setenv("HOSPES_HOME", str(path))
    try:
        yield path
    finally:
        for machine in Store(path).all():
            with suppress(HospesError):
                pull_plug(machine)
    deadline = time.monotonic() + 5  # a process lets go of its lock a moment before it is gone
    while (workers_of(path) or switches_of(path)) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not workers_of(path)
    assert not switches_of(path)


def workers_of(path: Path) -> list[int]:
    """The processes that hold machines below a path."""
    return _processes(b"hospes.worker", path)


def switches_of(path: Path) -> list[int]:
    """The processes of networks below a path."""
    return _processes(b"hospes.network.lan", path)


def _processes(module: bytes, path: Path) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        with suppress(OSError):
            words = (entry / "cmdline").read_bytes().split(b"\0")
            if module in words and any(os.fsencode(path) in word for word in words):
                found.append(int(entry.name))
    return found

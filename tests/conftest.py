"""How tests are shared out among processes (pytest-xdist), and what holds for every test."""

import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from xdist.scheduler import LoadFileScheduling

from hospes.base.paths import cache_directory

DEBIAN_FILES: Final = "tests/guest/test_debian"
"""How the names of those begin that need the image `debian`."""


class Shares(LoadFileScheduling):  # type: ignore[misc]
    """A file's tests stay in one process, for they share what is set up for the file.

    Whatever needs the image debian is together in another: making it takes minutes, in which the
    others go on.
    """

    def _split_scope(self, nodeid: str) -> str:
        return DEBIAN_FILES if nodeid.startswith(DEBIAN_FILES) else super()._split_scope(nodeid)


def pytest_configure() -> None:
    """Who runs the tests may ignore or block any signals; what tests start must not inherit that.

    SIGPIPE and SIGXFSZ are Python's own to ignore, and subprocess restores them.
    """
    for number in signal.valid_signals() - {signal.SIGPIPE, signal.SIGXFSZ}:
        if signal.getsignal(number) is signal.SIG_IGN:
            default = signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
            signal.signal(number, default)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])


def pytest_xdist_make_scheduler(config: pytest.Config, log: Callable[..., Any]) -> Shares:
    """Asked by xdist."""
    return Shares(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest begins first: Debian, then the other guests."""
    items.sort(
        key=lambda item: (
            not item.nodeid.startswith(DEBIAN_FILES),
            item.get_closest_marker("guest") is None,
        )
    )


def crashes() -> set[Path]:
    """What base.log has saved of unexpected errors."""
    return set((cache_directory() / "log").glob("crash-*.txt"))


@pytest.fixture(autouse=True)
def no_process_of_ours_crashes() -> Iterator[None]:
    """Also one in the background, of which nobody sees the end."""
    before = crashes()
    yield
    for crash in crashes() - before:
        pytest.fail(crash.read_text())

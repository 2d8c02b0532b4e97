"""Signals that end the process."""

import signal
from collections.abc import Iterator

import pytest

from hospes.ui.signals import ENDING, Deferred, Stopped, raise_stopped


@pytest.fixture(autouse=True)
def _handlers() -> Iterator[None]:
    saved = {number: signal.getsignal(number) for number in ENDING}
    yield
    for number, handler in saved.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", ENDING)
def test_a_signal_is_raised(number: signal.Signals) -> None:
    raise_stopped()
    with pytest.raises(Stopped) as stopped:
        signal.raise_signal(number)
    assert (stopped.value.number, stopped.value.name) == (number, number.name)


def test_a_deferred_signal_is_raised_at_the_end() -> None:
    raise_stopped()
    steps = []

    def work() -> None:
        with Deferred(lambda: steps.append("stop")):
            signal.raise_signal(signal.SIGTERM)
            steps.append("finished")

    with pytest.raises(Stopped):
        work()
    assert steps == ["stop", "finished"]
    with pytest.raises(Stopped):
        signal.raise_signal(signal.SIGTERM)


def test_without_a_signal_nothing_happens() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with Deferred(lambda: None):
        pass
    assert signal.getsignal(signal.SIGTERM) == before

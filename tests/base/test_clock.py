"""Clocks."""

import time

import pytest

from hospes.base.clock import HostClock, ManualClock


def test_host_clock_follows_the_host() -> None:
    clock = HostClock()
    first = clock.monotonic_ns()
    assert clock.monotonic_ns() >= first
    assert abs(clock.wall_ns() - time.time_ns()) < 1_000_000_000


def test_manual_clock_moves_only_when_told() -> None:
    clock = ManualClock(5, 1000)
    clock.advance(10)
    assert (clock.monotonic_ns(), clock.wall_ns()) == (15, 1010)
    clock.set_wall(7)
    assert (clock.monotonic_ns(), clock.wall_ns()) == (15, 7)
    with pytest.raises(ValueError, match="-1 ns"):
        clock.advance(-1)

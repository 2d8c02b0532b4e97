"""A guest's clock and those who set it, with an agent whose clock is a number."""

import threading
import time
from collections.abc import Callable

import pytest
from tests.guests.test_qga import FakeAgent

from hospes.base.clock import HostClock, ManualClock
from hospes.guests import guest_clock
from hospes.guests.guest_clock import ClockKeeper, set_clock
from hospes.guests.qga import AgentRefusal, open_agent

REFUSAL = b'{"error": {"class": "GenericError", "desc": "no"}}\n'
NO_HWCLOCK = REFUSAL.replace(b"no", b"failed to exec '/sbin/hwclock'")


class GuestClock:
    """The guest's clock is `ahead_ns`; setting it takes effect after `delay_s`."""

    def __init__(self, ahead_ns: int, delay_s: float = 0.0, setting: bytes = b"") -> None:
        self.ahead_ns, self.delay_s, self.setting = ahead_ns, delay_s, setting
        self.times: list[int] = []
        self.asked = threading.Event()
        self.ports = FakeAgent(self.answer)

    def answer(self, request: dict[str, object]) -> bytes:
        time.sleep(self.delay_s)
        if request["execute"] == "guest-get-time":
            self.asked.set()
            return b'{"return": %d}\n' % (time.time_ns() + self.ahead_ns)
        assert request["execute"] == "guest-set-time"
        if self.setting == REFUSAL:
            return REFUSAL
        wanted = request["arguments"]["time"]
        self.times.append(wanted)
        self.ahead_ns = wanted - time.time_ns()
        return self.setting or b'{"return": {}}\n'


def until(true: Callable[[], object]) -> None:
    limit = time.monotonic() + 10
    while not true():
        assert time.monotonic() < limit
        time.sleep(0.001)


@pytest.mark.parametrize("setting", [b"", NO_HWCLOCK])
@pytest.mark.parametrize("ahead_ns", [-(10**12), 500_000_000, -60_000_000])
def test_a_wrong_clock_is_set(ahead_ns: int, setting: bytes) -> None:
    guest = GuestClock(ahead_ns, setting=setting)
    with open_agent(guest.ports) as agent:
        set_clock(agent, HostClock())
    assert abs(guest.ahead_ns) < 20_000_000
    assert guest.times


def test_the_way_to_the_guest_is_taken_into_account() -> None:
    guest = GuestClock(10**9, delay_s=0.05)
    with open_agent(guest.ports) as agent:
        assert not set_clock(agent, HostClock())
    assert abs(guest.ahead_ns) < 45_000_000
    assert guest.times


def test_what_a_busy_guest_is_told_is_put_right_when_it_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(guest_clock, "LOOK_SECONDS", 0.01)
    guest = GuestClock(-40_000_000, delay_s=0.1)
    keeper = ClockKeeper(guest.ports)
    keeper.wake()
    time.sleep(1.0)
    assert guest.ahead_ns == -40_000_000, "it might be right, as far as can be told"
    guest.delay_s = 0.0
    until(lambda: abs(guest.ahead_ns) < 20_000_000)
    keeper.close()


def test_a_right_clock_is_left() -> None:
    guest = GuestClock(1_000_000)
    with open_agent(guest.ports) as agent:
        set_clock(agent, HostClock())
    assert (guest.times, guest.ahead_ns) == ([], 1_000_000)


def test_an_agent_that_may_not() -> None:
    guest = GuestClock(-(10**9), setting=REFUSAL)
    with open_agent(guest.ports) as agent, pytest.raises(AgentRefusal):
        set_clock(agent, HostClock())
    keeper = ClockKeeper(guest.ports)
    guest.asked.clear()
    keeper.wake()
    assert guest.asked.wait(10)
    keeper.close()


def test_woken_again_and_again() -> None:
    guest = GuestClock(-(10**9))
    guest.ports.busy = 2
    keeper = ClockKeeper(guest.ports)
    for _ in range(3):
        guest.ahead_ns = -(10**10)
        keeper.wake()
        until(lambda: abs(guest.ahead_ns) < 20_000_000)
    keeper.close()
    assert keeper._thread is not None
    keeper._thread.join(10)
    guest.asked.clear()
    keeper.wake()
    assert not guest.asked.wait(0.1)


def test_a_guest_that_is_silent_at_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guest_clock, "AGENT_SECONDS", 0.05)
    monkeypatch.setattr(guest_clock, "PAUSE_SECONDS", 0.01)
    guest = GuestClock(-(10**9))
    reply, guest.ports.reply = guest.ports.reply, lambda request: b""
    keeper = ClockKeeper(guest.ports)
    keeper.wake()
    time.sleep(0.1)
    guest.ports.reply = reply
    until(lambda: abs(guest.ahead_ns) < 20_000_000)
    keeper.close()


def test_the_hosts_clock_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looked for now and then, or done as well after a sleep of the host."""
    monkeypatch.setattr(guest_clock, "LOOK_SECONDS", 0.01)
    clock = ManualClock(wall_ns=time.time_ns())
    ahead_ns = 0

    def answer(request: dict[str, object]) -> bytes:
        nonlocal ahead_ns
        if request["execute"] == "guest-set-time":
            ahead_ns = request["arguments"]["time"] - clock.wall_ns()
            return b'{"return": {}}\n'
        return b'{"return": %d}\n' % (clock.wall_ns() + ahead_ns)

    ports = FakeAgent(answer)
    keeper = ClockKeeper(ports, clock)
    keeper.wake()
    until(lambda: len(ports.requests) == 1 + guest_clock.READINGS)
    clock.advance(3600 * 10**9)
    time.sleep(0.1)
    assert len(ports.requests) == 1 + guest_clock.READINGS
    clock.set_wall(clock.wall_ns() + 10**9)
    ahead_ns = -(10**9)
    until(lambda: ahead_ns == 0)
    keeper.close()


def test_a_guest_that_boots_for_long_is_asked_every_few_seconds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(guest_clock, "AGENT_SECONDS", 0.001)
    guest, waits = GuestClock(0), list[float]()
    guest.ports.reply = lambda request: b""
    keeper = ClockKeeper(guest.ports)
    monkeypatch.setattr(keeper._closed, "wait", waits.append)
    assert keeper._keep()
    assert max(waits) == guest_clock.LONGEST_PAUSE_SECONDS
    assert sum(waits) > 90

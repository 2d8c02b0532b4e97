"""Keeping a guest's clock with the host's, by way of the QEMU agent in the guest."""

import threading
from typing import Final

from hospes.base.clock import Clock, HostClock
from hospes.base.errors import HospesError, PortBusy
from hospes.guests.ports import GuestPorts
from hospes.guests.qga import Agent, AgentSilent, open_agent

NEAR_NS: Final = 15_000_000
"""A clock that is surely within this of the host's is left as it is."""
SETTINGS: Final = 5
READINGS: Final = 4

AGENT_SECONDS: Final = 2.0
"""Others have the agent's port again after so long, whether it answers or not."""
ATTEMPTS: Final = 30
PAUSE_SECONDS: Final = 0.1
LONGEST_PAUSE_SECONDS: Final = 4.0
"""A guest that takes long to boot waits no longer for its clock."""
LOOK_SECONDS: Final = 10.0
STEP_NS: Final = 20_000_000


def set_clock(agent: Agent, clock: Clock) -> bool:
    """Set the guest's clock to the host's, if it is wrong; again, if that was not exact.

    What lies between sending a time and its being set is taken to be half of what asking for the
    time takes. False when the guest takes so long that nothing better can be told now. AgentRefusal
    if the agent may not set it.
    """
    for _ in range(SETTINGS):
        ahead_ns, taken_ns = compare(agent, clock)
        if abs(ahead_ns) + taken_ns // 2 <= NEAR_NS:
            return True
        if abs(ahead_ns) <= taken_ns // 2:
            return False
        agent.set_time_ns(clock.wall_ns() + taken_ns // 2)
    return False


def compare(agent: Agent, clock: Clock) -> tuple[int, int]:
    """How far the guest's clock is ahead, and how long asking took: wrong by half of it at most."""
    readings = []
    for _ in range(READINGS):
        before_ns = clock.wall_ns()
        guest_ns = agent.time_ns()
        after_ns = clock.wall_ns()
        readings.append((after_ns - before_ns, guest_ns - (before_ns + after_ns) // 2))
    taken_ns, ahead_ns = min(readings)
    return ahead_ns, taken_ns


class ClockKeeper:
    """Sets a guest's clock in a thread of its own, whenever `wake` says that it may be wrong.

    Linux starts with the second its real-time clock tells, so half a second off, and lags behind
    after a pause. It knows nothing of it when the host's clock is set or the host sleeps, which is
    looked for every LOOK_SECONDS, as is a clock that could not be set well, because the guest was
    busy. A guest whose agent does not answer, or refuses, is left alone.
    """

    def __init__(self, ports: GuestPorts, clock: Clock | None = None) -> None:
        self._ports, self._clock = ports, clock or HostClock()
        self._due = threading.Event()
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None
        self._epoch_ns = 0

    def wake(self) -> None:
        """The clock may be wrong. Returns at once."""
        self._due.set()
        if self._thread is None and not self._closed.is_set():
            self._thread = threading.Thread(target=self._serve, name="hospes clock", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Leave the guest alone."""
        self._closed.set()
        self._due.set()

    def _serve(self) -> None:
        well = True
        while not self._closed.is_set():
            if not well or self._due.is_set() or self._host_was_set():
                self._due.clear()
                self._epoch_ns = self._epoch()
                well = self._keep()
            self._due.wait(LOOK_SECONDS)

    def _epoch(self) -> int:
        return self._clock.wall_ns() - self._clock.monotonic_ns()

    def _host_was_set(self) -> bool:
        return abs(self._epoch() - self._epoch_ns) > STEP_NS

    def _keep(self) -> bool:
        """Set the clock; one attempt after the other, for the guest may be about to start.

        False when it could be set better later.
        """
        wait = PAUSE_SECONDS
        for _ in range(ATTEMPTS):
            try:
                with open_agent(self._ports, AGENT_SECONDS) as agent:
                    return set_clock(agent, self._clock)
            except (AgentSilent, PortBusy):
                if self._closed.wait(wait):
                    return True
            except HospesError:
                return True
            wait = min(2 * wait, LONGEST_PAUSE_SECONDS)
        return True

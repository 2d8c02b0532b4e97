"""Commands in a guest, one after another, over the console its agent listens on."""

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

from hospes.base.errors import GuestError, HospesError
from hospes.guests.agent import AgentProtocol, ErrorOutput, Event, Finished, Output

PENDING_BYTES: Final = 1 << 20
EVENT_BYTES: Final = 128
KILL_SECONDS: Final = 5.0
POLL_SECONDS: Final = 0.5

Take = Callable[[bytes], object]


class CommandTimeout(HospesError):  # noqa: N818 - as TimeoutExpired elsewhere
    """A command in the guest took longer than it was given, and was killed."""


class AgentConsole(Protocol):
    """The host's side of the console the agent listens on."""

    def feed(self, data: bytes) -> int: ...
    def room_again(self) -> None: ...


class Session:
    """The sink of the agent's console; `run` is called by one thread at a time.

    `alive` tells whether the machine still runs, `restarts` how often the guest has started anew.
    At most PENDING_BYTES of a command's output wait here; then the guest waits.
    """

    def __init__(
        self, console: AgentConsole, alive: Callable[[], bool], restarts: Callable[[], int]
    ) -> None:
        self._console, self._alive, self._restarts = console, alive, restarts
        self._protocol = AgentProtocol()
        self._born = restarts()
        self._events: deque[Event] = deque()
        self._pending = 0
        self._broken: str | None = None
        self._changed = threading.Condition()

    def write(self, data: bytes) -> int:
        """For the console: bytes from the guest, in the machine's thread."""
        with self._changed:
            taken = min(len(data), max(0, PENDING_BYTES - self._pending))
            self._renew()
            try:
                events = [] if self._broken else self._protocol.feed(data[:taken])
            except GuestError as error:
                self._broken = str(error)
                events = []
            self._events.extend(events)
            self._pending += sum(weight(event) for event in events)
            if events or self._broken:
                self._changed.notify_all()
        return taken

    def input_taken(self) -> None:
        """For the console: there is room for more to send."""
        with self._changed:
            self._changed.notify_all()

    def ready(self, seconds: float | None = None) -> bool:
        """Wait until the agent listens; False if it does not in time, or the machine has ended."""
        limit = deadline(seconds)
        with self._changed:
            self._renew()
            while not self._protocol.ready:
                if not self._alive() or not self._wait(limit):
                    return False
        return True

    def run(
        self, command: str, on_output: Take, on_error: Take, seconds: float | None = None
    ) -> int:
        """Run a command; its exit code. Output is handed over as it comes, in this thread."""
        limit = deadline(seconds)
        if not self.ready(seconds):
            raise self._failure(command, "the guest did not get ready in time", seconds)
        with self._changed:
            born = self._born
            line = self._protocol.run(command)
        self._send(line)
        while True:
            for event in self._collect(limit, born):
                if isinstance(event, Finished):
                    return event.status
                if isinstance(event, Output):
                    on_output(event.data)
                elif isinstance(event, ErrorOutput):
                    on_error(event.data)
            if self._lost(born):
                raise self._failure(command, "the guest restarted meanwhile", None)
            if limit is not None and time.monotonic() >= limit:
                self.kill(born)
                raise CommandTimeout(
                    f"The command {command[:60]!r} took longer than {seconds:g} s and was killed; "
                    "give it more time."
                )

    def kill(self, born: int | None = None) -> None:
        """Kill the running command and wait for its end, so that another one can follow."""
        with self._changed:
            if not self._protocol.running:
                return
        self._send(self._protocol.signal("KILL"))
        limit = time.monotonic() + KILL_SECONDS
        while time.monotonic() < limit and not self._lost(self._born if born is None else born):
            if any(isinstance(event, Finished) for event in self._collect(limit, self._born)):
                return

    def signal(self, name: str) -> None:
        """Send a signal to the running command."""
        self._send(self._protocol.signal(name))

    def poweroff(self) -> None:
        """Ask the guest to switch itself off in good order."""
        self._send(self._protocol.poweroff())

    def _collect(self, limit: float | None, born: int) -> list[Event]:
        """What has come since; waits for something, but not beyond the limit."""
        with self._changed:
            while not self._events:
                if self._broken is not None:
                    raise HospesError(f"The guest cannot be spoken to: {self._broken}.")
                if not self._alive():
                    raise HospesError("The machine stopped before the command had ended.")
                if self._lost(born) or not self._wait(limit):
                    return []
            events, self._events, self._pending = list(self._events), deque(), 0
        self._console.room_again()
        return events

    def _wait(self, limit: float | None) -> bool:
        """Wait for a change, or a moment to look whether the machine lives; False: time is up."""
        left = POLL_SECONDS if limit is None else min(POLL_SECONDS, limit - time.monotonic())
        if left <= 0:
            return False
        self._changed.wait(left)
        return True

    def _send(self, line: bytes) -> None:
        """Send a line, in pieces as the console takes them."""
        while True:
            line = line[self._console.feed(line) :]
            if not line or not self._alive():
                return
            with self._changed:
                self._changed.wait(POLL_SECONDS / 10)

    def _renew(self) -> None:
        """After a restart of the guest, a new agent greets."""
        if self._restarts() != self._born:
            self._born = self._restarts()
            self._protocol, self._broken = AgentProtocol(), None
            self._events.clear()
            self._pending = 0

    def _lost(self, born: int) -> bool:
        return self._restarts() != born

    def _failure(self, command: str, why: str, seconds: float | None) -> HospesError:
        if not self._alive():
            return HospesError("The machine stopped before the command could run.")
        sentence = f"The command {command[:60]!r} did not run: {why}"
        if seconds is None:
            return HospesError(f"{sentence}.")
        return CommandTimeout(f"{sentence} ({seconds:g} s); give it more.")


def weight(event: Event) -> int:
    """The bytes an event keeps, its own included: a guest may send many with nothing in them."""
    return EVENT_BYTES + (len(event.data) if isinstance(event, Output | ErrorOutput) else 0)


def deadline(seconds: float | None) -> float | None:
    """When so much time from now is over."""
    return None if seconds is None else time.monotonic() + seconds

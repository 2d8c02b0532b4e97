"""How other threads reach the machine's own: calls it carries out between two slices."""

import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

from hospes.base.errors import HospesError

Result = TypeVar("Result")


class Ticket(Generic[Result]):
    """A call that waits for the machine's thread, and then its result or error."""

    def __init__(self, function: Callable[[], Result]) -> None:
        self._function = function
        self._done = threading.Event()
        self._result: Result
        self._error: BaseException | None = None

    def carry_out(self) -> None:
        """Make the call."""
        try:
            self._result = self._function()
        except Exception as error:
            self._error = error
        self._done.set()

    def refuse(self, error: BaseException) -> None:
        """End the waiting without the call."""
        self._error = error
        self._done.set()

    def result(self, seconds: float | None = None) -> Result:
        """What the call returned, or raised."""
        if not self._done.wait(seconds):
            raise HospesError("the machine has not answered in time; stop it and start it again")
        if self._error is not None:
            raise self._error
        return self._result


class Mailbox:
    """Calls for one thread, which sleeps here when it has nothing to do.

    `interrupt` makes the thread come back soon from wherever guest code has it. A signal handler
    may post while its own thread is in here: the lock is re-entrant.
    """

    def __init__(self, interrupt: Callable[[], None]) -> None:
        self._interrupt = interrupt
        self._calls: deque[Ticket[object]] = deque()
        self._rung = False
        self._closed = ""
        self._changed = threading.Condition(threading.RLock())

    def post(self, function: Callable[[], Result]) -> Ticket[Result]:
        """Have the machine's thread call a function; refused once the mailbox is closed."""
        ticket = Ticket(function)
        with self._changed:
            if self._closed:
                ticket.refuse(HospesError(self._closed))
                return ticket
            self._calls.append(ticket)  # type: ignore[arg-type]
        self.ring()
        return ticket

    def ring(self) -> None:
        """Have the machine's thread look around: input, room, a call."""
        with self._changed:
            if self._rung:
                return
            self._rung = True
            self._changed.notify()
        self._interrupt()

    def carry_out(self) -> None:
        """Make the calls that wait; the machine's thread."""
        self._rung = False
        while self._calls:
            self._calls.popleft().carry_out()

    def sleep(self, seconds: float | None) -> None:
        """Wait until someone rings, or so long."""
        with self._changed:
            if not self._rung:
                self._changed.wait(seconds)

    def close(self, why: str) -> None:
        """Refuse what waits and what comes, with this sentence."""
        with self._changed:
            self._closed = why
            left, self._calls = self._calls, deque()
        for ticket in left:
            ticket.refuse(HospesError(why))

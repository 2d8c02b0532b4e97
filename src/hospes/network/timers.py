"""When connections want to be called: a heap touched about once per timeout, not per frame."""

import heapq
import itertools

from hospes.network.tcp import Connection


class Timers:
    """Each connection has at most one entry that counts, at `timer_at_ns`.

    A deadline that moves away leaves its entry where it is; the entry moves when it comes up.
    """

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Connection]] = []
        self._order = itertools.count()

    @property
    def next_ns(self) -> int | None:
        """When `due` may have something."""
        return self._heap[0][0] if self._heap else None

    def watch(self, connection: Connection) -> None:
        """See to it that the connection comes up no later than its deadline."""
        deadline_ns, at_ns = connection.deadline_ns, connection.timer_at_ns
        if deadline_ns is not None and (at_ns is None or deadline_ns < at_ns):
            connection.timer_at_ns = deadline_ns
            heapq.heappush(self._heap, (deadline_ns, next(self._order), connection))

    def due(self, now_ns: int) -> list[Connection]:
        """The connections whose deadlines have come."""
        found = []
        while self._heap and self._heap[0][0] <= now_ns:
            at_ns, _, connection = heapq.heappop(self._heap)
            if connection.timer_at_ns != at_ns:
                continue
            connection.timer_at_ns = None
            deadline_ns = connection.deadline_ns
            if deadline_ns is not None and deadline_ns <= now_ns:
                found.append(connection)
            else:
                self.watch(connection)
        return found

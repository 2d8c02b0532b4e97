"""Virtio balloon (virtio 1.2, section 5.5): memory the guest does without goes back to the host."""

import struct
from collections.abc import Callable, Iterator
from typing import Final

from hospes.base.clock import Clock
from hospes.base.errors import GuestError
from hospes.devices.backends import DiscardableMemory
from hospes.devices.virtio.function import VirtioFunction
from hospes.devices.virtio.queue import Chain, Virtqueue

STATS_VQ, DEFLATE_ON_OOM, PAGE_REPORTING = 1 << 1, 1 << 2, 1 << 5
INFLATE, DEFLATE, STATISTICS, REPORTING = range(4)
PAGE_SHIFT: Final = 12
"""Pages are of 4 KiB here, whatever the guest has (5.5.6)."""
STEP_PAGES: Final = 8192
"""How many pages one step gives back at most; the rest follows at the next tick."""
NUMBERS_BYTES_MAX: Final = 16 * 1024
"""Of page numbers in one request; Linux sends 1 KiB."""
STATISTICS_MAX: Final = 64
ACTUAL_OFFSET: Final = 4

_STATISTIC = struct.Struct("<HQ")


class VirtioBalloon(VirtioFunction):
    """Pages in the balloon, and free pages the driver reports, are discarded; they read as zeros.

    So the guest may use them again without a word: VIRTIO_BALLOON_F_MUST_TELL_HOST is not offered.
    Optional queues are numbered without gaps, as Linux does: the statistics' is the third if it was
    agreed on, that for free pages comes after it.
    """

    device_id, queue_count = 5, 4

    target_pages: int
    actual_pages: int
    done: list[int]              # pages of each queue's current request that are given back
    busy: list[bool]             # queues with more to do
    statistics: dict[int, int]   # what the driver said last, by tag (5.5.6.4)
    statistics_wall_ns: int      # when

    def __init__(self, memory: DiscardableMemory, clock: Clock) -> None:
        self.target_pages = 0
        self._ram, self._clock = memory, clock
        self._answer: Callable[[], None] | None = None
        self._asked = False
        super().__init__(memory)
        self.own_features = STATS_VQ | DEFLATE_ON_OOM | PAGE_REPORTING

    def reset(self) -> None:
        """The balloon is empty; how large it should be is kept."""
        super().reset()
        self.actual_pages = 0
        self.done, self.busy = [0] * self.queue_count, [False] * self.queue_count
        self.statistics, self.statistics_wall_ns = {}, 0

    def forget(self, index: int) -> None:
        """The next request of the queue begins at its first page."""
        self.done[index], self.busy[index] = 0, False

    def resize(self, pages: int) -> None:
        """Ask the driver for a balloon of so many pages of 4 KiB."""
        self.target_pages = pages
        self.config_generation = (self.config_generation + 1) & 0xFFFF_FFFF
        if self.running:
            self.interrupt_config()

    def ask(self, answer: Callable[[], None]) -> None:
        """Ask the driver for new statistics; `answer` is called when they are there."""
        self._answer, self._asked = answer, True

    def config(self) -> bytes:
        """num_pages, actual, free_page_hint_cmd_id, poison_val."""
        return struct.pack("<IIII", self.target_pages, self.actual_pages, 0, 0)

    def write_config(self, offset: int, data: bytes) -> None:
        """The driver says how large the balloon is; the other fields are read-only."""
        if offset == ACTUAL_OFFSET and len(data) == 4:
            self.actual_pages = int.from_bytes(data, "little")

    def serve(self, index: int) -> None:
        """Pages into the balloon or out of it, statistics, free pages."""
        role = self._role(index)
        queue = self.queue(index)
        if role == STATISTICS:
            self._learn(queue)
        elif role == DEFLATE:
            while chain := queue.peek():
                queue.advance()
                queue.complete(chain, 0)
        else:
            self._discard(index, queue)
        queue.listen()
        if queue.wants_interrupt():
            self.interrupt_queue(index)

    def tick(self) -> None:
        """Go on with what was too much for one step, and ask for statistics."""
        if not self.running:
            return
        for index in range(self.queue_count):
            if self.busy[index]:
                self.serve(index)
        if self._asked and self.driver_features & STATS_VQ:
            self._return_statistics()

    def due_in_ns(self) -> int | None:
        """At once if there is more to do."""
        return 0 if self.running and any(self.busy) else None

    def _role(self, index: int) -> int:
        if index < STATISTICS or self.driver_features & STATS_VQ:
            return index
        return index + 1

    def _discard(self, index: int, queue: Virtqueue) -> None:
        """Give the pages of requests back, STEP_PAGES at most."""
        left = STEP_PAGES
        while left and (chain := queue.peek()):
            ranges = _numbered(queue, chain) if index == INFLATE else _reported(chain)
            for first, count in _from(ranges, self.done[index]):
                taken = min(count, left)
                self._ram.discard(first << PAGE_SHIFT, taken << PAGE_SHIFT)
                self.done[index] += taken
                left -= taken
                if not left:
                    break
            else:
                self.done[index] = 0
                queue.advance()
                queue.complete(chain, 0)
        self.busy[index] = not left

    def _learn(self, queue: Virtqueue) -> None:
        """Statistics have come; the buffer stays until the next are wanted (5.5.6.3)."""
        chain = queue.peek()
        if chain is None:
            return
        data = queue.gather(chain, 0, STATISTICS_MAX * _STATISTIC.size)
        whole = len(data) - len(data) % _STATISTIC.size
        self.statistics = dict(_STATISTIC.iter_unpack(data[:whole]))
        self.statistics_wall_ns = self._clock.wall_ns()
        if self._answer is not None and not self._asked:
            answer, self._answer = self._answer, None
            answer()

    def _return_statistics(self) -> None:
        queue = self.queue(STATISTICS)
        if chain := queue.peek():
            self._asked = False
            queue.advance()
            queue.complete(chain, 0)
            queue.listen()
            if queue.wants_interrupt():
                self.interrupt_queue(STATISTICS)


def _numbered(queue: Virtqueue, chain: Chain) -> Iterator[tuple[int, int]]:
    """(first page, count) of the pages whose numbers a request holds, in order."""
    if chain.readable_bytes > NUMBERS_BYTES_MAX or chain.readable_bytes % 4:
        raise GuestError(f"{chain.readable_bytes} bytes of page numbers")
    data = queue.gather(chain, 0, NUMBERS_BYTES_MAX)
    first = count = 0
    for number in sorted({number for (number,) in struct.iter_unpack("<I", data)}):
        if number != first + count:
            if count:
                yield first, count
            first, count = number, 0
        count += 1
    if count:
        yield first, count


def _reported(chain: Chain) -> Iterator[tuple[int, int]]:
    """(first page, count) of the whole pages in a request's buffers."""
    for gpa, length in chain.writable:
        first = (gpa + (1 << PAGE_SHIFT) - 1) >> PAGE_SHIFT
        count = (gpa + length >> PAGE_SHIFT) - first
        if count > 0:
            yield first, count


def _from(ranges: Iterator[tuple[int, int]], skipped: int) -> Iterator[tuple[int, int]]:
    """What is left of ranges behind so many pages."""
    for first, count in ranges:
        passed = min(skipped, count)
        skipped -= passed
        if count > passed:
            yield first + passed, count - passed

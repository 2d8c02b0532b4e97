"""The shared folder's device against a driver, a folder that echoes and an executor that waits."""

import struct

import pytest
from tests.devices.virtio.test_block import Later

from hospes.base.clock import ManualClock
from hospes.base.errors import GuestError, HospesError
from hospes.base.wire import encode, restore
from hospes.devices.virtio.folder import (
    AT_ONCE_MAX,
    IN_FLIGHT_BYTES_MAX,
    IN_FLIGHT_MAX,
    MESSAGE_BYTES_MAX,
    MOUNT_TAG,
    SLOW_MESSAGES,
    SLOW_NS,
    VirtioFolder,
)
from hospes.devices.virtio.mmio import VirtioMmio

NEXT, WRITE = 1, 2
FEATURES = 1 << 32 | MOUNT_TAG
CLUNK, FLUSH = 120, 108
ROOM = 64


class Echo:
    """Answers with the message itself, its type one more."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock, self.quick, self.takes_ns = clock, False, 0
        self.asked: list[tuple[bytes, int]] = []
        self.resets = 0
        self.held = b"nothing"

    def answer(self, message: bytes, room: int) -> bytes:
        self.asked.append((message, room))
        return message[:4] + bytes((message[4] + 1,)) + message[5:]

    def answer_at_once(self, message: bytes, room: int) -> bytes | None:
        self.clock.advance(self.takes_ns)
        return self.answer(message, room) if self.quick else None

    def reset(self) -> None:
        self.resets += 1

    def save(self) -> bytes:
        return self.held

    def load(self, data: bytes) -> None:
        if data == b"damaged":
            raise HospesError("the message is damaged")
        self.held = data


class Bench:
    """A folder in a slot with its driver; message n uses descriptors from 2 * n on."""

    def __init__(self, ram, line, make_driver, clock: ManualClock) -> None:
        self.ram, self.line, self.folder, self.later = ram, line, Echo(clock), Later()
        self.device = VirtioFolder(ram, self.folder, self.later, "volume0", clock)
        self.slot = VirtioMmio(line, self.device)
        self.driver = make_driver(self.slot, 256)

    def start(self) -> None:
        """With empty rings."""
        self.ram.write(self.ram.base + 0x2000, bytes(0x2000))
        self.driver.start(FEATURES, queues=1)

    def offer(
        self, number: int, tag: int, body: bytes = b"", n: int = 0, room: int = ROOM,
        notify: bool = True,
    ) -> None:  # fmt: skip
        at = self.driver.buffer(n % 64)
        message = struct.pack("<IBH", 7 + len(body), number, tag) + body
        self.ram.write(at, message)
        self.ram.write(at + 0x800, bytes(ROOM))
        self.driver.describe(0, 2 * n, at, len(message), NEXT, 2 * n + 1)
        self.driver.describe(0, 2 * n + 1, at + 0x800, room, WRITE)
        self.driver.offer(0, 2 * n, notify)

    def answered(self) -> list[int]:
        """Which messages have come back."""
        return [head // 2 for head, _ in self.driver.used(0)]

    def answer(self, n: int = 0) -> tuple[int, int]:
        """An answer's type and tag."""
        _, number, tag = struct.unpack(
            "<IBH", self.ram.read(self.driver.buffer(n % 64) + 0x800, 7)
        )
        return number, tag


@pytest.fixture
def bench(ram, wire, make_driver, clock: ManualClock) -> Bench:
    made = Bench(ram, wire, make_driver, clock)
    made.start()
    return made


def test_the_tag_is_in_the_configuration(bench: Bench) -> None:
    assert bench.device.config() == b"\7\0volume0"
    assert bench.slot.read(0x100, 2) == 7
    assert bench.slot.read(0x008, 4) == 9


def test_a_message_is_answered_beside_the_machine(bench: Bench) -> None:
    bench.offer(CLUNK, 5, b"abcd")
    assert (bench.answered(), bench.line.level) == ([], False)
    bench.later.run()
    assert bench.slot.due_in_ns() == 0
    bench.slot.tick()
    assert bench.folder.asked == [(struct.pack("<IBH", 11, CLUNK, 5) + b"abcd", ROOM)]
    assert bench.driver.used(0) == [(0, 11)]
    assert bench.answer() == (CLUNK + 1, 5)
    assert bench.line.level
    assert bench.slot.due_in_ns() is None


def test_answers_come_in_any_order(bench: Bench) -> None:
    for n in range(3):
        bench.offer(CLUNK, n, n=n)
    bench.later.jobs.reverse()
    bench.later.run()
    bench.slot.tick()
    assert bench.answered() == [2, 1, 0]


def test_a_flush_is_answered_after_what_it_names(bench: Bench) -> None:
    bench.offer(CLUNK, 7, n=0)
    bench.offer(CLUNK, 8, n=1)
    bench.offer(FLUSH, 9, struct.pack("<H", 7), n=2)
    bench.slot.tick()
    assert bench.answered() == []
    first, second = bench.later.jobs
    bench.later.jobs = []
    second()
    bench.slot.tick()
    assert bench.answered() == [1]
    first()
    bench.slot.tick()
    assert bench.answered() == [0, 2]
    assert bench.answer(2) == (FLUSH + 1, 9)
    assert all(message[4] != FLUSH for message, _ in bench.folder.asked)


def test_a_flush_of_nothing_and_of_itself(bench: Bench) -> None:
    bench.offer(FLUSH, 9, struct.pack("<H", 7))
    bench.offer(FLUSH, 10, struct.pack("<H", 10), n=1)
    assert bench.slot.due_in_ns() == 0
    bench.slot.tick()
    assert bench.answered() == [0, 1]
    # One after the other, each naming the one before.
    bench.offer(CLUNK, 1, n=2)
    bench.offer(FLUSH, 2, struct.pack("<H", 1), n=3)
    bench.offer(FLUSH, 3, struct.pack("<H", 2), n=4)
    bench.later.run()
    bench.slot.tick()
    assert bench.answered() == [2, 3, 4]


def test_what_is_under_way_is_bounded(bench: Bench) -> None:
    for n in range(100):
        bench.offer(CLUNK, n, n=n)
    assert len(bench.later.jobs) == IN_FLIGHT_MAX
    seen = []
    while bench.later.jobs:
        bench.later.run()
        bench.slot.tick()
        seen += bench.answered()
    assert seen == list(range(100))


def test_memory_is_bounded_by_the_room_asked_for(bench: Bench) -> None:
    for n in range(20):
        bench.offer(CLUNK, n, n=n, room=0x8000_0000)
    assert bench.device._begun_bytes <= IN_FLIGHT_BYTES_MAX + MESSAGE_BYTES_MAX + 100
    assert len(bench.later.jobs) < 20


@pytest.mark.parametrize(("length", "room"), [(6, ROOM), (20, 10), (20, 0), (2 << 20, ROOM)])
def test_what_is_no_message_stops_the_device(bench: Bench, length: int, room: int) -> None:
    bench.driver.describe(0, 0, bench.driver.buffer(), length, NEXT, 1)
    bench.driver.describe(0, 1, bench.driver.buffer() + 0x800, room, WRITE)
    with pytest.raises(GuestError, match="message"):
        bench.driver.offer(0, 0)
    assert bench.device.status & 64


def test_a_reset_gives_back_what_was_held_once_all_has_ended(bench: Bench) -> None:
    resets = bench.folder.resets
    bench.offer(CLUNK, 1, n=0)
    bench.offer(CLUNK, 2, n=1)
    bench.driver.reg(0x70, 0)
    assert bench.folder.resets == resets
    bench.start()
    bench.offer(CLUNK, 3, n=2)
    bench.slot.tick()
    assert len(bench.later.jobs) == 2
    # Messages from before are not carried out any more; then the folder forgets, then it goes on.
    for count in (0, 0, 1):
        bench.later.run()
        bench.slot.tick()
        assert len(bench.folder.asked) == count
        assert bench.folder.resets == resets + (count or bool(bench.folder.resets - resets))
    assert bench.answered() == [2]


def test_a_pause_waits_for_the_folder(bench: Bench) -> None:
    bench.offer(CLUNK, 1)
    bench.slot.drain()
    assert bench.answered() == [0]


def test_quick_messages_are_answered_at_once(bench: Bench) -> None:
    bench.folder.quick = True
    bench.offer(CLUNK, 5)
    assert (bench.answered(), bench.answer(), bench.line.level) == ([0], (CLUNK + 1, 5), True)
    assert bench.later.jobs == []
    # No more of them in one step than is bearable.
    for n in range(100):
        bench.offer(CLUNK, n, n=n, notify=False)
    bench.driver.reg(0x50, 0)
    assert len(bench.answered()) == AT_ONCE_MAX
    while bench.later.jobs:
        bench.later.run()
        bench.slot.tick()
    assert len(bench.answered()) == 100 - AT_ONCE_MAX


def test_a_slow_host_is_not_waited_for_again_and_again(bench: Bench) -> None:
    bench.folder.quick, bench.folder.takes_ns = True, SLOW_NS + 1
    bench.offer(CLUNK, 1)
    assert bench.answered() == [0]
    bench.folder.takes_ns = 0
    for n in range(SLOW_MESSAGES):
        bench.offer(CLUNK, n, n=n)
        assert bench.answered() == []
        bench.later.run()
        bench.slot.tick()
        assert bench.answered() == [n]
    bench.offer(CLUNK, 1)
    assert bench.answered() == [0]


def test_state_has_what_the_driver_holds(bench: Bench, ram, clock: ManualClock) -> None:
    bench.offer(CLUNK, 1)
    bench.slot.drain()
    bench.folder.held = b"three files"
    saved = encode(bench.device)
    folder = Echo(clock)
    other = VirtioFolder(ram, folder, Later(), "volume0", clock)
    restore(other, saved)
    assert folder.held == b"three files"
    assert other.queues == bench.device.queues
    assert encode(other) == saved


def test_an_error_of_ours_leaves_nothing_waiting(bench: Bench) -> None:
    def fail(message: bytes, room: int) -> bytes:
        raise RuntimeError

    bench.folder.answer = fail
    bench.offer(CLUNK, 1)
    with pytest.raises(RuntimeError):
        bench.later.run()
    bench.slot.tick()
    assert bench.answered() == [0]
    assert bench.answer() == (7, 1)

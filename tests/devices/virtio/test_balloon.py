"""The balloon: pages given back, and what a driver says about its memory."""

import struct

import pytest

from hospes.base import wire as encoding
from hospes.base.errors import GuestError
from hospes.devices.virtio.balloon import (
    DEFLATE_ON_OOM,
    NUMBERS_BYTES_MAX,
    PAGE_REPORTING,
    STATS_VQ,
    STEP_PAGES,
    VirtioBalloon,
)
from hospes.devices.virtio.function import NEEDS_RESET
from hospes.devices.virtio.mmio import VirtioMmio

ALL = 1 << 32 | STATS_VQ | DEFLATE_ON_OOM | PAGE_REPORTING
FIRST = 0x8_0000
WRITE = 2


class Discards:
    """Guest memory of a terabyte that notes what is given back, in pages."""

    def __init__(self, ram) -> None:
        self._ram, self.base = ram, ram.base
        self.ranges: list[tuple[int, int]] = []

    def __getattr__(self, name: str):
        return getattr(self._ram, name)

    def discard(self, gpa: int, count: int) -> None:
        if not self.base <= gpa < 1 << 40:
            raise GuestError(f"{gpa:#x} is not RAM")
        self.ranges.append((gpa >> 12, count >> 12))


@pytest.fixture
def memory(ram) -> Discards:
    return Discards(ram)


@pytest.fixture
def device(memory, clock) -> VirtioBalloon:
    return VirtioBalloon(memory, clock)


@pytest.fixture
def slot(wire, device) -> VirtioMmio:
    return VirtioMmio(wire, device)


@pytest.fixture
def driver(slot, make_driver):
    driver = make_driver(slot)
    driver.start(ALL, queues=4)
    return driver


def numbers(*pages: int) -> bytes:
    return struct.pack(f"<{len(pages)}I", *pages)


def report(driver, ranges: list[tuple[int, int]], queue: int = 3) -> None:
    for index, (gpa, length) in enumerate(ranges):
        last = index == len(ranges) - 1
        driver.describe(queue, index, gpa, length, WRITE | (not last), index + 1)
    driver.offer(queue, 0)


def test_inflating_gives_runs_of_pages_back(driver, memory, wire) -> None:
    driver.send(numbers(FIRST + 9, FIRST + 3, FIRST + 2, FIRST + 4, FIRST + 9), queue=0)
    assert memory.ranges == [(FIRST + 2, 3), (FIRST + 9, 1)]
    assert driver.used(0) == [(0, 0)]
    assert wire.level
    driver.send(b"", queue=0)
    driver.send(numbers(FIRST + 9), queue=1)
    assert driver.used(1) == [(0, 0)]
    assert len(memory.ranges) == 2


def test_sizes(driver, device, slot) -> None:
    device.resize(1000)
    assert slot.pending & 2
    assert [slot.read(0x100 + 4 * n, 4) for n in range(4)] == [1000, 0, 0, 0]
    slot.write(0x104, 4, 900)
    slot.write(0x100, 4, 7)
    slot.write(0x104, 1, 7)
    assert (device.target_pages, device.actual_pages) == (1000, 900)
    driver.reg(0x70, 0)
    assert (device.target_pages, device.actual_pages) == (1000, 0)


def test_reported_pages(driver, memory) -> None:
    base = FIRST << 12
    report(driver, [(base, 0x3000), (base + 0x4800, 0x2000), (base + 0x9001, 0x1000)])
    assert memory.ranges == [(FIRST, 3), (FIRST + 5, 1)]
    assert driver.used(3) == [(0, 0)]


def test_without_statistics_the_third_queue_is_for_free_pages(slot, make_driver, memory) -> None:
    driver = make_driver(slot)
    driver.start(1 << 32 | PAGE_REPORTING, queues=3)
    report(driver, [(FIRST << 12, 0x1000)], queue=2)
    assert memory.ranges == [(FIRST, 1)]


def test_a_step_is_bounded_and_what_is_left_goes_on(driver, slot, memory, device, wire) -> None:
    length = 0xFFFF_F000
    report(driver, [(FIRST << 12, length), (FIRST << 12, 0x1000)])
    assert memory.ranges == [(FIRST, STEP_PAGES)]
    assert driver.used(3) == []
    other = VirtioMmio(wire, VirtioBalloon(memory, None))
    encoding.restore(other.function, encoding.encode(device))
    steps = 1
    while other.due_in_ns() == 0:
        other.tick()
        steps += 1
        assert memory.ranges[-1][1] <= STEP_PAGES
    assert memory.ranges[1] == (FIRST + STEP_PAGES, STEP_PAGES)
    assert memory.ranges[-1] == (FIRST, 1)
    assert sum(count for _, count in memory.ranges) == (length >> 12) + 1
    assert steps == ((length >> 12) + 1) // STEP_PAGES + 1
    assert driver.used(3) == [(0, 0)]


@pytest.mark.parametrize(
    "data", [numbers(0), numbers(FIRST, 0xFFFF_FFFF), b"odd", bytes(NUMBERS_BYTES_MAX + 4)]
)
def test_wrong_page_numbers(driver, device, data: bytes) -> None:
    with pytest.raises(GuestError):
        driver.send(data, queue=0)
    assert device.status & NEEDS_RESET


def test_statistics_are_new_when_asked_for(driver, device, slot, clock) -> None:
    answers = []
    first = struct.pack("<HQHQ", 4, 111, 0x1234, 5)
    driver.send(first + b"odd", queue=2)
    assert driver.used(2) == []
    assert device.statistics == {4: 111, 0x1234: 5}
    device.ask(lambda: answers.append(dict(device.statistics)))
    slot.tick()
    assert (driver.used(2), answers) == ([(0, 0)], [])
    clock.advance(5_000_000)
    driver.send(struct.pack("<HQ", 4, 222), number=1, queue=2)
    assert answers == [{4: 222}]
    assert device.statistics_wall_ns == clock.wall_ns()
    driver.send(struct.pack("<HQ", 4, 333), number=2, queue=2)
    assert len(answers) == 1


def test_statistics_asked_for_before_the_driver_is_there(slot, device, make_driver) -> None:
    answers = []
    device.ask(lambda: answers.append(device.statistics))
    slot.tick()
    driver = make_driver(slot)
    driver.start(ALL, queues=4)
    slot.tick()
    driver.send(struct.pack("<HQ", 4, 1), queue=2)
    slot.tick()
    driver.send(struct.pack("<HQ", 4, 2), queue=2, number=1)
    assert answers == [{4: 2}]


def test_state(driver, device, memory, clock) -> None:
    driver.send(struct.pack("<HQ", 4, 1 << 63), queue=2)
    other = VirtioBalloon(memory, clock)
    encoding.restore(other, encoding.encode(device))
    assert other.statistics == {4: 1 << 63}
    assert encoding.encode(other) == encoding.encode(device)

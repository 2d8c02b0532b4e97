"""Packed rings against hostile drivers, and how both kinds are negotiated."""

import struct

import pytest

from hospes.base.errors import GuestError
from hospes.devices.virtio.entropy import VirtioEntropy
from hospes.devices.virtio.function import EVENT_IDX, RING_PACKED, VERSION_1
from hospes.devices.virtio.mmio import VirtioMmio
from hospes.devices.virtio.packed import PackedQueue
from hospes.devices.virtio.queue import Chain, QueueState, SplitQueue

BASE = 0x8000_0000
RING, DRIVER, DEVICE, TABLE = BASE, BASE + 0x1000, BASE + 0x2000, BASE + 0x3000
NEXT, WRITE, INDIRECT, AVAIL, USED = 1, 2, 4, 1 << 7, 1 << 15


class Rings:
    def __init__(self, ram) -> None:
        self.ram = ram
        self.queue = PackedQueue(ram, QueueState(4, True, RING, DRIVER, DEVICE), True)

    def describe(self, place: int, gpa: int, length: int, flags: int = 0, number: int = 0,
                 table: int = RING) -> None:
        self.ram.write(table + 16 * place, struct.pack("<QIHH", gpa, length, number, flags))


@pytest.fixture
def rings(ram) -> Rings:
    return Rings(ram)


def test_the_bits_that_offer_and_give_back(rings: Rings, ram) -> None:
    assert rings.queue.peek() is None
    rings.describe(1, BASE + 0x6000, 4, WRITE | AVAIL, 7)
    rings.describe(0, BASE + 0x5000, 5, NEXT | AVAIL, 9)
    assert rings.queue.peek() == Chain(
        7, ((BASE + 0x5000, 5),), ((BASE + 0x6000, 4),), 5, 4, places=2
    )
    rings.queue.advance()
    rings.queue.complete(Chain(7, places=2), 3)
    assert struct.unpack("<IHH", ram.read(RING + 8, 8)) == (3, 7, AVAIL | USED | WRITE)
    assert (rings.queue.state.next_avail, rings.queue.state.next_used) == (2, 2)
    rings.describe(2, BASE, 1, NEXT | AVAIL)
    rings.describe(3, BASE, 1, NEXT | AVAIL)
    rings.describe(0, BASE, 1, USED, 5)
    assert rings.queue.peek().places == 3
    rings.queue.advance()
    rings.queue.complete(Chain(5, places=3), 0)
    assert struct.unpack("<IHH", ram.read(RING + 2 * 16 + 8, 8)) == (0, 5, AVAIL | USED)
    assert rings.queue.state.next_avail == 5
    rings.describe(1, BASE, 1, AVAIL)
    assert rings.queue.peek() is None
    rings.describe(1, BASE, 1, USED)
    assert rings.queue.peek() is not None


def loop(rings: Rings) -> None:
    for place in range(4):
        rings.describe(place, BASE, 1, NEXT | AVAIL)


def mixed_order(rings: Rings) -> None:
    rings.describe(0, BASE, 1, NEXT | WRITE | AVAIL)
    rings.describe(1, BASE, 1, AVAIL)


def indirect_goes_on(rings: Rings) -> None:
    rings.describe(0, TABLE, 16, INDIRECT | NEXT | AVAIL)


def indirect_at_the_end(rings: Rings) -> None:
    rings.describe(0, BASE, 1, NEXT | AVAIL)
    rings.describe(1, TABLE, 16, INDIRECT | AVAIL)


def odd_table(rings: Rings) -> None:
    rings.describe(0, TABLE, 17, INDIRECT | AVAIL)


def empty_table(rings: Rings) -> None:
    rings.describe(0, TABLE, 0, INDIRECT | AVAIL)


def huge_table(rings: Rings) -> None:
    rings.describe(0, TABLE, 16 * 1025, INDIRECT | AVAIL)


def mixed_table(rings: Rings) -> None:
    rings.describe(0, BASE, 1, WRITE, table=TABLE)
    rings.describe(1, BASE, 1, table=TABLE)
    rings.describe(0, TABLE, 32, INDIRECT | AVAIL)


def table_outside_memory(rings: Rings) -> None:
    rings.describe(0, 0x1000, 32, INDIRECT | AVAIL)


@pytest.mark.parametrize(
    "lay_out",
    [loop, mixed_order, indirect_goes_on, indirect_at_the_end, odd_table, empty_table, huge_table,
     mixed_table, table_outside_memory],
)
def test_hostile_chains(rings: Rings, lay_out) -> None:
    lay_out(rings)
    with pytest.raises(GuestError):
        rings.queue.peek()


@pytest.mark.parametrize("event", [0, 3, 4, 0x7FFF, 0x8000, 0xFFFF])
def test_any_event_is_taken(rings: Rings, ram, event: int) -> None:
    ram.write(DRIVER, struct.pack("<HH", event, 2))
    for _ in range(20):
        rings.queue.complete(Chain(0), 0)
        assert rings.queue.wants_interrupt() in (True, False)


class Source:
    def read(self, count: int) -> bytes:
        return b"\x5A" * count


@pytest.mark.parametrize(("packed", "kind"), [(True, PackedQueue), (False, SplitQueue)])
def test_the_ring_is_as_negotiated(wire, ram, make_driver, packed: bool, kind: type) -> None:
    function = VirtioEntropy(ram, Source())
    driver = make_driver(VirtioMmio(wire, function))
    driver.start(VERSION_1 | EVENT_IDX | packed * RING_PACKED, queues=1)
    queue = function.queue(0)
    assert type(queue) is kind
    assert function.queue(0) is queue
    driver.reg(0x70, 0)
    driver.start(VERSION_1 | (not packed) * RING_PACKED, queues=1)
    assert type(function.queue(0)) is not kind


def test_packed_rings_have_other_sizes(wire, ram, make_driver) -> None:
    driver = make_driver(VirtioMmio(wire, VirtioEntropy(ram, Source())), 7)
    driver.start(VERSION_1 | RING_PACKED, queues=1)
    at = driver.base(0)
    for number in range(20):
        wrap = number // 7 % 2 == 0
        ram.write(driver.buffer(), bytes(3))
        flags = WRITE | (AVAIL if wrap else USED)
        place = at + 0x1000 + 16 * (number % 7)
        ram.write(place, struct.pack("<QIHH", driver.buffer(), 3, number, flags))
        driver.reg(0x50, 0)
        assert ram.read(driver.buffer(), 3) == b"\x5A" * 3
        used = WRITE | (AVAIL | USED if wrap else 0)
        assert struct.unpack("<IHH", ram.read(place + 8, 8)) == (3, number, used)
    driver.reg(0x70, 0)
    with pytest.raises(GuestError, match="laid out wrongly"):
        driver.start(VERSION_1, queues=1)


def test_packed_rings_are_not_offered_when_not_wanted(ram) -> None:
    assert VirtioEntropy(ram, Source()).features & RING_PACKED
    assert not VirtioEntropy(ram, Source(), packed=False).features & RING_PACKED

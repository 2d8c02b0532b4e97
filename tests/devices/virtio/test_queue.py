"""Split rings against well-behaved and hostile drivers."""

import struct

import pytest

from hospes.base.errors import GuestError
from hospes.devices.virtio.queue import Chain, QueueState, SplitQueue

BASE = 0x8000_0000
DESC, AVAIL, USED, TABLE = BASE, BASE + 0x1000, BASE + 0x2000, BASE + 0x3000
NEXT, WRITE, INDIRECT = 1, 2, 4


class Rings:
    def __init__(self, ram, event_index: bool = False) -> None:
        self.ram = ram
        self.queue = SplitQueue(ram, QueueState(4, True, DESC, AVAIL, USED), event_index)
        self.count = 0

    def describe(self, index: int, gpa: int, length: int, flags: int = 0, following: int = 0,
                 table: int = DESC) -> None:
        self.ram.write(table + 16 * index, struct.pack("<QIHH", gpa, length, flags, following))

    def offer(self, head: int) -> None:
        self.ram.write(AVAIL + 4 + 2 * (self.count % 4), struct.pack("<H", head))
        self.count = self.count + 1 & 0xFFFF
        self.ram.write(AVAIL + 2, struct.pack("<H", self.count))


@pytest.fixture
def rings(ram) -> Rings:
    return Rings(ram)


def test_a_chain_is_copied_and_given_back(rings: Rings, ram) -> None:
    rings.describe(2, BASE + 0x5000, 5, NEXT, 0)
    rings.describe(0, BASE + 0x6000, 3, NEXT, 3)
    rings.describe(3, BASE + 0x7000, 4, WRITE)
    assert rings.queue.peek() is None
    rings.offer(2)
    chain = rings.queue.peek()
    readable, writable = ((BASE + 0x5000, 5), (BASE + 0x6000, 3)), ((BASE + 0x7000, 4),)
    assert chain == Chain(2, readable, writable, 8, 4, places=3)
    assert (chain.readable_bytes, chain.writable_bytes) == (8, 4)
    assert rings.queue.peek() == chain
    ram.write(BASE + 0x5000, b"abcde")
    ram.write(BASE + 0x6000, b"fgh")
    assert rings.queue.gather(chain, 0, 100) == b"abcdefgh"
    assert rings.queue.gather(chain, 3, 3) == b"def"
    assert rings.queue.gather(chain, 6, 9) == b"gh"
    assert rings.queue.scatter(chain, b"123456") == 4
    rings.queue.advance()
    rings.queue.complete(chain, 4)
    assert ram.read(USED + 2, 10) == struct.pack("<HII", 1, 2, 4)
    assert rings.queue.peek() is None


def test_indices_wrap(rings: Rings) -> None:
    state = rings.queue.state
    state.next_avail = state.next_used = rings.count = 0xFFFE
    rings.ram.write(AVAIL + 2, struct.pack("<H", 0xFFFE))
    for turn in range(6):
        rings.describe(turn % 4, BASE, 1)
        rings.offer(turn % 4)
        chain = rings.queue.peek()
        assert chain.head == turn % 4
        rings.queue.advance()
        rings.queue.complete(chain, 0)
    assert (state.next_avail, state.next_used) == (4, 4)


def test_indirect_table(rings: Rings) -> None:
    rings.describe(1, TABLE, 48, INDIRECT)
    rings.describe(0, BASE + 1, 10, NEXT, 2, table=TABLE)
    rings.describe(2, BASE + 2, 20, WRITE, 0, table=TABLE)
    rings.offer(1)
    assert rings.queue.peek() == Chain(1, ((BASE + 1, 10),), ((BASE + 2, 20),), 10, 20)


def test_interrupt_suppression_by_flag(rings: Rings, ram) -> None:
    assert not rings.queue.wants_interrupt()
    rings.queue.complete(Chain(0, (), ()), 0)
    assert rings.queue.wants_interrupt()
    assert not rings.queue.wants_interrupt()
    ram.write(AVAIL, struct.pack("<H", 1))
    rings.queue.complete(Chain(0, (), ()), 0)
    assert not rings.queue.wants_interrupt()


def test_event_index_both_ways(ram) -> None:
    rings = Rings(ram, event_index=True)
    ram.write(AVAIL + 4 + 8, struct.pack("<H", 1))
    answers = []
    for _ in range(3):
        rings.queue.complete(Chain(0, (), ()), 0)
        answers.append(rings.queue.wants_interrupt())
    assert answers == [False, True, False]
    rings.describe(0, BASE, 1)
    rings.offer(0)
    rings.queue.peek()
    rings.queue.advance()
    rings.queue.listen()
    assert ram.read(USED + 4 + 32, 2) == struct.pack("<H", 1)


def loop(rings: Rings) -> None:
    rings.describe(0, BASE, 1, NEXT, 1)
    rings.describe(1, BASE, 1, NEXT, 0)


def far_next(rings: Rings) -> None:
    rings.describe(0, BASE, 1, NEXT, 4)


def mixed_order(rings: Rings) -> None:
    rings.describe(0, BASE, 1, NEXT | WRITE, 1)
    rings.describe(1, BASE, 1)


def indirect_goes_on(rings: Rings) -> None:
    rings.describe(0, TABLE, 16, INDIRECT | NEXT, 1)


def odd_table(rings: Rings) -> None:
    rings.describe(0, TABLE, 17, INDIRECT)


def empty_table(rings: Rings) -> None:
    rings.describe(0, TABLE, 0, INDIRECT)


def huge_table(rings: Rings) -> None:
    rings.describe(0, TABLE, 16 * 1025, INDIRECT)


def nested_table(rings: Rings) -> None:
    rings.describe(0, TABLE, 16, INDIRECT)
    rings.describe(0, TABLE, 16, INDIRECT, table=TABLE)


def table_loop(rings: Rings) -> None:
    rings.describe(0, TABLE, 32, INDIRECT)
    rings.describe(0, BASE, 1, NEXT, 0, table=TABLE)


def table_outside_memory(rings: Rings) -> None:
    rings.describe(0, 0x1000, 32, INDIRECT)


@pytest.mark.parametrize(
    "lay_out",
    [loop, far_next, mixed_order, indirect_goes_on, odd_table, empty_table, huge_table,
     nested_table, table_loop, table_outside_memory],
)
def test_hostile_chains(rings: Rings, lay_out) -> None:
    lay_out(rings)
    rings.offer(0)
    with pytest.raises(GuestError):
        rings.queue.peek()


def test_hostile_indices(rings: Rings, ram) -> None:
    ram.write(AVAIL + 2, struct.pack("<H", 5))
    with pytest.raises(GuestError, match="5 requests in a queue of 4"):
        rings.queue.peek()
    ram.write(AVAIL + 2, struct.pack("<HH", 1, 4))
    with pytest.raises(GuestError, match="descriptor 4 in a queue of 4"):
        rings.queue.peek()

"""The memory shared with a back end: what comes out is what was put in, or the back end lies."""

import fcntl
import mmap
import os
import random
import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.folders.virtiofsd.daemon import Daemon, Found

from hospes.folders.virtiofsd.exchange import PLACES, RINGS, BackendError, Exchange

SLOTS, BYTES = 4, 10_000
ROOM = 100
URGENT, OTHERS = 0, 1


class Pair:
    """Both sides, and what is under way."""

    def __init__(self, slots: int = SLOTS, slot_bytes: int = BYTES) -> None:
        self.exchange = Exchange(slots, slot_bytes)
        self.daemon = Daemon(self.exchange)
        self.slots = slots

    def close(self) -> None:
        self.daemon.close()
        self.exchange.close()

    def ask(
        self, parts: Sequence[bytes] = (bytes(40),), room: int = ROOM, ring: int = OTHERS
    ) -> int:
        slot, copy = self.exchange.claim([memoryview(part) for part in parts])
        assert copy == b"".join(parts)
        copy.release()
        self.exchange.offer(ring, slot, [len(part) for part in parts], room)
        return slot

    def send(
        self, parts: Sequence[bytes] = (bytes(40),), room: int = ROOM, ring: int = OTHERS
    ) -> tuple[int, Found]:
        """A message which the back end has found."""
        slot = self.ask(parts, room, ring)
        (found,) = self.daemon.find(ring)
        return slot, found

    def free(self) -> int:
        """How many slots can be claimed."""
        claimed: list[int] = []
        with suppress(IndexError):
            while True:
                slot, copy = self.exchange.claim([])
                copy.release()
                claimed.append(slot)
        assert len(set(claimed)) == len(claimed)
        for slot in reversed(claimed):
            self.exchange.release(slot)
        return len(claimed)


@pytest.fixture
def pair() -> Iterator[Pair]:
    with closing(Pair()) as made:
        yield made


def lengths(parts: Sequence[tuple[int, int]]) -> list[int]:
    return [length for _, length in parts]


@pytest.mark.parametrize(
    ("given_lengths", "seen"),
    [
        ([40], [40]), ([40, 16], [40, 16]), ([40, 16, 4096], [40, 16, 4096]),
        ([40, 16, 1, 2, 3, 500], [40, 16, 506]), ([40, 0, 0], [40]), ([40, 0, 5, 0], [40, 5]),
        ([0, 40, 5], [40, 5]), ([0, 0, 40, 5], [45]), ([1] * 48, [1, 1, 46]),
    ],
)  # fmt: skip
def test_a_message_is_laid_out_as_fuse_wants_it(pair: Pair, given_lengths, seen) -> None:
    parts = [random.Random(n).randbytes(length) for n, length in enumerate(given_lengths)]
    _, found = pair.send(parts)
    assert lengths(found.readable) == seen
    assert pair.daemon.read(found) == b"".join(parts)


@pytest.mark.parametrize(
    ("room", "seen"),
    [(0, []), (1, [1]), (15, [15]), (16, [16]), (17, [16, 1]), (9000, [16, 8984])],
)
def test_an_answers_header_is_a_part_of_its_own(pair: Pair, room: int, seen: list[int]) -> None:
    slot, found = pair.send([bytes(40)], room)
    assert lengths(found.writable) == seen
    answer = random.Random(room).randbytes(room)
    pair.daemon.answer(OTHERS, found, answer)
    assert pair.exchange.take(OTHERS) == [(slot, answer)]


@pytest.mark.parametrize("slot_bytes", [BYTES, 2 * mmap.PAGESIZE])
def test_nothing_overlaps(slot_bytes: int) -> None:
    with closing(Pair(SLOTS, slot_bytes)) as pair:
        exchange, places = pair.exchange, []
        for n in range(SLOTS):
            # The longest there may be, in two ways.
            length = 41 + 5000 * (n % 2)
            _, found = pair.send([bytes(length)], slot_bytes - length, n % RINGS)
            places += found.readable + found.writable
        for ring in exchange.rings:
            places.append((ring.descriptors, 16 * exchange.ring_size))
            places.append((ring.available, 6 + 2 * exchange.ring_size))
            places.append((ring.used, 6 + 8 * exchange.ring_size))
        for (one, one_bytes), (other, other_bytes) in combinations(places, 2):
            assert one + one_bytes <= other or other + other_bytes <= one
        assert max(at + length for at, length in places) <= exchange.size_bytes


@pytest.mark.parametrize("slots", [1, 3, 4, 5, 64])
def test_rings_are_where_they_may_be(slots: int) -> None:
    with closing(Exchange(slots, BYTES)) as exchange:
        size = exchange.ring_size
        assert size & size - 1 == 0
        assert slots * PLACES <= size <= 1 << 15
        for ring in exchange.rings:
            assert (ring.descriptors % 16, ring.available % 2, ring.used % 4) == (0, 0, 0)
        assert os.fstat(exchange.fd).st_size == exchange.size_bytes
        assert not os.get_inheritable(exchange.fd)


SHAPES = st.tuples(
    st.integers(0, RINGS - 1),
    st.lists(st.integers(0, 300), min_size=0, max_size=6),
    st.sampled_from([0, 1, 15, 16, 17, 80, 4096, 8000]),
    st.integers(0, 1 << 32),
)
"""Ring, lengths of parts, room, and by what the rest is chosen."""


@settings(max_examples=60, deadline=None)
@given(st.lists(SHAPES, max_size=40))
def test_what_comes_out_is_what_was_put_in(shapes) -> None:
    with closing(Pair()) as pair:
        under_way: dict[tuple[int, int], tuple[bytes, Found]] = {}
        for ring, more, room, seed in shapes:
            chance = random.Random(seed)
            parts = [chance.randbytes(length) for length in (40, *more)]
            slot, found = pair.send(parts, room, ring)
            assert (pair.daemon.read(found), found.room) == (b"".join(parts), room)
            under_way[ring, slot] = b"".join(parts), found
            if len(under_way) == SLOTS or chance.random() < 0.3:
                take_some(pair, under_way, chance)
        while under_way:
            take_some(pair, under_way, random.Random(0))
        assert pair.free() == SLOTS


def take_some(
    pair: Pair, under_way: dict[tuple[int, int], tuple[bytes, Found]], chance: random.Random
) -> None:
    """At least one message is answered, in any order; others are as they were."""
    told: list[list[tuple[int, bytes]]] = [[] for _ in range(RINGS)]
    for ring, slot in chance.sample(sorted(under_way), chance.randrange(1, len(under_way) + 1)):
        message, found = under_way.pop((ring, slot))
        assert pair.daemon.read(found) == message
        answer = chance.randbytes(chance.choice((0, found.room, found.room // 2)))
        pair.daemon.answer(ring, found, answer)
        told[ring].append((slot, answer))
    for ring in range(RINGS):
        assert pair.exchange.take(ring) == told[ring]
        assert pair.exchange.take(ring) == []


@pytest.mark.parametrize("ring", range(RINGS))
def test_indices_wrap(ring: int) -> None:
    with closing(Pair(8, 100)) as pair:
        chance = random.Random(ring)
        free, under_way, count = set(range(8)), [], 0
        while count < 66_000:
            while free:
                slot = pair.ask([struct.pack("<Q", count)], 8, ring)
                free.remove(slot)
                count += 1
            under_way += pair.daemon.find(ring)
            chance.shuffle(under_way)
            told = []
            for found in (under_way.pop() for _ in range(chance.randrange(1, 9))):
                message = pair.daemon.read(found)
                pair.daemon.answer(ring, found, message)
                told.append((found.head // PLACES, message))
            assert pair.exchange.take(ring) == told
            free.update(slot for slot, _ in told)
        assert pair.daemon.seen[ring] < 1000


def test_a_slot_that_was_claimed_in_vain(pair: Pair) -> None:
    for _ in range(3 * SLOTS):
        slot, copy = pair.exchange.claim([memoryview(b"abc"), memoryview(b"d")])
        assert bytes(copy) == b"abcd"
        copy.release()
        pair.exchange.release(slot)
    assert pair.daemon.find(URGENT) + pair.daemon.find(OTHERS) == []
    assert pair.free() == SLOTS


def test_what_the_back_end_writes_later_changes_nothing(pair: Pair) -> None:
    slot, found = pair.send()
    pair.daemon.answer(OTHERS, found, b"answer")
    answers = pair.exchange.take(OTHERS)
    pair.daemon.map[found.writable[0][0]] = 0
    assert answers == [(slot, b"answer")]


def of_no_slot(pair: Pair, found: Found) -> None:
    pair.daemon.say(OTHERS, SLOTS * PLACES, 0)


def far_away(pair: Pair, found: Found) -> None:
    pair.daemon.say(OTHERS, 0xFFFF_FFFF, 0)


def within_a_slot(pair: Pair, found: Found) -> None:
    pair.daemon.say(OTHERS, found.head + 1, 0)


def of_a_free_slot(pair: Pair, found: Found) -> None:
    (head,) = {PLACES * n for n in range(2)} - {found.head}
    pair.daemon.say(OTHERS, head, 0)


def too_long(pair: Pair, found: Found) -> None:
    pair.daemon.say(OTHERS, found.head, ROOM + 1)


def endless(pair: Pair, found: Found) -> None:
    pair.daemon.say(OTHERS, found.head, 0xFFFF_FFFF)


def more_than_there_are(pair: Pair, found: Found) -> None:
    pair.daemon.say(OTHERS, found.head, 0)
    pair.daemon.say(OTHERS, found.head, 0)
    pair.daemon.say(OTHERS, found.head, 0)


def a_step_back(pair: Pair, found: Found) -> None:
    index = pair.daemon.done[OTHERS] - 1 & 0xFFFF
    struct.pack_into("<H", pair.daemon.map, pair.daemon.rings[OTHERS].used + 2, index)


def a_jump(pair: Pair, found: Found) -> None:
    index = pair.daemon.done[OTHERS] + 1000 & 0xFFFF
    struct.pack_into("<H", pair.daemon.map, pair.daemon.rings[OTHERS].used + 2, index)


LIES = [of_no_slot, far_away, within_a_slot, of_a_free_slot, too_long, endless,
        more_than_there_are, a_step_back, a_jump]  # fmt: skip


@pytest.mark.parametrize("lie", LIES)
@pytest.mark.parametrize("earlier", [0, 3])
def test_lies(lie: Callable[[Pair, Found], None], earlier: int) -> None:
    with closing(Pair(slots=2)) as pair:
        for _ in range(earlier):
            _, found = pair.send()
            pair.daemon.answer(OTHERS, found, b"")
            pair.exchange.take(OTHERS)
        _, found = pair.send()
        lie(pair, found)
        with pytest.raises(BackendError):
            pair.exchange.take(OTHERS)


def test_the_same_answer_twice(pair: Pair) -> None:
    _, found = pair.send()
    pair.send()
    pair.daemon.answer(OTHERS, found, b"one")
    assert len(pair.exchange.take(OTHERS)) == 1
    pair.daemon.answer(OTHERS, found, b"two")
    with pytest.raises(BackendError):
        pair.exchange.take(OTHERS)


def test_the_same_answer_twice_at_a_time(pair: Pair) -> None:
    _, found = pair.send()
    pair.send()
    pair.daemon.answer(OTHERS, found, b"one")
    pair.daemon.answer(OTHERS, found, b"two")
    with pytest.raises(BackendError):
        pair.exchange.take(OTHERS)


def test_an_answer_in_both_rings(pair: Pair) -> None:
    _, found = pair.send()
    pair.daemon.answer(URGENT, found, b"one")
    pair.daemon.answer(OTHERS, found, b"one")
    assert len(pair.exchange.take(URGENT)) == 1
    with pytest.raises(BackendError):
        pair.exchange.take(OTHERS)


@pytest.mark.parametrize("lie", [of_no_slot, within_a_slot, too_long])
def test_after_a_lie_no_slot_under_way_is_given_to_another_message(pair: Pair, lie) -> None:
    """The caller goes on until it has ended the back end, and then answers what is under way."""
    _, true = pair.send()
    _, false = pair.send()
    pair.daemon.answer(OTHERS, true, b"answer")
    lie(pair, false)
    for _ in range(2):
        with pytest.raises(BackendError):
            pair.exchange.take(OTHERS)
        assert pair.free() == SLOTS - 2


def test_the_back_end_cannot_take_the_memory_away(pair: Pair) -> None:
    fd = os.dup(pair.exchange.fd)
    try:
        for size in (0, pair.exchange.size_bytes - mmap.PAGESIZE, 1 << 30):
            with pytest.raises(PermissionError):
                os.ftruncate(fd, size)
        with pytest.raises(PermissionError):
            fcntl.fcntl(fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_WRITE)
    finally:
        os.close(fd)
    pair.send()


def test_it_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    before = os.listdir("/proc/self/fd")
    Exchange(2, 100).close()

    def refuse(*_) -> None:
        raise OSError("no memory")

    monkeypatch.setattr(os, "ftruncate", refuse)
    with pytest.raises(OSError, match="no memory"):
        Exchange(2, 100)
    assert os.listdir("/proc/self/fd") == before

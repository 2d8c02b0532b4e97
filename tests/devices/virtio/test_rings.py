"""Both ring formats against a model driver: random requests, many times around the ring."""

import random

import pytest
from tests.devices.virtio.model import ModelPacked, ModelRing, ModelSplit

from hospes.devices.virtio.packed import PackedQueue
from hospes.devices.virtio.queue import Chain, QueueState, SplitQueue, Virtqueue

BUFFERS = 0x20000
KINDS = {
    "split": (ModelSplit, SplitQueue, 8),
    "split of one": (ModelSplit, SplitQueue, 1),
    "packed": (ModelPacked, PackedQueue, 8),
    "packed of seven": (ModelPacked, PackedQueue, 7),
    "packed of one": (ModelPacked, PackedQueue, 1),
}


class Pair:
    """A driver and a device at one queue, and what is expected of both."""

    def __init__(self, ram, kind: str, event_index: bool, chance: random.Random) -> None:
        model, queue, size = KINDS[kind]
        self.ram, self.chance, self.event_index = ram, chance, event_index
        self.driver: ModelRing = model(ram, ram.base, size, event_index)
        if isinstance(self.driver, ModelSplit):
            self.driver.begin_at(0xFF00)
        rings = (self.driver.desc, self.driver.driver, self.driver.device)
        at = self.driver.offered
        state = QueueState(size, True, *rings, at, at)
        self.queue: Virtqueue = queue(ram, state, event_index)
        self.queue.listen()
        self.sent: list[tuple[int, list, list]] = []
        self.taken: list[Chain] = []
        self.answered: list[tuple[int, int]] = []
        self.told_at = self.used = at
        self.event: int | None = None

    def offer(self) -> None:
        """One request more, if the driver has room for it."""
        chance, driver = self.chance, self.driver
        readable = self.parts(chance.randrange(0, 4))
        writable = self.parts(chance.randrange(not readable, 4))
        indirect = chance.random() < 0.4
        if driver.room() < (1 if indirect else len(readable) + len(writable)):
            return
        number = driver.offer(readable, writable, indirect)
        self.sent.append((number, readable, writable))

    def parts(self, count: int) -> list[tuple[int, int]]:
        chance = self.chance
        base = self.ram.base + BUFFERS
        return [(base + chance.randrange(0x10000), chance.randrange(500)) for _ in range(count)]

    def take(self) -> None:
        """The device takes a request: the oldest, whole."""
        chain = self.queue.peek()
        if not self.sent:
            assert chain is None
            self.queue.listen()
            return
        number, readable, writable = self.sent.pop(0)
        assert chain is not None
        assert (chain.head, list(chain.readable)) == (number, readable)
        assert list(chain.writable) == writable
        assert chain.places == self.driver.pending[number] or number not in self.driver.pending
        assert chain.writable_bytes == sum(length for _, length in writable)
        self.queue.advance()
        self.taken.append(chain)

    def answer(self) -> None:
        """The device gives any of those back."""
        if not self.taken:
            return
        chain = self.taken.pop(self.chance.randrange(len(self.taken)))
        written = self.chance.randrange(chain.writable_bytes + 1)
        self.queue.complete(chain, written)
        self.answered.append((chain.head, written))
        self.used += chain.places if self.driver.packed else 1

    def answer_several(self) -> None:
        """The device gives some back at once: the driver sees all of them or none."""
        count = self.chance.randrange(len(self.taken) + 1)
        self.chance.shuffle(self.taken)
        chains, self.taken = self.taken[:count], self.taken[count:]
        done = [(chain, self.chance.randrange(chain.writable_bytes + 1)) for chain in chains]
        if done:
            self.queue.complete_all(done)
        self.answered += [(chain.head, written) for chain, written in done]
        self.used += sum(chain.places if self.driver.packed else 1 for chain in chains)

    def look_ahead(self) -> None:
        """The device takes some and puts them back."""
        started = self.queue.state.next_avail
        for number, *_ in self.sent[: self.chance.randrange(4)]:
            chain = self.queue.peek()
            assert chain is not None
            assert chain.head == number
            self.queue.advance()
        self.queue.put_back(started)

    def tell(self) -> None:
        """The device asks whether to interrupt; with an event index that has one right answer."""
        before, self.told_at = self.told_at, self.used
        wanted = self.queue.wants_interrupt()
        if self.event is None:
            assert wanted == (self.used > before)
        elif self.event >= 0:
            # A packed ring's places come again after two rounds: it may be told once too often.
            turn = 2 * self.driver.size if self.driver.packed else 1 << 16
            passed = range(before, self.used)
            assert wanted == any((place - self.event) % turn == 0 for place in passed)
        else:
            assert not wanted

    def collect(self) -> None:
        """The driver gets all that was given back, in that order, and asks anew."""
        assert self.driver.collect() == self.answered
        self.answered.clear()
        if not self.event_index:
            wanted = self.chance.random() < 0.7
            self.driver.ask(wanted)
            self.event = None if wanted else -1
        else:
            self.event = self.driver.ask_after(self.chance.randrange(self.driver.size))


@pytest.mark.parametrize("event_index", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_random_traffic(ram, kind: str, event_index: bool) -> None:
    chance = random.Random(f"{kind} {event_index}")
    pair = Pair(ram, kind, event_index, chance)
    pair.collect()
    actions = (pair.offer, pair.offer, pair.take, pair.answer, pair.tell, pair.collect)
    actions = (*actions, pair.offer, pair.take, pair.answer_several, pair.look_ahead)
    for _ in range(16_000):
        chance.choice(actions)()
    while pair.sent or pair.taken:
        pair.take()
        pair.answer()
    pair.tell()
    pair.collect()
    assert pair.driver.offered // pair.driver.size > 150


@pytest.mark.parametrize("event_index", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_a_listening_device_is_told(ram, kind: str, event_index: bool) -> None:
    chance = random.Random(kind)
    pair = Pair(ram, kind, event_index, chance)
    pair.collect()
    for _ in range(1000):
        while not pair.sent:
            pair.offer()
        assert pair.driver.kick()
        pair.offer()
        while pair.sent:
            pair.take()
        for _ in range(chance.randrange(3)):
            pair.take()
        pair.queue.listen()
        pair.driver.kick()
        while pair.taken:
            pair.answer()
        pair.collect()


@pytest.mark.parametrize("kind", KINDS)
def test_a_queue_goes_on_from_its_state(ram, kind: str) -> None:
    chance = random.Random(kind)
    pair = Pair(ram, kind, True, chance)
    pair.collect()
    for _ in range(1500):
        chance.choice((pair.offer, pair.take, pair.answer, pair.tell, pair.collect))()
        if chance.random() < 0.3:
            pair.queue = type(pair.queue)(ram, pair.queue.state, True)

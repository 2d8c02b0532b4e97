"""Any frames into any buffers, in both ring formats: all arrive whole, in order, within bounds."""

import random
import struct
from itertools import cycle

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.devices.conftest import Wire
from tests.devices.virtio.model import ModelRing
from tests.devices.virtio.net_driver import MODELS, NetDriver, plain

from hospes.base import wire as encoding
from hospes.devices.virtio.net import FETCHED_MAX, VirtioNet

SIZES = st.one_of(st.integers(0, 200), st.integers(0, 9000), st.integers(60_000, 65_500))
NUMBER = slice(26, 30)
OUTSTANDING_BYTES = 1 << 20
BATCH = 50
BUFFERS = st.one_of(st.integers(300, 400), st.integers(1000, 5000), st.just(70_000))


def frame_of(size: int, chance: random.Random) -> bytes:
    """A plain frame, or one that is to be cut."""
    frame = plain(body=chance.randbytes(size))
    if size < 2000:
        return frame
    return struct.pack("<BBHHHHH", 1, 1, 54, 1460, 34, 16, 0) + frame[12:]


def without_count(frame: bytes) -> bytes:
    return frame[:10] + frame[12:]


@settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    model=st.sampled_from(MODELS),
    sizes=st.lists(SIZES, min_size=1, max_size=8),
    buffers=st.lists(BUFFERS, min_size=1, max_size=8),
    parts=st.integers(1, 3),
    seed=st.integers(0, 1 << 32),
)
def test_all_arrives(model, sizes: list[int], buffers: list[int], parts: int, seed: int) -> None:
    """However the driver's buffers are sized; none of them is waited for in vain."""
    driver, chance = NetDriver(Wire(), model, size=256), random.Random(seed)
    frames = [frame_of(size, chance) for size in sizes]
    driver.network.queue = list(frames)
    got: list[bytes] = []
    lengths = cycle(buffers)
    for _ in range(3 * len(frames)):
        outstanding = sum(size for places in driver.posted[0].values() for _, size in places)
        batch: list[list[int]] = []
        while outstanding < OUTSTANDING_BYTES and len(batch) < driver.rings[0].room() - 1:
            length = next(lengths)
            cuts = [length // parts] * (parts - 1)
            batch.append([*cuts, length - sum(cuts)])
            outstanding += length
        # A frame that waits is looked at again at every bell.
        for at in range(0, len(batch), BATCH):
            driver.post(batch[at : at + BATCH])
        driver.slot.tick()
        assert len(driver.device.held) <= FETCHED_MAX
        got += driver.received()
        assert driver.device.counts.received_dropped == 0
    assert list(map(without_count, got)) == list(map(without_count, frames))


@settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    model=st.sampled_from(MODELS),
    sizes=st.lists(SIZES, min_size=1, max_size=8),
    cuts=st.lists(st.floats(0, 1), max_size=12),
    seed=st.integers(0, 1 << 32),
)
def test_all_is_sent(model, sizes: list[int], cuts: list[float], seed: int) -> None:
    """However the driver cuts a frame into parts."""
    driver, chance = NetDriver(Wire(), model), random.Random(seed)
    frames = [frame_of(size, chance) for size in sizes]
    for frame in frames:
        driver.send(frame, *sorted({int(cut * len(frame)) for cut in cuts} - {0, len(frame)}))
    assert driver.network.sent == frames
    assert driver.device.counts.sent_frames == len(frames)


def number_of(frame: bytes) -> int:
    return int.from_bytes(frame[NUMBER], "big")


class Traffic:
    """Both directions at random, with resets, restores and a moody link."""

    def __init__(self, model: type[ModelRing], chance: random.Random) -> None:
        self.chance = chance
        self.driver = NetDriver(Wire(), model, pairs=2, size=32)
        self.expected: list[bytes] = []
        self.count = self.got = self.sent = self.resets = 0

    def to_guest(self) -> None:
        frame = frame_of(self.chance.choice((10, 300, 3000, 60_000)), self.chance)
        self.count += 1
        frame = frame[:NUMBER.start] + self.count.to_bytes(4, "big") + frame[NUMBER.stop :]
        self.expected.append(without_count(frame))
        self.driver.network.queue.append(frame)

    def post(self) -> None:
        for queue in (0, 2):
            missing = 12 - len(self.driver.posted[queue])
            self.driver.post([[9000]] * missing, queue)

    def collect(self) -> None:
        """Each queue's are in order; together they are those that were next."""
        came = [self.driver.received(queue) for queue in (0, 2)]
        assert all(frames == sorted(frames, key=number_of) for frames in came)
        together = sorted([*came[0], *came[1]], key=number_of)
        assert list(map(without_count, together)) == self.expected[: len(together)]
        del self.expected[: len(together)]
        self.got += len(together)

    def from_guest(self) -> None:
        frame = frame_of(self.chance.choice((10, 300, 3000)), self.chance)
        driver = self.driver
        driver.send(frame, 12, 20, queue=self.chance.choice((1, 3)))
        if driver.device.link_up:
            assert driver.network.sent.pop() == frame
        self.sent += 1

    def link(self) -> None:
        self.driver.network.link_up = self.chance.random() < 0.8

    def pairs(self) -> None:
        assert self.driver.command(4, 0, struct.pack("<H", self.chance.randrange(1, 3))) == 0

    def reset(self) -> None:
        """Frames that the card had taken are gone."""
        driver = self.driver
        self.collect()
        lost = len(driver.device.held)
        driver.restart(driver.device.own_features)
        del self.expected[:lost]
        self.resets += 1

    def move(self) -> None:
        """The state goes to another card."""
        driver = self.driver
        other = VirtioNet(driver.ram, driver.network, driver.device.config()[:6], pairs=2)
        encoding.restore(other, encoding.encode(driver.device))
        driver.device = driver.slot.function = other
        driver.listen()


@pytest.mark.parametrize("model", MODELS)
def test_random_traffic(model: type[ModelRing]) -> None:
    chance = random.Random(model.__name__)
    traffic = Traffic(model, chance)
    tick = traffic.driver.slot.tick
    often = (traffic.to_guest, traffic.post, tick, traffic.collect, traffic.from_guest, tick)
    rarely = (traffic.link, traffic.link, traffic.pairs, traffic.reset, traffic.move)
    for _ in range(4000):
        chance.choice(often if chance.random() < 0.95 else rarely)()
    traffic.driver.network.link_up = True
    while traffic.expected:
        traffic.driver.slot.tick()
        traffic.collect()
        traffic.post()
    assert traffic.got > 300
    assert traffic.sent > 300
    assert traffic.resets > 10
    assert traffic.driver.device.counts.received_dropped == 0

"""A network card: frames both ways, what is refused, bounds, the link, its state."""

import struct

import pytest
from tests.devices.virtio.net_driver import BROADCAST, MAC, MODELS, NetDriver, plain

from hospes.base import wire as encoding
from hospes.devices.backends import Offload
from hospes.devices.virtio.function import NEEDS_RESET
from hospes.devices.virtio.net import (
    FETCHED_MAX,
    MRG_RXBUF,
    MTU,
    STATUS,
    STEP_BYTES,
    STEP_FRAMES,
    VirtioNet,
)
from hospes.devices.virtio.net_control import CTRL_VQ, MQ
from hospes.devices.virtio.net_frame import (
    CSUM,
    FRAME_BYTES_MAX,
    GUEST_CSUM,
    GUEST_TSO4,
    GUEST_TSO6,
    HOST_TSO4,
)

LONG = struct.pack("<BBHHHHH", 1, 1, 54, 1460, 34, 16, 0) + MAC + bytes(range(250)) * 258


@pytest.fixture(params=MODELS)
def driver(request: pytest.FixtureRequest, wire) -> NetDriver:
    return NetDriver(wire, request.param)


def test_configuration(wire) -> None:
    driver = NetDriver(wire, pairs=3, mtu=9000)
    assert driver.device.config() == struct.pack("<6sHHH", MAC, 1, 3, 9000)
    assert driver.device.features & (MTU | MQ) == MTU | MQ
    assert driver.network.accepted == [7]
    assert NetDriver(wire).device.features & (MTU | MQ) == 0
    with pytest.raises(ValueError, match="MTU 60"):
        VirtioNet(driver.ram, driver.network, MAC, mtu=60)


def test_a_frame_to_the_network(driver: NetDriver) -> None:
    frame = plain(body=b"hello")
    driver.send(frame)
    driver.send(frame, 12)
    driver.send(frame, 5, 13, 30)
    assert driver.network.sent == [frame] * 3
    assert driver.told == [1, 1, 1]
    counts = driver.device.counts
    assert (counts.sent_frames, counts.sent_bytes, counts.sent_dropped) == (3, 180, 0)


def test_a_frame_from_the_network(driver: NetDriver) -> None:
    frames = [plain(body=b"one"), plain(BROADCAST, b"two")]
    driver.network.queue = list(frames)
    assert driver.slot.due_in_ns() == 0
    driver.slot.tick()
    assert driver.slot.due_in_ns() is None
    driver.post([[1526], [12, 1514]])
    got = driver.received()
    assert [frame[12:] for frame in got] == [frame[12:] for frame in frames]
    assert [frame[:12] for frame in got] == [bytes(10) + b"\1\0"] * 2
    assert driver.told == [0]
    counts = driver.device.counts
    assert (counts.received_frames, counts.received_bytes, counts.received_dropped) == (2, 120, 0)


@pytest.mark.parametrize("buffer", [2000, 4096, FRAME_BYTES_MAX])
def test_a_long_frame_in_as_many_buffers_as_it_needs(driver: NetDriver, buffer: int) -> None:
    driver.network.queue = [LONG, plain()]
    count = -(-len(LONG) // buffer)
    driver.post([[buffer]] * (count - 1), kick=False)
    driver.slot.tick()
    assert driver.received() == []
    driver.post([[buffer]] * 2)
    first, second = driver.received()
    assert first[:10] + first[12:] == LONG[:10] + LONG[12:]
    assert struct.unpack_from("<H", first, 10) == (count,)
    assert second[12:] == plain()[12:]
    assert driver.told == [0]


def test_one_that_no_buffers_of_the_ring_can_hold_is_dropped(driver: NetDriver) -> None:
    driver.network.queue = [LONG, plain()]
    driver.post([[100]] * 64)
    driver.slot.tick()
    assert [frame[12:] for frame in driver.received()] == [plain()[12:]]
    assert driver.device.counts.received_dropped == 1


@pytest.mark.parametrize("parts", [1, 3])
def test_a_ring_of_small_indirect_buffers_is_enough(driver: NetDriver, parts: int) -> None:
    """The parts of a buffer take no room in the ring."""
    driver.network.queue = [LONG]
    driver.post([[1100 // parts] * parts] * 63)
    assert [len(frame) for frame in driver.received()] == [len(LONG)]


def test_without_mergeable_buffers_a_frame_has_one(wire) -> None:
    driver = NetDriver(wire, features=GUEST_CSUM | GUEST_TSO4)
    driver.network.queue = [plain(body=bytes(1600)), plain(body=b"short"), LONG]
    driver.post([[1526], [12, 4096, 70_000]])
    [short, long] = driver.received()
    assert short[12:] == plain(body=b"short")[12:]
    assert long == LONG[:10] + b"\1\0" + LONG[12:]
    assert driver.device.counts.received_dropped == 1


def test_headers_that_lie_are_dropped(driver: NetDriver) -> None:
    """The rest is in test_net_frame.py."""
    for frame in (plain()[:25], b"", LONG[:6] + b"\xff\xff" + LONG[8:], bytes(FRAME_BYTES_MAX + 1)):
        driver.send(frame or bytes(1))
    assert (driver.network.sent, driver.device.counts.sent_dropped) == ([], 4)
    driver.send(LONG)
    assert driver.network.sent == [LONG]


@pytest.mark.parametrize(
    ("features", "offloads"),
    [
        (0, 0),
        (GUEST_TSO4 | GUEST_TSO6, 0),
        (GUEST_CSUM, Offload.CHECKSUM),
        (GUEST_CSUM | GUEST_TSO6, Offload.CHECKSUM | Offload.TSO6),
    ],
)
def test_the_network_hears_what_the_driver_takes(wire, features: int, offloads: int) -> None:
    driver = NetDriver(wire, features=features | MRG_RXBUF)
    assert driver.network.accepted == [offloads]
    driver.network.queue = [LONG]
    driver.post([[4096]] * 20)
    assert driver.received() == []
    assert driver.device.counts.received_dropped == 1


def test_a_network_with_an_mtu(wire) -> None:
    driver = NetDriver(wire, mtu=1500)
    fits, long = plain(body=bytes(1504)), plain(body=bytes(1505))
    tagged = bytes((1, 0)) + bytes(4) + struct.pack("<HHH", 14, 0, 0)
    for frame in (fits, long, tagged + long[12:]):
        driver.send(frame)
    assert driver.network.sent == [fits]
    driver.network.queue = [long, fits]
    driver.post([[2000], [2000]])
    assert [frame[12:] for frame in driver.received()] == [fits[12:]]


def test_wrong_queues_stop_the_card(wire) -> None:
    driver = NetDriver(wire)
    driver.network.queue = [plain()]
    with pytest.raises(Exception, match="a receive buffer of 11 bytes"):
        driver.post([[11]])
    assert driver.device.status & NEEDS_RESET
    assert driver.slot.due_in_ns() is None
    driver.slot.tick()
    driver.restart(MRG_RXBUF)
    driver.network.queue = [plain()]
    driver.post([[100]])
    assert len(driver.received()) == 1


def test_a_step_has_bounds(driver: NetDriver) -> None:
    """Long frames; what is left follows at the next ticks."""
    count = 2 * STEP_BYTES // len(LONG)
    at = driver.buffer(0)
    driver.ram.write(at, LONG)
    for _ in range(count):
        driver.rings[1].offer([(at, len(LONG))], [], False)
    driver.kick(1)
    first = len(driver.network.sent)
    assert STEP_BYTES // len(LONG) <= first <= STEP_BYTES // len(LONG) + 1
    while driver.slot.due_in_ns() == 0:
        driver.slot.tick()
    assert len(driver.network.sent) == count
    assert len(driver.rings[1].collect()) == count


def test_frames_stay_with_the_network_until_there_are_buffers(wire) -> None:
    driver = NetDriver(wire, size=256)
    driver.network.queue = [plain()] * (STEP_FRAMES + 100)
    driver.slot.tick()
    assert len(driver.device.held) == FETCHED_MAX
    assert driver.slot.due_in_ns() is None
    driver.post([[100]] * 256)
    assert len(driver.received()) == STEP_FRAMES
    assert driver.told == [0]
    driver.post([[100]] * 90)
    assert driver.slot.due_in_ns() == 0
    driver.slot.tick()
    assert len(driver.received()) == 90
    assert driver.device.held
    driver.slot.write(0x70, 4, 0)
    assert driver.device.held == []


def test_an_answer_that_is_there_at_once_comes_at_once(driver: NetDriver) -> None:
    driver.post([[100]])
    answer = driver.network.queue
    driver.network.send = answer.extend
    driver.send(plain(body=b"ping"))
    assert [frame[12:] for frame in driver.received()] == [plain(body=b"ping")[12:]]


def test_the_link(driver: NetDriver) -> None:
    driver.post([[100]])
    driver.network.link_up = False
    assert driver.slot.due_in_ns() == 0
    generation = driver.device.config_generation
    driver.slot.tick()
    assert (driver.device.config()[6:8], driver.changes) == (b"\0\0", 1)
    assert driver.device.config_generation == generation + 1
    driver.network.queue = [plain()]
    driver.send(plain())
    driver.slot.tick()
    assert (driver.network.sent, driver.received()) == ([], [])
    assert (driver.device.counts.sent_dropped, driver.slot.due_in_ns()) == (1, None)
    driver.network.link_up = True
    driver.slot.tick()
    assert (driver.device.config()[6:8], driver.changes) == (b"\1\0", 2)
    assert len(driver.received()) == 1


def test_a_driver_without_status_is_not_told(wire) -> None:
    driver = NetDriver(wire, features=MRG_RXBUF)
    driver.network.link_up = False
    driver.slot.tick()
    assert driver.changes == 0
    assert not driver.device.driver_features & STATUS


def test_state(driver: NetDriver) -> None:
    driver.network.queue = [plain(body=b"waits"), plain()]
    driver.slot.tick()
    driver.network.link_up = False
    other = VirtioNet(driver.ram, driver.network, MAC)
    encoding.restore(other, encoding.encode(driver.device))
    assert encoding.encode(other) == encoding.encode(driver.device)
    told: list[int] = []
    other.interrupt_queue = told.append
    other.interrupt_config = lambda: told.append(-1)
    driver.network.accepted.clear()
    other.tick()
    assert (driver.network.accepted, told) == ([7], [-1])
    driver.network.link_up = True
    driver.post([[100]] * 2, kick=False)
    other.tick()
    assert other.due_in_ns() is None
    other.notify(0)
    assert [frame[12:17] for frame in driver.received()] == [MAC[:5]] * 2
    assert (told, other.counts.received_frames) == ([-1, -1, 0], 2)


def test_a_queue_that_is_reset(driver: NetDriver) -> None:
    driver.network.queue = [plain(body=b"waits")]
    driver.slot.tick()
    driver.reset_queue(0)
    driver.post([[100]])
    assert len(driver.received()) == 1
    driver.reset_queue(1)
    driver.send(plain())
    assert driver.network.sent == [plain()]


def test_nothing_is_offered_that_was_not_agreed_on(wire) -> None:
    driver = NetDriver(wire, features=CSUM | HOST_TSO4)
    assert driver.device._control_queue == -1
    assert not driver.device.driver_features & CTRL_VQ
    driver.send(LONG)
    driver.send(LONG[:1] + b"\4" + LONG[2:])
    assert driver.network.sent == [LONG]

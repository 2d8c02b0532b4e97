"""Registers, negotiation, reset."""

import pytest

from hospes.base.errors import GuestError
from hospes.devices.virtio.console import VirtioConsole
from hospes.devices.virtio.mmio import EmptySlot, VirtioMmio
from hospes.devices.virtio.queue import QueueState

STATUS, NOTIFY, READY, SELECT, SIZE_MAX, QUEUE_SIZE = 0x70, 0x50, 0x44, 0x30, 0x34, 0x38
QUEUE_RESET = 0xC0


@pytest.fixture
def slot(wire, ram, stream) -> VirtioMmio:
    return VirtioMmio(wire, VirtioConsole(ram, stream, 80, 25))


@pytest.fixture
def driver(slot, make_driver):
    return make_driver(slot)


def test_identity(driver) -> None:
    assert [driver.reg(at) for at in (0, 4, 8)] == [0x7472_6976, 2, 3]
    assert driver.reg(0xB0) == driver.reg(0xB4) == 0xFFFF_FFFF
    empty = EmptySlot()
    assert [empty.read(at, 4) for at in (0, 4, 8)] == [0x7472_6976, 2, 0]


def test_features_are_offered_by_word(driver) -> None:
    words = []
    for word in range(3):
        driver.reg(0x14, word)
        words.append(driver.reg(0x10))
    assert words == [1 << 28 | 1 << 29 | 5, 1 | 1 << 2 | 1 << 8, 0]


@pytest.mark.parametrize("features", [0, 1 << 27 | 1 << 32, 1 << 28])
def test_wrong_features_are_not_agreed_to(driver, features: int) -> None:
    driver.reg(STATUS, 3)
    for word in (0, 1):
        driver.reg(0x24, word)
        driver.reg(0x20, features >> 32 * word & 0xFFFF_FFFF)
    driver.reg(STATUS, 11)
    assert driver.reg(STATUS) == 3
    with pytest.raises(GuestError, match="without having agreed"):
        driver.reg(STATUS, 7)
    assert driver.reg(STATUS) & 64


def test_features_are_settled_by_features_ok(driver, slot) -> None:
    driver.start(1 << 32 | 1)
    driver.reg(0x24, 0)
    driver.reg(0x20, 0)
    assert slot.function.driver_features == 1 << 32 | 1
    assert driver.reg(STATUS) == 15


def test_queue_set_up_and_its_refusals(driver, slot) -> None:
    driver.reg(SELECT, 1)
    assert driver.reg(SIZE_MAX) == 256
    driver.reg(SELECT, 2)
    assert (driver.reg(SIZE_MAX), driver.reg(READY)) == (0, 0)
    with pytest.raises(GuestError):
        driver.reg(READY, 1)
    driver.reg(SELECT, 0)
    for size in (0, 3, 512):
        driver.reg(QUEUE_SIZE, size)
        with pytest.raises(GuestError, match="laid out wrongly"):
            driver.reg(READY, 1)
    driver.lay_out(0)
    assert driver.reg(READY) == 1
    with pytest.raises(GuestError, match="changed while in use"):
        driver.reg(QUEUE_SIZE, 4)
    driver.reg(READY, 0)
    assert driver.reg(READY) == 0
    with pytest.raises(GuestError, match="no queue 9"):
        driver.reg(NOTIFY, 9)


def test_one_queue_is_reset(driver, slot, stream, sink) -> None:
    driver.start(1 << 32 | 1 << 40)
    driver.send(b"one")
    driver.reg(SELECT, 1)
    driver.reg(QUEUE_RESET, 0)
    assert driver.reg(READY) == 1
    driver.reg(QUEUE_RESET, 1)
    assert (driver.reg(QUEUE_RESET), driver.reg(READY), driver.reg(SIZE_MAX)) == (0, 0, 256)
    assert slot.function.queues[1] == QueueState(size=256)
    driver.reg(NOTIFY, 1)
    driver.ram.write(driver.base(1) + 0x2000, bytes(0x2000))
    driver.lay_out(1)
    driver.send(b" two")
    assert driver.used(1) == [(0, 0)]
    stream.flush()
    assert sink.data == b"one two"


def test_queues_are_reset_only_by_agreement(driver) -> None:
    driver.start()
    driver.reg(SELECT, 1)
    with pytest.raises(GuestError, match="RING_RESET"):
        driver.reg(QUEUE_RESET, 1)
    assert driver.reg(READY) == 1
    driver.reg(SELECT, 2)
    with pytest.raises(GuestError, match="no queue 2"):
        driver.reg(QUEUE_RESET, 1)


def test_requests_before_driver_ok_wait_for_it(driver, stream, sink) -> None:
    driver.reg(STATUS, 3)
    driver.reg(0x24, 1)
    driver.reg(0x20, 1)
    driver.reg(STATUS, 11)
    driver.lay_out(1)
    driver.send(b"early")
    assert driver.used(1) == []
    driver.reg(STATUS, 15)
    assert driver.used(1) == [(0, 0)]
    stream.flush()
    assert sink.data == b"early"


def test_reset_at_any_moment(driver, slot, wire) -> None:
    for features in (1 << 32, 1 << 32 | 1 << 29):
        driver.start(features)
        driver.send(b"text")
        slot.tick()
        assert wire.level
        assert driver.reg(0x60) == 1
        driver.reg(STATUS, 0)
        assert (driver.reg(STATUS), driver.reg(0x60), driver.reg(READY)) == (0, 0, 0)
        assert not wire.level
        driver.ram.write(driver.base(1) + 0x2000, bytes(64))
        driver.ram.write(driver.base(1) + 0x3000, bytes(128))


def test_interrupts_are_acknowledged_by_reason(driver, slot, wire) -> None:
    driver.start(1 << 32 | 1)
    driver.send(b"x")
    slot.tick()
    slot.function.resize(100, 40)
    assert driver.reg(0x60) == 3
    driver.reg(0x64, 1)
    assert wire.level
    driver.reg(0x64, 2)
    assert not wire.level
    assert driver.reg(0xFC) == 1


def test_configuration_in_any_width(driver, slot, stream, sink) -> None:
    assert slot.read(0x100, 2) == 80
    assert slot.read(0x102, 1) == 25
    assert slot.read(0x100, 8) == 1 << 32 | 25 << 16 | 80
    assert slot.read(0x800, 4) == 0
    slot.write(0x100, 2, 7)
    assert slot.read(0x100, 2) == 80
    slot.write(0x108, 4, ord("!"))
    stream.flush()
    assert sink.data == b"!"


def test_a_guest_error_asks_for_a_reset_and_stops_the_device(driver, wire) -> None:
    driver.start()
    driver.describe(1, 0, 0x10, 4)
    with pytest.raises(GuestError):
        driver.offer(1, 0)
    assert driver.reg(STATUS) == 15 | 64
    assert driver.reg(0x60) == 2
    assert wire.level
    driver.offer(1, 0)
    driver.reg(STATUS, 15)
    assert driver.reg(STATUS) == 15 | 64
    driver.reg(STATUS, 0)
    assert driver.reg(STATUS) == 0

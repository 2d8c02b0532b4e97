"""The virtio console between a driver and a stream."""

import pytest

from hospes.base import wire as encoding
from hospes.devices.stream import BATCH_NS, OUTPUT_BYTES
from hospes.devices.virtio.console import VirtioConsole
from hospes.devices.virtio.mmio import VirtioMmio

WRITE = 2


@pytest.fixture
def slot(wire, ram, stream) -> VirtioMmio:
    return VirtioMmio(wire, VirtioConsole(ram, stream))


@pytest.fixture
def driver(slot, make_driver):
    driver = make_driver(slot)
    driver.start()
    return driver


def test_output(driver, slot, stream, sink, wire) -> None:
    for number, text in enumerate((b"hello ", b"world")):
        driver.send(text, number)
    assert driver.used(1) == [(0, 0), (1, 0)]
    assert not wire.level
    assert slot.due_in_ns() == 0
    slot.tick()
    assert (wire.level, wire.changes) == (True, 1)
    assert slot.due_in_ns() is not None
    stream.flush()
    assert sink.data == b"hello world"


def test_input_waits_for_buffers_and_fills_them_in_order(driver, slot, stream, wire) -> None:
    stream.receive(b"abcdefghij")
    slot.tick()
    assert driver.used(0) == []
    for number in (0, 1):
        driver.describe(0, number, driver.buffer(number), 4, WRITE)
        driver.offer(0, number)
    assert driver.used(0) == [(0, 4), (1, 4)]
    assert driver.ram.read(driver.buffer(1), 4) == b"efgh"
    assert wire.level
    driver.describe(0, 2, driver.buffer(2), 4, WRITE)
    driver.offer(0, 2)
    assert driver.used(0) == [(2, 2)]
    driver.offer(0, 2)
    assert driver.used(0) == []
    stream.receive(b"!")
    slot.tick()
    assert driver.used(0) == [(2, 1)]


def test_a_64_kib_paste_arrives_whole(driver, slot, stream) -> None:
    pasted = bytes(number * 7 % 256 for number in range(64 * 1024))
    assert stream.receive(pasted) == len(pasted)
    got = bytearray()
    driver.describe(0, 0, driver.buffer(), 1000, WRITE)
    while len(got) < len(pasted):
        driver.offer(0, 0)
        ((_, length),) = driver.used(0)
        got += driver.ram.read(driver.buffer(), length)
    assert got == pasted


def test_output_waits_while_the_back_end_is_full_and_loses_nothing(
    driver, slot, stream, sink, clock
) -> None:
    sink.limit = 0
    sent = bytearray()
    number = 0
    while True:
        text = bytes([number % 251]) * 4096
        driver.send(text, number % 8)
        sent += text
        number += 1
        if not driver.used(1):
            break
    assert len(sent) == OUTPUT_BYTES + 4096
    assert stream.due_in_ns() is not None
    sink.limit = OUTPUT_BYTES + 100
    clock.advance(BATCH_NS)
    slot.tick()
    clock.advance(BATCH_NS)
    slot.tick()
    sink.limit = 1 << 40
    clock.advance(BATCH_NS)
    slot.tick()
    stream.flush()
    assert driver.used(1) == [((number - 1) % 8, 0)]
    assert sink.data == sent
    assert slot.due_in_ns() is None


def half_sent(driver, stream, sink) -> None:
    """The driver's request of 16 bytes is out as far as there is room, which is for 10."""
    sink.limit = 0
    stream.put(bytes(OUTPUT_BYTES - 10))
    driver.send(b"0123456789abcdef")


def test_state_in_the_middle_of_a_request(driver, slot, stream, sink, clock, ram, wire) -> None:
    half_sent(driver, stream, sink)
    other = VirtioMmio(wire, VirtioConsole(ram, stream))
    encoding.restore(other, encoding.encode(slot))
    encoding.restore(other.function, encoding.encode(slot.function))
    sink.limit = 1 << 40
    clock.advance(BATCH_NS)
    other.tick()
    stream.flush()
    assert sink.data.endswith(b"0123456789abcdef")
    assert driver.used(1) == [(0, 0)]


def test_a_queue_taken_back_in_the_middle_of_a_request(driver, stream, sink) -> None:
    half_sent(driver, stream, sink)
    driver.reg(0x30, 1)
    driver.reg(0x44, 0)
    sink.limit = 1 << 40
    stream.flush()
    driver.ram.write(driver.base(1) + 0x2000, bytes(0x2000))
    driver.lay_out(1)
    driver.send(b"whole")
    stream.flush()
    assert sink.data.endswith(b"0123456789whole")


def test_a_request_that_changes_while_its_half_is_out(driver, slot, stream, sink, clock) -> None:
    """A driver may not (2.7.13.3), and gets its buffer back."""
    half_sent(driver, stream, sink)
    driver.describe(1, 0, driver.buffer(), 16, WRITE)
    sink.limit = 1 << 40
    clock.advance(BATCH_NS)
    slot.tick()
    stream.flush()
    assert sink.data.endswith(b"0123456789")
    assert driver.used(1) == [(0, 0)]

"""The console with many ports: control messages, and who has a port open when."""

import struct
from collections.abc import Callable

import pytest
from tests.devices.virtio.conftest import Driver

from hospes.base import wire as encoding
from hospes.base.errors import GuestError
from hospes.devices.virtio.function import NEEDS_RESET
from hospes.devices.virtio.mmio import VirtioMmio
from hospes.devices.virtio.ports import (
    CONSOLE_PORT,
    CONTROL_RECEIVE,
    CONTROL_TRANSMIT,
    DEVICE_ADD,
    DEVICE_READY,
    PORT_NAME,
    PORT_OPEN,
    PORT_READY,
    RESIZE,
    VirtioPorts,
)

NAMES = ("first", "second", "terminal")
FEATURES = 1 << 32 | 2
WRITE = 2
Message = tuple[int, int, int, bytes]


class End:
    """The host's end of a port."""

    def __init__(self) -> None:
        self.input, self.output = bytearray(), bytearray()
        self.limit = 1 << 30
        self.closed = self.finished = False

    @property
    def input_waiting(self) -> int:
        return len(self.input)

    @property
    def room(self) -> int:
        return self.limit - len(self.output)

    @property
    def ended(self) -> bool:
        return self.closed and not self.input

    def take(self, limit: int) -> bytes:
        data = bytes(self.input[:limit])
        del self.input[:limit]
        return data

    def put(self, data: bytes) -> int:
        self.output += data
        return len(data)

    def finish(self) -> None:
        assert not self.finished
        self.finished = True


class PortsDriver(Driver):
    """A driver of all queues; a port's have numbers 2 * port + 2, the first one's 0."""

    def base(self, queue: int) -> int:
        return self.ram.base + 0x40000 + queue * 0x4000

    def post(self, queue: int, count: int = 1, size: int = 64) -> None:
        """Buffers to be filled."""
        for _ in range(count):
            head = self.posted[queue] % self.size
            at = self.base(queue) + 0x3800 + 64 * head
            self.describe(queue, head, at, size, WRITE)
            self.offer(queue, head)

    def filled(self, queue: int) -> list[bytes]:
        """What they hold, and they are posted again."""
        got = [
            self.ram.read(self.base(queue) + 0x3800 + 64 * head, length)
            for head, length in self.used(queue)
        ]
        self.post(queue, len(got))
        return got

    def say(self, port: int, event: int, value: int = 1) -> None:
        self.send(struct.pack("<IHH", port, event, value), self.posted[3] % 8, CONTROL_TRANSMIT)

    def told(self) -> list[Message]:
        messages = []
        while got := self.filled(CONTROL_RECEIVE):
            messages += [(*struct.unpack("<IHH", one[:8]), one[8:]) for one in got]
        return messages


@pytest.fixture
def device(ram) -> VirtioPorts:
    return VirtioPorts(ram, NAMES, consoles=("terminal",))


@pytest.fixture
def slot(wire, device) -> VirtioMmio:
    return VirtioMmio(wire, device)


@pytest.fixture
def driver(slot, ram) -> PortsDriver:
    """One that knows all the ports and has posted buffers."""
    driver = PortsDriver(slot, ram)
    begin(driver)
    return driver


def begin(driver: PortsDriver) -> None:
    driver.ram.write(driver.base(0), bytes(8 * 0x4000))
    driver.start(FEATURES, queues=8)
    for queue in (0, CONTROL_RECEIVE, 4):
        driver.post(queue, 8)
    driver.say(0xFFFF_FFFF, DEVICE_READY)
    assert driver.told() == [(number, DEVICE_ADD, 1, b"") for number in range(3)]
    for number in range(2):
        driver.say(number, PORT_READY)


@pytest.fixture
def opened(driver, device, slot) -> Callable[[], End]:
    """Opens the second port on both sides."""

    def do() -> End:
        driver.told()
        end = End()
        device.open(1, end)
        slot.tick()
        driver.say(1, PORT_OPEN)
        assert driver.told() == [(1, PORT_OPEN, 1, b"")]
        return end

    return do


def test_how_ports_are_made_known(driver, device, slot) -> None:
    assert struct.unpack("<HHII", device.config()) == (0, 0, 3, 0)
    assert driver.told() == [(0, PORT_NAME, 1, b"first"), (1, PORT_NAME, 1, b"second")]
    device.resize(2, 80, 25)
    driver.say(2, PORT_READY)
    assert driver.told() == [
        (2, CONSOLE_PORT, 1, b""),
        (2, RESIZE, 0, struct.pack("<HH", 80, 25)),
        (2, PORT_NAME, 1, b"terminal"),
    ]
    device.resize(2, 100, 40)
    slot.tick()
    assert driver.told() == [(2, RESIZE, 0, struct.pack("<HH", 100, 40))]


def test_a_port_opened_before_the_guest_knows_it(slot, device, ram) -> None:
    end = End()
    device.open(1, end)
    slot.tick()
    driver = PortsDriver(slot, ram)
    begin(driver)
    assert (1, PORT_OPEN, 1, b"") in driver.told()
    assert not end.finished


def test_the_guests_opening_is_told_by_name(driver, device) -> None:
    told: list[str] = []
    device.on_guest_open = told.append
    for opens in (1, 1, 0, 1):
        driver.say(1, PORT_OPEN, opens)
    assert told == ["second", "second"]


def test_both_directions(driver, slot, opened, wire) -> None:
    end = opened()
    end.input += b"to the guest"
    slot.tick()
    assert driver.filled(4) == [b"to the guest"]
    driver.send(b"to the host", queue=5)
    assert (end.output, driver.used(5)) == (b"to the host", [(0, 0)])
    assert wire.level


def test_input_waits_until_the_guest_opens_and_is_whole_before_the_end(
    driver, device, slot
) -> None:
    driver.told()
    end = End()
    device.open(1, end)
    end.input += bytes(range(200)) * 3
    end.closed = True
    slot.tick()
    assert driver.told() == [(1, PORT_OPEN, 1, b"")]
    assert driver.filled(4) == []
    driver.say(1, PORT_OPEN)
    assert driver.told() == []
    got = driver.filled(4) + driver.filled(4)
    assert b"".join(got) == bytes(range(200)) * 3
    assert driver.told() == [(1, PORT_OPEN, 0, b"")]
    assert end.finished


def test_the_guest_closes_after_its_output_was_held_up(driver, slot, opened) -> None:
    end = opened()
    end.input += b"never read" * 100
    end.limit = 3
    driver.send(b"0123456789", queue=5)
    driver.say(1, PORT_OPEN, 0)
    assert driver.told() == [(1, PORT_OPEN, 0, b"")]
    assert (end.output, end.finished, driver.used(5)) == (b"012", False, [])
    end.limit = 100
    assert slot.due_in_ns() == 0
    slot.tick()
    assert (end.output, end.finished, driver.used(5)) == (b"0123456789", True, [(0, 0)])
    assert slot.due_in_ns() is None


def test_output_of_a_port_that_the_host_has_closed_is_dropped(driver, slot, device, opened) -> None:
    end = opened()
    driver.send(b"kept", queue=5)
    end.closed = True
    slot.tick()
    assert driver.told() == [(1, PORT_OPEN, 0, b"")]
    assert (end.output, end.finished) == (b"kept", True)
    assert device.ports[1].spent
    driver.send(b"late", number=1, queue=5)
    assert driver.used(5) == [(0, 0), (1, 0)]
    driver.say(1, PORT_OPEN, 0)
    assert not device.ports[1].spent


def test_a_new_end_gets_nothing_of_the_old_ones(driver, device, slot, opened) -> None:
    old = opened()
    old.limit = 0
    driver.send(b"meant for the old end", queue=5)
    new = End()
    device.open(1, new)
    old.input += b"from the old end"
    slot.tick()
    assert old.finished
    assert driver.told() == [(1, PORT_OPEN, 0, b""), (1, PORT_OPEN, 1, b"")]
    driver.send(b"meant for the new", number=1, queue=5)
    assert (new.output, driver.filled(4)) == (b"meant for the new", [])


def test_what_waits_for_a_buffer_is_bounded(driver, device, slot) -> None:
    """And an opening that could not be sent is taken back."""
    driver.told()
    for _ in range(100):
        driver.say(0xFFFF_FFFF, DEVICE_READY)
        driver.say(2, PORT_READY)
        driver.used(CONTROL_RECEIVE)
        end = End()
        device.open(0, end)
        end.closed = True
        slot.tick()
        assert end.finished
    assert len(device.waiting) < 20
    assert struct.pack("<IHH", 0, PORT_OPEN, 1) not in device.waiting


def test_a_reset_ends_what_the_guest_had_open(driver, device, slot, opened) -> None:
    there = opened()
    waiting = End()
    device.open(0, waiting)
    driver.reg(0x70, 0)
    slot.tick()
    assert (there.finished, waiting.finished) == (True, False)
    begin(driver)
    assert (0, PORT_OPEN, 1, b"") in driver.told()


def test_the_power_goes(device, opened) -> None:
    end = opened()
    device.close()
    assert end.finished


def test_state(driver, device, slot, opened, ram, wire) -> None:
    """It goes on elsewhere, where the host has no ends any more."""
    end = opened()
    end.limit = 3
    driver.send(b"0123456789", queue=5)
    other = VirtioMmio(wire, VirtioPorts(ram, NAMES))
    encoding.restore(other, encoding.encode(slot))
    encoding.restore(other.function, encoding.encode(device))
    driver.slot = other
    other.tick()
    assert driver.told() == [(1, PORT_OPEN, 0, b"")]
    assert other.function.ports[1].guest_open
    assert encoding.encode(other.function) != encoding.encode(device)


@pytest.mark.parametrize("message", [b"", b"1234567", struct.pack("<IHH", 3, PORT_OPEN, 1)])
def test_wrong_control_messages(driver, device, message: bytes) -> None:
    with pytest.raises(GuestError):
        driver.send(message, queue=CONTROL_TRANSMIT)
    assert device.status & NEEDS_RESET


def test_too_small_a_buffer_for_control_messages(driver, device) -> None:
    driver.told()
    for _ in range(8):
        driver.say(0xFFFF_FFFF, DEVICE_READY)
        driver.used(CONTROL_RECEIVE)
    with pytest.raises(GuestError):
        driver.post(CONTROL_RECEIVE, 1, size=7)


def test_what_only_devices_say_is_ignored(driver) -> None:
    driver.told()
    for event in (DEVICE_ADD, PORT_NAME, RESIZE, 99):
        driver.say(1, event)
    assert driver.told() == []


def test_too_many_ports(ram) -> None:
    with pytest.raises(ValueError, match="31"):
        VirtioPorts(ram, [str(number) for number in range(32)])

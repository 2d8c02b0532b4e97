"""Virtio over PCI: a driver that finds everything by capabilities, MSI-X and INTx, the peephole."""

import struct
from types import SimpleNamespace

import pytest
from tests.devices.pci.conftest import Root

from hospes.base import wire
from hospes.devices.pci.function import BusMaster
from hospes.devices.virtio.console import VirtioConsole
from hospes.devices.virtio.pci import VirtioPci

BAR0, BAR2, COMMAND = 0x10, 0x18, 0x04
REGISTERS, TABLE = 0x4000_0000, 0x4001_0000
SIZE = 8
DESC, DRIVER, DEVICE, BUFFER = 0x1000, 0x2000, 0x3000, 0x10000
VERSION_1, RING_RESET = 1 << 32, 1 << 40
NO_VECTOR = 0xFFFF


@pytest.fixture
def root() -> Root:
    from tests.devices.conftest import Wire

    return Root([Wire() for _ in range(4)])


def make(ram, stream) -> SimpleNamespace:
    memory = BusMaster(ram)
    function = VirtioConsole(memory, stream, 80, 25)
    return SimpleNamespace(function=function, pci=VirtioPci(function, memory))


@pytest.fixture
def made(ram, stream):
    return make(ram, stream)


class Driver:
    """Slot 1's driver; queue n lies at n * 0x4000 above the memory's base."""

    def __init__(self, root: Root, ram) -> None:
        self.root, self.ram, self.bus = root, ram, root.bus
        root.config(1, BAR0, REGISTERS)
        root.config(1, BAR2, TABLE)
        root.config(1, COMMAND, 6, size=2)
        self.parts = {}
        for number in range(5):
            at = root.capability(1, 0x09, number)
            kind, bar = root.config(1, at + 3, size=1), root.config(1, at + 4, size=1)
            self.parts[kind] = (bar, root.config(1, at + 8), root.config(1, at + 12), at)
        self.common = REGISTERS + self.parts[1][1]

    def reg(self, offset: int, value: int | None = None, size: int = 4) -> int:
        if value is None:
            got = self.bus.read(self.common + offset, size)
            assert got is not None
            return got
        assert self.bus.write(self.common + offset, size, value)
        return 0

    def start(self, features: int = VERSION_1) -> None:
        for status in (0, 1, 3):
            self.reg(0x14, status, 1)
        for word in (0, 1):
            self.reg(0x08, word)
            self.reg(0x0C, features >> 32 * word & 0xFFFF_FFFF)
        self.reg(0x14, 11, 1)
        assert self.reg(0x14, size=1) == 11
        for queue in range(2):
            self.lay_out(queue)
        self.reg(0x14, 15, 1)

    def lay_out(self, queue: int) -> None:
        self.reg(0x16, queue, 2)
        self.reg(0x18, SIZE, 2)
        base = self.ram.base + 0x4000 * queue
        for offset, at in ((0x20, DESC), (0x28, DRIVER), (0x30, DEVICE)):
            self.reg(offset, base + at)
            self.reg(offset + 4, 0)
        self.reg(0x1C, 1, 2)

    def send(self, data: bytes, count: int = 1) -> None:
        """The count-th request of the transmit queue."""
        base = self.ram.base + 0x4000
        self.ram.write(self.ram.base + BUFFER, data)
        self.ram.write(base + DESC, struct.pack("<QIHH", self.ram.base + BUFFER, len(data), 0, 0))
        self.ram.write(base + DRIVER + 2, struct.pack("<H", count))
        multiplier = self.root.config(1, self.parts[2][3] + 16)
        self.reg(0x16, 1, 2)
        bell = REGISTERS + self.parts[2][1] + multiplier * self.reg(0x1E, size=2)
        assert self.bus.write(bell, 2, 1)
        self.bus.tick()

    def used(self) -> int:
        (index,) = struct.unpack("<H", self.ram.read(self.ram.base + 0x4000 + DEVICE + 2, 2))
        return int(index)

    def use_messages(self) -> None:
        """Vector 0 for configuration, vector 1 for the transmit queue."""
        self.root.config(1, self.root.capability(1, 0x11) + 2, 0x8000, size=2)
        for vector in range(3):
            entry = TABLE + 16 * vector
            self.bus.write(entry, 8, 0x2800_0000)
            self.bus.write(entry + 8, 8, 100 + vector)
        self.reg(0x10, 0, 2)
        self.reg(0x16, 1, 2)
        self.reg(0x1A, 1, 2)


@pytest.fixture
def driver(root: Root, made, ram) -> Driver:
    root.host.plug("console", made.pci)
    return Driver(root, ram)


def test_identity_and_capabilities(root: Root, driver: Driver) -> None:
    assert root.config(1, 0) == 0x1043_1AF4
    assert root.config(1, 8, size=1) == 1
    assert {kind: part[0] for kind, part in driver.parts.items()} == dict.fromkeys(range(1, 6), 0)
    assert driver.parts[2][2] == 8
    spans = sorted((at, length) for _, at, length, _ in driver.parts.values() if length)
    ends = [at + length for at, length in spans]
    assert all(end <= at for end, (at, _) in zip(ends, spans[1:], strict=False))
    assert driver.reg(0x12, size=2) == 2
    assert driver.bus.read(REGISTERS + driver.parts[4][1], 4) == 80 | 25 << 16


def test_features_are_offered_by_word(driver: Driver) -> None:
    words = []
    for word in range(3):
        driver.reg(0x00, word)
        words.append(driver.reg(0x04))
    assert words[0] & 5 == 5
    assert words[1] & 1
    assert words[2] == 0
    driver.reg(0x08, 1)
    driver.reg(0x0C, 1)
    assert driver.reg(0x0C) == 1


def test_output_with_the_interrupt_line(root: Root, driver: Driver, stream, sink) -> None:
    driver.start()
    driver.send(b"hello")
    stream.flush()
    assert (bytes(sink.data), driver.used()) == (b"hello", 1)
    assert root.lines[1].level
    isr = REGISTERS + driver.parts[3][1]
    assert [driver.bus.read(isr, 1) for _ in range(2)] == [1, 0]
    assert not root.lines[1].level


def test_output_with_messages(root: Root, made, driver: Driver) -> None:
    driver.use_messages()
    driver.start()
    driver.send(b"hello")
    assert root.messages == []
    driver.reg(0x16, 1, 2)
    assert driver.reg(0x1A, size=2) == NO_VECTOR
    driver.use_messages()
    driver.send(b"again", count=2)
    assert root.messages == [(0x2800_0000, 101)]
    made.function.resize(100, 30)
    assert root.messages == [(0x2800_0000, 101)]
    made.function.fail()
    assert root.messages[1:] == [(0x2800_0000, 100)]
    assert not root.lines[1].level
    assert driver.bus.read(REGISTERS + driver.parts[3][1], 1) == 0


def test_vectors_that_do_not_exist(driver: Driver) -> None:
    driver.reg(0x10, 3, 2)
    assert driver.reg(0x10, size=2) == NO_VECTOR
    driver.reg(0x16, 0, 2)
    driver.reg(0x1A, 2, 2)
    assert driver.reg(0x1A, size=2) == 2
    driver.reg(0x1A, 77, 2)
    assert driver.reg(0x1A, size=2) == NO_VECTOR


def test_no_memory_without_bus_master(root: Root, made, driver: Driver, stream, sink) -> None:
    driver.start()
    root.config(1, COMMAND, 2, size=2)
    driver.send(b"hello")
    stream.flush()
    assert (bytes(sink.data), driver.used()) == (b"", 0)
    assert made.function.status & 64
    root.config(1, COMMAND, 6, size=2)
    driver.start()
    driver.send(b"hello")
    stream.flush()
    assert bytes(sink.data) == b"hello"


def test_queue_registers(driver: Driver) -> None:
    driver.reg(0x16, 2, 2)
    assert [driver.reg(at, size=2) for at in (0x18, 0x1C, 0x1E, 0x1A)] == [0, 0, 0, NO_VECTOR]
    driver.start(VERSION_1 | RING_RESET)
    driver.reg(0x16, 1, 2)
    assert [driver.reg(at, size=2) for at in (0x18, 0x1C, 0x1E)] == [SIZE, 1, 1]
    assert driver.bus.read(driver.common + 0x20, 8) == driver.ram.base + 0x4000 + DESC
    driver.reg(0x20, 0)
    assert driver.reg(0x20) != 0
    driver.reg(0x3A, 1, 2)
    assert [driver.reg(at, size=2) for at in (0x18, 0x1C, 0x3A)] == [256, 0, 0]
    driver.lay_out(1)
    driver.ram.write(driver.ram.base + 0x4000 + DEVICE, bytes(4))
    driver.send(b"x")
    assert driver.used() == 1


def test_reset(root: Root, made, driver: Driver) -> None:
    driver.start()
    driver.send(b"hello")
    driver.reg(0x10, 1, 2)
    driver.reg(0x14, 0, 1)
    assert (driver.reg(0x14, size=1), driver.reg(0x10, size=2)) == (0, NO_VECTOR)
    assert not root.lines[1].level
    made.function.config_generation = 0x1FF
    assert driver.reg(0x15, size=1) == 0xFF


def test_the_peephole(root: Root, driver: Driver) -> None:
    at = driver.parts[5][3]
    for offset, value, size in ((4, 0, 1), (8, 0x16, 4), (12, 2, 4), (16, 1, 4)):
        root.config(1, at + offset, value, size=size)
    assert driver.reg(0x16, size=2) == 1
    root.config(1, at + 8, 0x12)
    assert root.config(1, at + 16, size=2) == 2
    for bar, offset, length in ((1, 0, 4), (0, 0x4000, 4), (0, 2, 4), (0, 0, 3), (9, 0, 1)):
        for register, value, size in ((4, bar, 1), (8, offset, 4), (12, length, 4), (16, 5, 4)):
            root.config(1, at + register, value, size=size)
        assert root.config(1, at + 16) == 0
    assert [m.guest_errors for m in root.bus.mappings if m.name == "pci"] == [10]


def test_state_is_kept(root: Root, made, driver: Driver, ram, stream, sink) -> None:
    driver.use_messages()
    driver.start()
    driver.use_messages()
    other, there = make(ram, stream), Root(root.lines)
    there.host.plug("console", other.pci)
    for old, new in (
        (made.pci, other.pci),
        (made.function, other.function),
        (made.pci.virtio, other.pci.virtio),
        (made.pci.vectors, other.pci.vectors),
    ):
        wire.restore(new, wire.encode(old))
    other.pci.follow()
    driver.root, driver.bus = there, there.bus
    driver.send(b"moved")
    stream.flush()
    assert (bytes(sink.data), there.messages) == (b"moved", [(0x2800_0000, 101)])

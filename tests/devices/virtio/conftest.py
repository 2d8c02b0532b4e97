"""A virtio driver in Python: sets a device up through its registers and works its queues."""

import struct

import pytest

from hospes.devices.virtio.mmio import VirtioMmio

SIZE = 8
DESC, DRIVER, DEVICE, BUFFERS = 0x1000, 0x2000, 0x3000, 0x10000
NEXT, WRITE, INDIRECT = 1, 2, 4


class Driver:
    """One queue pair's worth of driver; queue n lives at n * 0x4000 above the memory's base."""

    def __init__(self, slot: VirtioMmio, ram, size: int = SIZE) -> None:
        self.slot, self.ram, self.size = slot, ram, size
        self.posted: dict[int, int] = {}
        self.seen: dict[int, int] = {}

    def reg(self, offset: int, value: int | None = None) -> int:
        if value is None:
            return self.slot.read(offset, 4)
        self.slot.write(offset, 4, value)
        return 0

    def base(self, queue: int) -> int:
        return self.ram.base + queue * 0x4000

    def start(self, features: int = 1 << 32, queues: int = 2) -> None:
        self.agree(features)
        for queue in range(queues):
            self.lay_out(queue)
        self.reg(0x70, 15)

    def agree(self, features: int) -> None:
        """Up to FEATURES_OK."""
        self.reg(0x70, 1)
        self.reg(0x70, 3)
        for word in (0, 1):
            self.reg(0x24, word)
            self.reg(0x20, features >> 32 * word & 0xFFFF_FFFF)
        self.reg(0x70, 11)

    def lay_out(self, queue: int) -> None:
        self.reg(0x30, queue)
        self.reg(0x38, self.size)
        for offset, at in ((0x80, DESC), (0x90, DRIVER), (0xA0, DEVICE)):
            self.reg(offset, self.base(queue) + at)
            self.reg(offset + 4, 0)
        self.reg(0x44, 1)
        self.posted[queue] = self.seen[queue] = 0

    def describe(self, queue: int, index: int, gpa: int, length: int, flags: int = 0,
                 following: int = 0) -> None:
        at = self.base(queue) + DESC + 16 * index
        self.ram.write(at, struct.pack("<QIHH", gpa, length, flags, following))

    def offer(self, queue: int, head: int, notify: bool = True) -> None:
        at = self.base(queue) + DRIVER
        posted = self.posted[queue]
        self.ram.write(at + 4 + 2 * (posted % self.size), struct.pack("<H", head))
        self.posted[queue] = posted + 1 & 0xFFFF
        self.ram.write(at + 2, struct.pack("<H", self.posted[queue]))
        if notify:
            self.reg(0x50, queue)

    def used(self, queue: int) -> list[tuple[int, int]]:
        """What has been given back since the last time: (head, bytes written)."""
        at = self.base(queue) + DEVICE
        (index,) = struct.unpack("<H", self.ram.read(at + 2, 2))
        got = []
        while self.seen[queue] != index:
            entry = at + 4 + 8 * (self.seen[queue] % self.size)
            got.append(struct.unpack("<II", self.ram.read(entry, 8)))
            self.seen[queue] = self.seen[queue] + 1 & 0xFFFF
        return got

    def buffer(self, number: int = 0) -> int:
        return self.ram.base + BUFFERS + 0x1000 * number

    def send(self, data: bytes, number: int = 0, queue: int = 1) -> None:
        self.ram.write(self.buffer(number), data)
        self.describe(queue, number % self.size, self.buffer(number), len(data))
        self.offer(queue, number % self.size)


@pytest.fixture
def make_driver(ram):
    return lambda slot, size=SIZE: Driver(slot, ram, size)

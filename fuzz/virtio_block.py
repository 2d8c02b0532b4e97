"""Fuzz target: virtio block, two queues of either format, resets, over a disk with moods."""

import random
import struct
from collections.abc import Callable, Sequence

from fuzz.harness import RAM_BASE, RAM_BYTES, Line, Ram, access, main, odd_number
from fuzz.virtio import QUEUE_SPACING, SIZE, restart_queue, scribble, set_up

from hospes.base.errors import HospesError
from hospes.devices.bus import Bus
from hospes.devices.virtio.block import IN_FLIGHT_BYTES_MAX, IN_FLIGHT_MAX, VirtioBlock
from hospes.devices.virtio.block_request import REQUEST_BYTES_MAX
from hospes.devices.virtio.function import RING_PACKED
from hospes.devices.virtio.mmio import VirtioMmio
from hospes.devices.virtio.packed import AVAIL, USED

SLOT = 0x1000_1000
DISK_BYTES = 64 << 10

Part = tuple[int, int, int]


class Disk:
    """Fails now and then; every request must lie inside."""

    size_bytes = DISK_BYTES

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self.read_only = chance.random() < 0.2

    def _do(self, offset: int, length: int, changes: bool = True) -> None:
        assert 0 <= offset <= offset + length <= DISK_BYTES, (offset, length)
        assert not (changes and self.read_only)
        if self._chance.random() < 0.1:
            raise HospesError("the disk has a mood")

    def read(self, offset: int, length: int) -> bytes:
        """Zeros."""
        self._do(offset, length, changes=False)
        return bytes(length)

    def read_at_once(self, offset: int, buffers: Sequence[memoryview]) -> bool:
        """Sometimes."""
        length = sum(map(len, buffers))
        assert 0 <= offset <= offset + length <= DISK_BYTES
        return self._chance.random() < 0.5

    def write(self, offset: int, data: bytes) -> None:
        """Checked."""
        self._do(offset, len(data))

    def flush(self) -> None:
        """Checked."""
        self._do(0, 0, changes=False)

    def discard(self, offset: int, length: int) -> None:
        """Checked."""
        self._do(offset, length)

    def write_zeroes(self, offset: int, length: int, *, unmap: bool) -> None:
        """Checked."""
        self._do(offset, length)


class Executor:
    """Keeps jobs until some are done."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self.jobs: list[Callable[[], None]] = []

    def submit(self, job: Callable[[], None]) -> None:
        """Keep."""
        self.jobs.append(job)

    def report(self, message: str) -> None:
        """One line."""
        assert "\n" not in message

    def wait(self) -> None:
        """All jobs."""
        self.run(len(self.jobs))

    def run(self, count: int) -> None:
        """Some jobs, in any order."""
        for _ in range(min(count, len(self.jobs))):
            self.jobs.pop(self._chance.randrange(len(self.jobs)))()


def case(chance: random.Random) -> None:
    """Drivers that are set up properly and then go wrong."""
    bus, ram, executor = Bus(), Ram(), Executor(chance)
    packed = chance.random() < 0.7
    device = VirtioBlock(ram, Disk(chance), executor, "serial", queues=2, packed=packed)
    bus.map("disk", SLOT, VirtioMmio(Line(), device))
    for _ in range(chance.randrange(1, 4)):
        set_up(chance, bus, SLOT, 0)
        for _ in range(chance.randrange(1, 30)):
            queue = chance.randrange(2)
            if chance.random() < 0.3:
                scribble(chance, ram, queue, device, queue)
            else:
                ask(chance, ram, device, queue)
            bus.write(SLOT + 0x50, 4, chance.randrange(3))
            assert len(device._begun) <= IN_FLIGHT_MAX
            assert device._begun_bytes <= IN_FLIGHT_BYTES_MAX + REQUEST_BYTES_MAX
            if chance.random() < 0.5:
                executor.run(chance.randrange(1, 20))
            if chance.random() < 0.5:
                bus.tick()
            if chance.random() < 0.05:
                bus.drain()
                assert not executor.jobs
            if chance.random() < 0.05:
                restart_queue(chance, bus, SLOT, 0)
            if chance.random() < 0.1:
                access(chance, bus, SLOT, chance.randrange(0x150))
        if chance.random() < 0.5:
            bus.write(SLOT + 0x70, 4, 0)
    bus.drain()
    assert (device._begun, device._begun_bytes, device._orphans) == (set(), 0, 0)


def ask(chance: random.Random, ram: Ram, device: VirtioBlock, queue: int) -> None:
    """A request that is nearly right: header, data of some sectors, status."""
    at = RAM_BASE + RAM_BYTES // 2 + 0x1000 * chance.randrange(16)
    kind = chance.choice((0, 1, 4, 8, 11, 13, 0, 1, odd_number(chance, 32) & 0xFFFF_FFFF))
    sector = chance.randrange(140) if chance.random() < 0.9 else odd_number(chance, 63)
    ram.write(at, struct.pack("<IIQ", kind, 0, sector))
    length = 512 * chance.randrange(9) if chance.random() < 0.7 else 16 * chance.randrange(20)
    if kind in (11, 13):
        segment = (sector, chance.randrange(200), chance.randrange(4) == 0)
        ram.write(at + 16, struct.pack("<QII", *segment) * chance.randrange(1, 18))
    flags = 3 if kind in (0, 8) else 1
    parts = [(at, 16, 1), (at + 16, length, flags), (at + 0x1000, chance.choice((1, 1, 1, 0)), 2)]
    rings = RAM_BASE + QUEUE_SPACING * queue
    if device.driver_features & RING_PACKED:
        offer_packed(chance, ram, rings, parts, device.queues[queue].next_avail)
    else:
        offer_split(chance, ram, rings, parts)


def offer_split(chance: random.Random, ram: Ram, rings: int, parts: list[Part]) -> None:
    """Descriptors in a row, and the next entry of the available ring."""
    head = chance.randrange(SIZE - 2)
    for n, (gpa, size, bits) in enumerate(parts):
        ram.write(rings + 16 * (head + n), struct.pack("<QIHH", gpa, size, bits, head + n + 1))
    (index,) = struct.unpack("<H", ram.read(rings + 0x1002, 2))
    ram.write(rings + 0x1004 + 2 * (index % SIZE), struct.pack("<H", head))
    ram.write(rings + 0x1002, struct.pack("<H", index + 1 & 0xFFFF))


def offer_packed(
    chance: random.Random, ram: Ram, rings: int, parts: list[Part], position: int
) -> None:
    """The next places of the ring."""
    number = chance.randrange(SIZE)
    for n, (gpa, size, bits) in enumerate(parts):
        offered = AVAIL if (position + n) // SIZE % 2 == 0 else USED
        place = rings + 16 * ((position + n) % SIZE)
        ram.write(place, struct.pack("<QIHH", gpa, size, number, bits | offered))


if __name__ == "__main__":
    main(case)

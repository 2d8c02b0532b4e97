"""Fuzz target: virtio block with random requests, rings and resets over a disk with moods."""

import random
import struct
from collections.abc import Callable

from fuzz.harness import RAM_BASE, RAM_BYTES, Line, Ram, access, main, odd_number
from fuzz.virtio import SIZE, scribble, set_up

from hospes.base.errors import HospesError
from hospes.devices.bus import Bus
from hospes.devices.virtio.block import IN_FLIGHT_BYTES_MAX, IN_FLIGHT_MAX, VirtioBlock
from hospes.devices.virtio.block_request import REQUEST_BYTES_MAX
from hospes.devices.virtio.mmio import VirtioMmio

SLOT = 0x1000_1000
DISK_BYTES = 64 << 10


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

    def __init__(self) -> None:
        self.jobs: list[Callable[[], None]] = []

    def submit(self, job: Callable[[], None]) -> None:
        """Keep."""
        self.jobs.append(job)

    def report(self, message: str) -> None:
        """One line."""
        assert "\n" not in message

    def run(self, count: int) -> None:
        """Some jobs, in order."""
        todo, self.jobs = self.jobs[:count], self.jobs[count:]
        for job in todo:
            job()


def case(chance: random.Random) -> None:
    """Drivers that are set up properly and then go wrong."""
    bus, ram, executor = Bus(), Ram(), Executor()
    device = VirtioBlock(ram, Disk(chance), executor, "serial")
    bus.map("disk", SLOT, VirtioMmio(Line(), device))
    for _ in range(chance.randrange(1, 4)):
        set_up(chance, bus, SLOT, 0)
        for _ in range(chance.randrange(1, 30)):
            if chance.random() < 0.3:
                scribble(chance, ram, 0)
            else:
                ask(chance, ram)
            bus.write(SLOT + 0x50, 4, chance.randrange(2))
            assert len(executor.jobs) <= IN_FLIGHT_MAX
            assert device._in_flight_bytes <= IN_FLIGHT_BYTES_MAX + REQUEST_BYTES_MAX
            if chance.random() < 0.5:
                executor.run(chance.randrange(1, 20))
            if chance.random() < 0.5:
                bus.tick()
            if chance.random() < 0.1:
                access(chance, bus, SLOT, chance.randrange(0x150))
        if chance.random() < 0.5:
            bus.write(SLOT + 0x70, 4, 0)
    executor.run(len(executor.jobs))
    bus.tick()


def ask(chance: random.Random, ram: Ram) -> None:
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
    head = chance.randrange(SIZE - 2)
    parts = [(at, 16, 1), (at + 16, length, flags), (at + 0x1000, chance.choice((1, 1, 1, 0)), 2)]
    for n, (gpa, size, bits) in enumerate(parts):
        ram.write(RAM_BASE + 16 * (head + n), struct.pack("<QIHH", gpa, size, bits, head + n + 1))
    (index,) = struct.unpack("<H", ram.read(RAM_BASE + 0x1002, 2))
    ram.write(RAM_BASE + 0x1004 + 2 * (index % SIZE), struct.pack("<H", head))
    ram.write(RAM_BASE + 0x1002, struct.pack("<H", index + 1 & 0xFFFF))


if __name__ == "__main__":
    main(case)

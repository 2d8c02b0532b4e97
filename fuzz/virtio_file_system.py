"""Fuzz target: a file system device, messages of any shape, a folder that answers as it likes."""

import random
from collections.abc import Callable, Sequence

from fuzz.harness import RAM_BASE, RAM_BYTES, Line, Ram, access, main, odd_number
from fuzz.virtio import QUEUE_SPACING, laid_out, registers, scribble, set_up
from fuzz.virtio_block import Part, offer_packed, offer_split

from hospes.devices.bus import Bus
from hospes.devices.virtio.file_system import (
    HEADER_BYTES,
    IN_FLIGHT_BYTES_MAX,
    IN_FLIGHT_MAX,
    MESSAGE_BYTES_MAX,
    VirtioFileSystem,
)
from hospes.devices.virtio.function import RING_PACKED, VERSION_1
from hospes.devices.virtio.mmio import VirtioMmio

SLOT = 0x1000_1000

Answered = Callable[[bytes], None]


class Folder:
    """Answers at once, later, or what was before a reset only some time after it.

    How lively it is makes some have much to do at a time.
    """

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._lively = chance.choice((0.0, 0.1, 0.3))
        self._later: list[tuple[int, Answered]] = []
        self.under_way = 0

    def ask(self, queue: int, parts: Sequence[memoryview], room: int, answered: Answered) -> None:
        """Checked, and answered at once now and then."""
        size = sum(map(len, parts))
        assert queue in (0, 1)
        assert HEADER_BYTES <= size <= size + room <= MESSAGE_BYTES_MAX
        self.under_way += 1
        self._later.append((room, answered))
        if self._chance.random() < self._lively:
            self._answer(len(self._later) - 1)

    def reset(self) -> None:
        """Everything is answered now, or not yet."""
        if self._chance.random() < 0.5:
            self.wait()

    def wait(self) -> None:
        """Answer everything."""
        self._answer_some(len(self._later))

    def go_on(self) -> None:
        """Answer some, or none."""
        if self._chance.random() < self._lively:
            self._answer_some(self._chance.randrange(1, 20))

    def _answer_some(self, count: int) -> None:
        """In any order."""
        for _ in range(min(count, len(self._later))):
            self._answer(self._chance.randrange(len(self._later)))

    def _answer(self, number: int) -> None:
        room, answered = self._later.pop(number)
        self.under_way -= 1
        answered(bytes(min(room, self._chance.choice((0, 16, 16, 80, 5000, room)))))


class Driver:
    """One machine's life; `unrung` are the queues that have changed since they were last rung."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self.bus, self._ram, self.folder = Bus(), Ram(), Folder(chance)
        packed = chance.random() < 0.7
        self.device = VirtioFileSystem(self._ram, self.folder, "volume0", packed=packed)
        self.bus.map("folder", SLOT, VirtioMmio(Line(), self.device))
        self._unrung = {0, 1}
        self._others = chance.choice((0.03, 0.5, 0.97))

    def set_up(self) -> None:
        """With nothing in the rings, or what was there."""
        self._unrung = {0, 1}
        set_up(self._chance, self.bus, SLOT, 0)

    def step(self) -> None:
        """Something is offered, something answered, or what is rarer happens."""
        chance = self._chance
        queue = int(chance.random() < self._others)
        self._unrung.add(queue)
        if chance.random() < 0.03:
            scribble(chance, self._ram, queue, self.device, queue)
        else:
            self._ask(queue)
        self._ring(queue if chance.random() < 0.99 else chance.randrange(4))
        self.folder.go_on()
        if chance.random() < 0.5:
            self.bus.tick()
        if chance.random() < 0.03:
            self.bus.drain()
            assert self.folder.under_way == 0
        if chance.random() < 0.05:
            self._restart(chance.randrange(2))
            if chance.random() < 0.3:
                self.settle()
        if chance.random() < 0.03:
            self._unrung = {0, 1}
            access(chance, self.bus, SLOT, chance.randrange(0x150))

    def reset(self) -> None:
        """The whole device."""
        self.bus.write(SLOT + 0x70, 4, 0)

    def settle(self) -> None:
        """When the folder has answered all, nothing is under way and nothing waits in a ring."""
        self.folder.wait()
        while self.bus.due_in_ns() == 0:
            self.bus.tick()
            self.folder.wait()
        device = self.device
        assert (device._begun, device._begun_bytes, device._orphans) == (set(), 0, 0)
        if device.running:
            for queue in {0, 1} - self._unrung:
                assert device.queue(queue).peek() is None

    def serve_as_ever(self) -> None:
        """After a reset by a driver that does nothing wrong, a message is answered."""
        ram, rings = self._ram, RAM_BASE + QUEUE_SPACING
        ram.write(RAM_BASE, bytes(2 * QUEUE_SPACING))
        for offset, value in registers(VERSION_1, 0, 2):
            self.bus.write(SLOT + offset, 4, value)
        at = RAM_BASE + RAM_BYTES // 2
        offer_split(self._chance, ram, rings, [(at, HEADER_BYTES, 1), (at, 16, 2)])
        self._ring(1)
        self.bus.drain()
        assert ram.read(rings + 0x2002, 2) == bytes((1, 0))

    def _ring(self, queue: int) -> None:
        self._unrung.discard(queue)
        self.bus.write(SLOT + 0x50, 4, queue)

    def _restart(self, queue: int) -> None:
        """Take a queue back, or reset it alone, and lay it out again."""
        self._unrung.add(queue)
        self.bus.write(SLOT + 0x30, 4, queue)
        if self._chance.random() < 0.5:
            self.bus.write(SLOT + 0x44, 4, 0)
        else:
            self.bus.write(SLOT + 0xC0, 4, 1)
        for offset, value in laid_out(0, queue):
            self.bus.write(SLOT + offset, 4, value)

    def _ask(self, queue: int) -> None:
        """Some messages alike, which are nearly always what they may be."""
        chance = self._chance
        parts = some_parts(chance)
        rings = RAM_BASE + QUEUE_SPACING * queue
        position = self.device.queues[queue].next_avail
        for _ in range(chance.choice((1, 1, 3))):
            if self.device.driver_features & RING_PACKED:
                offer_packed(chance, self._ram, rings, parts, position)
                position += len(parts)
            else:
                offer_split(chance, self._ram, rings, parts)


def some_parts(chance: random.Random) -> list[Part]:
    """Of a message: its header, mostly with a body, and the places for its answer."""
    at = RAM_BASE + RAM_BYTES // 2 + 0x1000 * chance.randrange(64)
    header = HEADER_BYTES if chance.random() < 0.99 else chance.randrange(HEADER_BYTES)
    body = chance.choice((0, 8, 60, 4000, 4000, 0x4_0000))
    if chance.random() < 0.01:
        body = odd_number(chance, 32) & 0xFFFF_FFFF
    parts = [(at, header, 1)]
    if body or chance.random() < 0.5:
        parts.append((at + header, body, 1))
    rooms = chance.choice(((), (16,), (16, 80), (16, 4000), (16, 0x10_0000), (7, 20), (0, 16)))
    for number, room in enumerate(rooms):
        gpa = at + 0x1000 * number if chance.random() < 0.998 else odd_number(chance, 64)
        parts.append((gpa, room, 3))
    *others, (gpa, length, flags) = parts
    return [*others, (gpa, length, flags & ~1)]


def case(chance: random.Random) -> None:
    """Drivers that are set up properly and then go wrong."""
    driver = Driver(chance)
    device = driver.device
    for _ in range(chance.randrange(1, 4)):
        driver.set_up()
        for _ in range(chance.randrange(1, 60)):
            driver.step()
            assert len(device._begun) <= IN_FLIGHT_MAX
            assert device._begun_bytes < IN_FLIGHT_BYTES_MAX + MESSAGE_BYTES_MAX
            assert driver.folder.under_way <= len(device._begun)
        if chance.random() < 0.5:
            driver.settle()
        if chance.random() < 0.5:
            driver.reset()
    driver.settle()
    driver.serve_as_ever()


if __name__ == "__main__":
    main(case)

"""Fuzz target: the balloon with random page numbers, reports, statistics and resets."""

import random
import struct

from fuzz.harness import RAM_BASE, RAM_BYTES, Line, Ram, access, main, odd_number
from fuzz.virtio import QUEUE_SPACING, SIZE, registers, scribble

from hospes.base import wire
from hospes.base.clock import ManualClock
from hospes.base.errors import GuestError
from hospes.devices.bus import Bus
from hospes.devices.virtio.balloon import STEP_PAGES, VirtioBalloon
from hospes.devices.virtio.mmio import VirtioMmio

SLOT = 0x1000_1000
QUEUES = 4


class Frames(Ram):
    """Memory that can be given back; what a step gives back is counted."""

    step_pages = 0

    def discard(self, gpa: int, count: int) -> None:
        """Whole pages of RAM, or a GuestError."""
        assert count > 0
        assert gpa % 4096 == count % 4096 == 0
        if not RAM_BASE <= gpa <= RAM_BASE + RAM_BYTES - count:
            raise GuestError(f"{gpa:#x} is not RAM")
        self.step_pages += count >> 12
        assert self.step_pages <= QUEUES * STEP_PAGES


def case(chance: random.Random) -> None:
    """Drivers that are set up properly and then go wrong."""
    bus, ram = Bus(), Frames()
    device = VirtioBalloon(ram, ManualClock())
    bus.map("balloon", SLOT, VirtioMmio(Line(), device))
    for _ in range(chance.randrange(1, 4)):
        set_up(chance, bus, ram)
        for _ in range(chance.randrange(1, 30)):
            act(chance, bus, ram, device)
        if chance.random() < 0.3:
            bus.write(SLOT + 0x70, 4, 0)
            ram.step_pages = 0
    fresh = VirtioBalloon(ram, ManualClock())
    wire.restore(fresh, wire.encode(device))
    assert wire.encode(fresh) == wire.encode(device)


def act(chance: random.Random, bus: Bus, ram: Frames, device: VirtioBalloon) -> None:
    """One request of the guest's, and something of the host's."""
    queue = chance.randrange(QUEUES)
    if chance.random() < 0.8:
        request(chance, ram, queue)
    else:
        scribble(chance, ram, queue, device, queue)
    bus.write(SLOT + 0x50, 4, queue)
    assert len(device.statistics) <= 64
    if chance.random() < 0.3:
        device.resize(chance.getrandbits(32))
        device.ask(lambda: None)
    for _ in range(chance.randrange(4)):
        ram.step_pages = 0
        bus.tick()
    if chance.random() < 0.1:
        access(chance, bus, SLOT, chance.randrange(0x150))
    ram.step_pages = 0


def set_up(chance: random.Random, bus: Bus, ram: Frames) -> None:
    """The registers a driver writes, hardly ever wrong."""
    features = 1 << 32 | chance.getrandbits(2) << 28 | chance.choice((0x26, 0x24, 0x20, 0x26))
    for offset, value in registers(features, 0, QUEUES):
        if chance.random() > 0.002:
            bus.write(SLOT + offset, 4, value)
            ram.step_pages = 0


def request(chance: random.Random, ram: Ram, queue: int) -> None:
    """Page numbers, statistics or free pages that are nearly right."""
    at = RAM_BASE + QUEUE_SPACING * queue
    first = RAM_BASE >> 12
    pages = [first + chance.randrange(RAM_BYTES >> 12) for _ in range(chance.randrange(40))]
    if chance.random() < 0.03:
        pages.append(odd_number(chance, 32) & 0xFFFF_FFFF)
    data = struct.pack(f"<{len(pages)}I", *pages)
    ram.write(at + 0x3000, data)
    head = chance.randrange(SIZE)
    if queue < 2 or (queue == 2 and chance.random() < 0.7):
        ram.write(at + 16 * head, struct.pack("<QIHH", at + 0x3000, len(data), 0, 0))
    else:
        # In a circle: a chain as long as the queue allows, and more pages than one step takes.
        for index in range(SIZE):
            gpa = RAM_BASE + chance.randrange(0, RAM_BYTES // 2, 4096)
            flags = 2 | (chance.random() < 0.9)
            following = (index + 1) % SIZE if index != head - 1 else head
            part = struct.pack("<QIHH", gpa, RAM_BYTES // 2, flags, following)
            ram.write(at + 16 * index, part)
        last = (head + SIZE - 1) % SIZE
        ram.write(at + 16 * last, struct.pack("<QIHH", RAM_BASE, RAM_BYTES // 2, 2, 0))
    (index,) = struct.unpack("<H", ram.read(at + 0x1002, 2))
    for _ in range(chance.randrange(1, SIZE)):
        ram.write(at + 0x1004 + 2 * (index % SIZE), struct.pack("<H", head))
        index += 1
    ram.write(at + 0x1002, struct.pack("<H", index & 0xFFFF))


if __name__ == "__main__":
    main(case)

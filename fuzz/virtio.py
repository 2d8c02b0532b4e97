"""Fuzz target: virtio console and entropy with random rings, registers, resets, full back ends."""

import random
import struct

from fuzz.harness import RAM_BASE, RAM_BYTES, Line, Ram, access, main, make_stream, odd_number

from hospes.base.clock import ManualClock
from hospes.devices.bus import Bus
from hospes.devices.virtio.console import VirtioConsole
from hospes.devices.virtio.entropy import VirtioEntropy
from hospes.devices.virtio.mmio import VirtioMmio

SLOTS = (0x1000_1000, 0x1000_2000)
QUEUE_SPACING = 0x4000
SIZE = 16


class Randomness:
    """The entropy device's source."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance

    def read(self, count: int) -> bytes:
        """Count bytes."""
        return self._chance.randbytes(count)


def case(chance: random.Random) -> None:
    """Drivers that are set up properly and then go wrong."""
    clock, bus, ram = ManualClock(), Bus(), Ram()
    stream = make_stream(chance, clock)
    functions = VirtioConsole(ram, stream, 80, 25), VirtioEntropy(ram, Randomness(chance))
    for base, function in zip(SLOTS, functions, strict=True):
        bus.map(f"virtio at {base:#x}", base, VirtioMmio(Line(), function))
    for _ in range(chance.randrange(1, 5)):
        slot = chance.randrange(2)
        set_up(chance, bus, SLOTS[slot], 4 * slot)
        for _ in range(chance.randrange(1, 40)):
            scribble(chance, ram, 4 * slot + chance.randrange(2))
            bus.write(SLOTS[slot] + 0x50, 4, chance.randrange(3))
            if chance.random() < 0.3:
                stream.receive(chance.randbytes(chance.randrange(5000)))
                clock.advance(chance.randrange(3_000_000))
                bus.tick()
            if chance.random() < 0.2:
                access(chance, bus, SLOTS[slot], chance.randrange(0x120))
        if chance.random() < 0.5:
            bus.write(SLOTS[slot] + 0x70, 4, 0)


def set_up(chance: random.Random, bus: Bus, base: int, first: int) -> None:
    """The registers a driver writes; now and then one is left out or wrong."""
    features = 1 << 32 | chance.getrandbits(2) << 28
    writes = [(0x70, 0), (0x70, 3), (0x24, 0), (0x20, features & 0xFFFF_FFFF)]
    writes += [(0x24, 1), (0x20, features >> 32), (0x70, 11)]
    for queue in range(2):
        at = RAM_BASE + QUEUE_SPACING * (first + queue)
        writes += [(0x30, queue), (0x38, SIZE), (0x80, at), (0x84, 0), (0x90, at + 0x1000)]
        writes += [(0x94, 0), (0xA0, at + 0x2000), (0xA4, 0), (0x44, 1)]
    for offset, value in [*writes, (0x70, 15)]:
        wrong = odd_number(chance, 32) & 0xFFFF_FFFF
        if chance.random() > 0.005:
            bus.write(base + offset, 4, wrong if chance.random() < 0.005 else value)


def scribble(chance: random.Random, ram: Ram, queue: int) -> None:
    """Random descriptors, mostly plausible; an available index that mostly moves on by a few."""
    at = RAM_BASE + QUEUE_SPACING * queue
    for index in range(SIZE):
        gpa = RAM_BASE + chance.randrange(RAM_BYTES)
        if chance.random() < 0.02:
            gpa = odd_number(chance, 64)
        length = chance.choice((0, 1, 16, 160, 4000, 100_000))
        if chance.random() < 0.02:
            length = odd_number(chance, 32) & 0xFFFF_FFFF
        flags = chance.choice((0, 0, 1, 1, 2, 3, 4)) if chance.random() < 0.95 else 0xFFFF
        following = chance.randrange(SIZE + (chance.random() < 0.05))
        ram.write(at + 16 * index, struct.pack("<QIHH", gpa, length, flags, following))
        ram.write(at + 0x1004 + 2 * index, struct.pack("<H", chance.randrange(SIZE)))
    (old,) = struct.unpack("<H", ram.read(at + 0x1002, 2))
    new = old + chance.randrange(4) if chance.random() < 0.95 else chance.getrandbits(16)
    ram.write(at + 0x1002, struct.pack("<H", new & 0xFFFF))


if __name__ == "__main__":
    main(case)

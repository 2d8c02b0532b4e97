"""Fuzz target: virtio console and entropy, both ring formats, odd registers, full back ends."""

import random
import struct

from fuzz.harness import RAM_BASE, RAM_BYTES, Line, Ram, access, main, make_stream, odd_number

from hospes.base.clock import ManualClock
from hospes.devices.bus import Bus
from hospes.devices.virtio.console import VirtioConsole
from hospes.devices.virtio.entropy import VirtioEntropy
from hospes.devices.virtio.function import RING_PACKED, RING_RESET, VirtioFunction
from hospes.devices.virtio.mmio import VirtioMmio
from hospes.devices.virtio.packed import AVAIL, USED
from hospes.devices.virtio.queue import QueueState

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
            queue = chance.randrange(2)
            scribble(chance, ram, 4 * slot + queue, functions[slot], queue)
            bus.write(SLOTS[slot] + 0x50, 4, chance.randrange(3))
            if chance.random() < 0.3:
                stream.receive(chance.randbytes(chance.randrange(5000)))
                clock.advance(chance.randrange(3_000_000))
                bus.tick()
            if chance.random() < 0.2:
                access(chance, bus, SLOTS[slot], chance.randrange(0x120))
            if chance.random() < 0.05:
                restart_queue(chance, bus, SLOTS[slot], 4 * slot)
        if chance.random() < 0.5:
            bus.write(SLOTS[slot] + 0x70, 4, 0)


def set_up(chance: random.Random, bus: Bus, base: int, first: int) -> None:
    """The registers a driver writes; now and then one is left out or wrong."""
    features = 1 << 32 | chance.getrandbits(2) << 28
    features |= chance.choice((0, RING_PACKED)) | chance.choice((0, RING_RESET))
    for offset, value in registers(features, first, 2):
        wrong = odd_number(chance, 32) & 0xFFFF_FFFF
        if chance.random() > 0.005:
            bus.write(base + offset, 4, wrong if chance.random() < 0.005 else value)


def registers(features: int, first: int, queues: int) -> list[tuple[int, int]]:
    """What a driver writes to have a device with these features, and queues in these places."""
    writes = [(0x70, 0), (0x70, 3), (0x24, 0), (0x20, features & 0xFFFF_FFFF)]
    writes += [(0x24, 1), (0x20, features >> 32), (0x70, 11)]
    for queue in range(queues):
        writes += laid_out(first, queue)
    return [*writes, (0x70, 15)]


def laid_out(first: int, queue: int) -> list[tuple[int, int]]:
    """The registers that place and enable a queue."""
    at = RAM_BASE + QUEUE_SPACING * (first + queue)
    writes = [(0x30, queue), (0x38, SIZE), (0x80, at), (0x84, 0), (0x90, at + 0x1000)]
    return [*writes, (0x94, 0), (0xA0, at + 0x2000), (0xA4, 0), (0x44, 1)]


def restart_queue(chance: random.Random, bus: Bus, base: int, first: int) -> None:
    """Take a queue back, or reset it alone, and mostly lay it out again."""
    queue = chance.randrange(2)
    bus.write(base + 0x30, 4, queue)
    bus.write(base + chance.choice((0x44, 0xC0, 0xC0)), 4, chance.randrange(2))
    if chance.random() < 0.8:
        for offset, value in laid_out(first, queue):
            bus.write(base + offset, 4, value)


def scribble(
    chance: random.Random, ram: Ram, place: int, function: VirtioFunction, index: int
) -> None:
    """Random descriptors where a queue has its rings, mostly plausible and mostly offered."""
    if function.driver_features & RING_PACKED:
        scribble_packed(chance, ram, place, function.queues[index % len(function.queues)])
    else:
        scribble_split(chance, ram, place)


def scribble_packed(chance: random.Random, ram: Ram, place: int, state: QueueState) -> None:
    """A few descriptors from the device's position on, each as likely at the end of a chain."""
    at = RAM_BASE + QUEUE_SPACING * place
    for step in range(chance.randrange(SIZE)):
        position = state.next_avail + step
        offered = AVAIL if position // SIZE % 2 == 0 else USED
        if chance.random() < 0.05:
            offered = chance.choice((0, AVAIL, USED, AVAIL | USED))
        flags = chance.choice((0, 0, 1, 1, 2, 3, 4)) if chance.random() < 0.95 else 0xFFFF
        gpa, length = odd_part(chance)
        number = chance.getrandbits(16)
        words = struct.pack("<QIHH", gpa, length, number, flags | offered)
        ram.write(at + 16 * (position % SIZE), words)
    event = chance.choice((0, SIZE - 1, chance.getrandbits(16)))
    ram.write(at + 0x1000, struct.pack("<HH", event, chance.choice((0, 1, 2, 2, 3, 0xFFFF))))


def odd_part(chance: random.Random) -> tuple[int, int]:
    """Address and length of a buffer, now and then an impossible one."""
    gpa = RAM_BASE + chance.randrange(RAM_BYTES)
    if chance.random() < 0.02:
        gpa = odd_number(chance, 64)
    length = chance.choice((0, 1, 16, 160, 4000, 100_000))
    if chance.random() < 0.02:
        length = odd_number(chance, 32) & 0xFFFF_FFFF
    return gpa, length


def scribble_split(chance: random.Random, ram: Ram, place: int) -> None:
    """A whole table of descriptors; an available index that mostly moves on by a few."""
    at = RAM_BASE + QUEUE_SPACING * place
    for index in range(SIZE):
        gpa, length = odd_part(chance)
        flags = chance.choice((0, 0, 1, 1, 2, 3, 4)) if chance.random() < 0.95 else 0xFFFF
        following = chance.randrange(SIZE + (chance.random() < 0.05))
        ram.write(at + 16 * index, struct.pack("<QIHH", gpa, length, flags, following))
        ram.write(at + 0x1004 + 2 * index, struct.pack("<H", chance.randrange(SIZE)))
    (old,) = struct.unpack("<H", ram.read(at + 0x1002, 2))
    new = old + chance.randrange(4) if chance.random() < 0.95 else chance.getrandbits(16)
    ram.write(at + 0x1002, struct.pack("<H", new & 0xFFFF))


if __name__ == "__main__":
    main(case)

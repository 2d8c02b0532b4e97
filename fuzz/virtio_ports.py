"""Fuzz target: the console with many ports, its control messages, and ends that come and go."""

import random
import struct

from fuzz.harness import RAM_BASE, Line, Ram, access, main, odd_number
from fuzz.virtio import QUEUE_SPACING, SIZE, registers, scribble

from hospes.base import wire
from hospes.base.errors import GuestError
from hospes.devices.bus import Bus
from hospes.devices.virtio.mmio import VirtioMmio
from hospes.devices.virtio.ports import VirtioPorts

SLOT = 0x1000_1000
NAMES = ("agent", "terminal", "stream")
QUEUES = 2 * len(NAMES) + 2
ROOM = 70_000


class End:
    """A host's end with a mood, which must be finished once and then left alone."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._input = chance.randbytes(chance.randrange(3000))
        self._room = ROOM
        self.closed = self.finished = False

    @property
    def input_waiting(self) -> int:
        """What is left."""
        return len(self._input)

    @property
    def room(self) -> int:
        """Some, or none."""
        return self._room

    @property
    def ended(self) -> bool:
        """At some time."""
        return self.closed and not self._input

    def take(self, limit: int) -> bytes:
        """As asked."""
        assert not self.finished
        data, self._input = self._input[:limit], self._input[limit:]
        return data

    def put(self, data: bytes) -> int:
        """Never more than there is room."""
        assert not self.finished
        assert len(data) <= self._room
        self._room = self._chance.choice((0, self._room - len(data), ROOM))
        return len(data)

    def finish(self) -> None:
        """Once."""
        assert not self.finished
        self.finished = True

    def change(self) -> None:
        """The client reads, or closes."""
        self._room = ROOM
        self.closed = self.closed or self._chance.random() < 0.3


def case(chance: random.Random) -> None:
    """Drivers that are set up properly and then go wrong, hosts that open and close."""
    bus, ram = Bus(), Ram()
    device = VirtioPorts(ram, NAMES, ("terminal",))
    slot = VirtioMmio(Line(), device)
    bus.map("ports", SLOT, slot)
    ends: list[End] = []
    for _ in range(chance.randrange(1, 4)):
        set_up(chance, bus)
        for _ in range(chance.randrange(1, 40)):
            act(chance, bus, ram, device, ends)
            assert len(device.waiting) < 40
        if chance.random() < 0.3:
            bus.write(SLOT + 0x70, 4, 0)
    fresh = VirtioPorts(ram, NAMES)
    wire.restore(fresh, wire.encode(device))
    assert wire.encode(fresh) == wire.encode(device)
    try:
        VirtioMmio(Line(), fresh).tick()
    except GuestError:
        assert fresh.status & 64
    device.close()
    assert all(end.finished for end in ends)


def act(
    chance: random.Random, bus: Bus, ram: Ram, device: VirtioPorts, ends: list[End]
) -> None:
    """One thing of the guest's and one of the host's."""
    queue = chance.randrange(QUEUES)
    if chance.random() < 0.4:
        say(chance, ram)
        queue = 3
    elif chance.random() < 0.9:
        scribble(chance, ram, queue, device, queue)
    bus.write(SLOT + 0x50, 4, queue)
    if chance.random() < 0.3:
        ends.append(End(chance))
        device.open(chance.randrange(len(NAMES)), ends[-1])
    if chance.random() < 0.1:
        device.resize(1, chance.getrandbits(16), chance.getrandbits(16))
    for end in ends[-3:]:
        end.change()
    if chance.random() < 0.6:
        bus.tick()
    if chance.random() < 0.1:
        access(chance, bus, SLOT, chance.randrange(0x150))


def set_up(chance: random.Random, bus: Bus) -> None:
    """The registers a driver writes, hardly ever wrong."""
    features = 1 << 32 | chance.getrandbits(2) << 28 | 2
    for offset, value in registers(features, 0, QUEUES):
        if chance.random() > 0.001:
            bus.write(SLOT + offset, 4, value)


def say(chance: random.Random, ram: Ram) -> None:
    """Control messages that are nearly right."""
    at = RAM_BASE + QUEUE_SPACING * 3
    (index,) = struct.unpack("<H", ram.read(at + 0x1002, 2))
    for _ in range(chance.randrange(1, 4)):
        head = chance.randrange(SIZE)
        port = chance.randrange(len(NAMES)) if chance.random() < 0.97 else odd_number(chance, 32)
        event = chance.choice((0, 3, 6, 6, chance.randrange(9)))
        message = struct.pack("<IHH", port & 0xFFFF_FFFF, event, chance.randrange(2))
        ram.write(at + 0x3000 + 16 * head, message)
        length = 8 if chance.random() < 0.98 else chance.randrange(12)
        ram.write(at + 16 * head, struct.pack("<QIHH", at + 0x3000 + 16 * head, length, 0, 0))
        ram.write(at + 0x1004 + 2 * (index % SIZE), struct.pack("<H", head))
        index += 1
    ram.write(at + 0x1002, struct.pack("<H", index & 0xFFFF))


if __name__ == "__main__":
    main(case)

"""Fuzz target: the socket device, packets that are nearly right, hosts with moods, few buffers."""

import random
import struct

from fuzz.harness import RAM_BASE, Line, Ram, access, main, odd_number
from fuzz.virtio import QUEUE_SPACING, SIZE, registers, scribble

from hospes.base import wire
from hospes.base.errors import GuestError
from hospes.devices.bus import Bus
from hospes.devices.virtio.function import RING_PACKED, VERSION_1
from hospes.devices.virtio.mmio import VirtioMmio
from hospes.devices.virtio.vsock import STEP_PACKETS, VirtioVsock
from hospes.devices.virtio.vsock_packet import HEADER
from hospes.devices.virtio.vsock_table import CONNECTIONS_MAX, POOL_BYTES, REPLIES_MAX

SLOT = 0x1000_1000
CID = 9
QUEUES = 3
PACKET_PLACE = RAM_BASE + 0x6_0000
PORTS = (1, 2, 3, 22)
OPERATIONS = (1, 1, 1, 2, 3, 4, 5, 5, 5, 5, 6, 7)


class End:
    """A host's end with a mood, which must be left alone once it is closed."""

    def __init__(self, chance: random.Random, packets: bool) -> None:
        self._chance, self._packets = chance, packets
        self._left = chance.choice((0, 10, 5000, 300_000))
        self.closed = self.hung_up = self.over = False

    def connected(self, port: int) -> None:
        """It has called."""
        assert not self.closed

    def take(self, limit: int) -> bytes | None:
        """Some, nothing yet, or the end."""
        assert limit > 0
        assert not self.closed
        mood = self._chance.random()
        if mood < 0.2:
            return None
        if mood < 0.25 or not self._left:
            return b""
        count = self._chance.randrange(1, min(limit, self._left) + 1)
        self._left -= count
        return bytes(count)

    def put(self, data: bytes | bytearray) -> int | None:
        """All, a part or none; of a message all or none."""
        assert data
        assert not self.closed
        assert not self.over
        mood = self._chance.random()
        if mood < 0.03:
            return None
        part = 0 if self._packets else self._chance.randrange(len(data))
        return len(data) if mood < 0.5 else part

    def end_output(self) -> None:
        """After all of it."""
        self.over = True

    def end_input(self) -> None:
        """No more is wanted."""
        self._left = 0

    def close(self) -> None:
        """Once or more."""
        self.closed = True


class Call:
    """What a host wants."""

    def __init__(self, chance: random.Random) -> None:
        self.port, self.packets = chance.choice(PORTS), chance.random() < 0.5
        self.end = End(chance, self.packets)


class Host:
    """Ends that come up now and then, calls, and ports where nobody listens."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self.ends: list[End] = []

    @property
    def waiting(self) -> bool:
        """Now and then."""
        return self._chance.random() < 0.5

    def changed(self) -> list[End]:
        """Any of them, those that are closed as well."""
        count = min(len(self.ends), self._chance.randrange(4))
        return self._chance.sample(self.ends, count)

    def calls(self) -> list[Call]:
        """Hardly ever more than one."""
        calls = [Call(self._chance) for _ in range(self._chance.choice((0, 0, 1, 3)))]
        self.ends += [call.end for call in calls]
        return calls

    def connect(self, port: int, packets: bool) -> End | None:
        """Not on the first port."""
        if port == PORTS[0]:
            return None
        self.ends.append(End(self._chance, packets))
        return self.ends[-1]


def case(chance: random.Random) -> None:
    """Drivers that are set up properly and then go wrong."""
    bus, ram, host = Bus(), Ram(), Host(chance)
    device = VirtioVsock(ram, host, CID)
    bus.map("vsock", SLOT, VirtioMmio(Line(), device))
    for _ in range(chance.randrange(1, 4)):
        set_up(chance, bus)
        for _ in range(chance.randrange(1, 60)):
            act(chance, bus, ram, device)
            if chance.random() < 0.6:
                bus.tick()
            bus.due_in_ns()
            check(device)
        if chance.random() < 0.3:
            bus.write(SLOT + 0x70, 4, 0)
    fresh = VirtioVsock(ram, host, CID)
    wire.restore(fresh, wire.encode(device))
    assert wire.encode(fresh) == wire.encode(device)
    try:
        VirtioMmio(Line(), fresh).tick()
    except GuestError:
        assert fresh.status & 64
    device.close()
    fresh.close()
    assert all(end.closed for end in host.ends)


def check(device: VirtioVsock) -> None:
    """What is held has bounds."""
    table = device._connections
    assert len(table) <= CONNECTIONS_MAX
    assert 0 <= table._pool <= POOL_BYTES
    assert len(table._replies) <= REPLIES_MAX + STEP_PACKETS
    for connection in table._open.values():
        output = connection._output
        assert len(output._held) <= 10 * connection.allowance  # type: ignore[attr-defined]


def act(chance: random.Random, bus: Bus, ram: Ram, device: VirtioVsock) -> None:
    """One thing of the guest's."""
    queue = chance.randrange(QUEUES)
    kind = chance.random()
    if kind < 0.1:
        scribble(chance, ram, queue, device, queue)
    elif kind < 0.6:
        queue = 1
        for _ in range(chance.randrange(1, 4)):
            data = packet(chance)
            ram.write(PACKET_PLACE, data)
            offer(ram, device, queue, PACKET_PLACE, len(data), writable=False)
            bus.write(SLOT + 0x50, 4, queue)
    else:
        queue = chance.choice((0, 0, 0, 2))
        size = chance.choice((4, 45, 200, 4000, 70_000)) if queue == 0 else 8
        offer(ram, device, queue, RAM_BASE + 0x8_0000, size, writable=True)
    bus.write(SLOT + 0x50, 4, queue)
    if chance.random() < 0.03:
        bus.write(SLOT + 0x30, 4, queue)
        bus.write(SLOT + chance.choice((0x44, 0xC0)), 4, chance.randrange(2))
    if chance.random() < 0.05:
        access(chance, bus, SLOT, chance.randrange(0x150))


def packet(chance: random.Random) -> bytes:
    """One that is nearly right."""
    data = bytes(chance.choice((0, 0, 1, 60, 4000, 70_000)))
    fields = [
        CID, 2, chance.choice(PORTS), chance.choice((*PORTS, 1 << 30, (1 << 30) + 1)), len(data),
        chance.choice((1, 1, 2)), chance.choice(OPERATIONS), chance.randrange(4),
        chance.choice((0, 10, 1 << 18)), chance.choice((0, 0, 10, 1000)),
    ]  # fmt: skip
    if chance.random() < 0.1:
        place = chance.randrange(len(fields))
        width = struct.calcsize("<" + "QQIIIHHIII"[place])
        fields[place] = odd_number(chance, 8 * width) & (1 << 8 * width) - 1
    whole = HEADER.pack(*fields) + data
    return whole if chance.random() < 0.97 else whole[: chance.randrange(60)]


def offer(
    ram: Ram, device: VirtioVsock, index: int, gpa: int, length: int, writable: bool
) -> None:
    """One buffer in a split queue; packed ones are left to `scribble`."""
    if device.driver_features & RING_PACKED:
        return
    at = RAM_BASE + QUEUE_SPACING * index
    (before,) = struct.unpack("<H", ram.read(at + 0x1002, 2))
    head = before % SIZE
    ram.write(at + 16 * head, struct.pack("<QIHH", gpa, length, 2 * writable, 0))
    ram.write(at + 0x1004 + 2 * head, struct.pack("<H", head))
    ram.write(at + 0x1002, struct.pack("<H", before + 1 & 0xFFFF))


def set_up(chance: random.Random, bus: Bus) -> None:
    """The registers a driver writes, hardly ever wrong."""
    features = VERSION_1 | chance.getrandbits(2) << 28 | chance.choice((3, 3, 1, 0))
    features |= RING_PACKED if chance.random() < 0.1 else 0
    for offset, value in registers(features, 0, QUEUES):
        if chance.random() > 0.001:
            bus.write(SLOT + offset, 4, value)


if __name__ == "__main__":
    main(case)

"""Fuzz target: virtio network card, all queues of either format, commands, a moody network."""

import random
import struct
from collections.abc import Sequence

from fuzz.harness import RAM_BASE, RAM_BYTES, Line, Ram, access, main, odd_number
from fuzz.virtio import QUEUE_SPACING, SIZE, laid_out, registers, scribble

from hospes.base import wire
from hospes.base.errors import GuestError
from hospes.devices.bus import Bus
from hospes.devices.virtio.function import RING_PACKED, RING_RESET, VERSION_1, VirtioFunction
from hospes.devices.virtio.mmio import VirtioMmio
from hospes.devices.virtio.net import FETCHED_MAX, STEP_FRAMES, VirtioNet
from hospes.devices.virtio.net_control import TABLE_MAX
from hospes.devices.virtio.net_frame import FRAME_BYTES_MAX, FRAME_BYTES_MIN, HEADER
from hospes.devices.virtio.net_steering import FLOWS_MAX
from hospes.devices.virtio.packed import AVAIL, USED

SLOT = 0x1000_1000
MAC = bytes.fromhex("020000000001")
TARGETS = (MAC, b"\xff" * 6, bytes.fromhex("020000000009"), bytes.fromhex("333300000001"))
COMMANDS = ((0, 0), (0, 1), (1, 0), (1, 1), (2, 0), (2, 1), (4, 0), (5, 0))
PAIRS = 2
QUEUES = 2 * PAIRS + 1
CONTROL_PLACE = RAM_BASE + 0x6_0000


class Network:
    """Checks what the guest sends, and has frames of its own, now and then wrong ones."""

    link_up = True

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._left = 0

    @property
    def waiting(self) -> bool:
        """Now and then."""
        return self._left > 0

    def send(self, frames: Sequence[bytes]) -> None:
        """Whole, and with places of checksums that are inside."""
        assert len(frames) <= STEP_FRAMES
        for frame in frames:
            assert FRAME_BYTES_MIN <= len(frame) <= FRAME_BYTES_MAX
            flags, gso, _, size, start, offset, _ = HEADER.unpack_from(frame)
            if flags & 1:
                assert 14 <= start <= start + offset <= len(frame) - HEADER.size - 2
            assert gso == 0 or (gso in (1, 4) and flags & 1 and size)

    def receive(self, limit: int) -> list[bytes]:
        """Some of those that wait."""
        count = min(limit, self._left, self._chance.randrange(1, 20))
        self._left -= count
        return [self._frame() for _ in range(count)]

    def accept(self, offloads: int) -> None:
        """All of Offload there is."""
        assert 0 <= offloads <= 7

    def change(self) -> None:
        """More frames; the cable is pulled or put back."""
        self._left += self._chance.choice((0, 1, 5, 40))
        if self._chance.random() < 0.1:
            self.link_up = not self.link_up

    def _frame(self) -> bytes:
        chance = self._chance
        header = bytes((chance.choice((0, 0, 1, 2)), chance.choice((0, 0, 1, 3, 4, 0x81))))
        kind = chance.choice((b"\x08\0", b"\x86\xdd", b"\x81\0", b"\x08\x06"))
        body = chance.randbytes(64)[: chance.choice((0, 1, 20, 64))]
        frame = header + bytes(10) + chance.choice(TARGETS) + MAC + kind + body
        frame += bytes(chance.choice((0, 0, 1000, 60_000)))
        return frame if chance.random() < 0.98 else frame[: chance.randrange(40)]


def case(chance: random.Random) -> None:
    """Drivers that are set up properly and then go wrong."""
    bus, ram, network = Bus(), Ram(), Network(chance)
    mtu = chance.choice((None, None, 1500))
    device = VirtioNet(ram, network, MAC, pairs=PAIRS, mtu=mtu)
    bus.map("network", SLOT, VirtioMmio(Line(), device))
    for _ in range(chance.randrange(1, 4)):
        set_up(chance, bus, device.own_features)
        for _ in range(chance.randrange(1, 30)):
            act(chance, bus, ram, device)
            network.change()
            if chance.random() < 0.6:
                bus.tick()
            assert len(device.held) <= FETCHED_MAX
            assert len(device.steering.flows) <= FLOWS_MAX
            for table in (device.settings.unicast, device.settings.multicast):
                assert table is None or len(table) <= TABLE_MAX
        if chance.random() < 0.3:
            bus.write(SLOT + 0x70, 4, 0)
    fresh = VirtioNet(ram, network, MAC, pairs=PAIRS, mtu=mtu)
    wire.restore(fresh, wire.encode(device))
    assert wire.encode(fresh) == wire.encode(device)
    try:
        VirtioMmio(Line(), fresh).tick()
    except GuestError:
        assert fresh.status & 64


def act(chance: random.Random, bus: Bus, ram: Ram, device: VirtioNet) -> None:
    """One thing of the guest's."""
    queue = chance.randrange(QUEUES)
    kind = chance.random()
    if kind < 0.3:
        scribble(chance, ram, queue, device, queue)
    elif kind < 0.5 and device._control_queue >= 0:
        queue = device._control_queue
        at = CONTROL_PLACE
        ram.write(at, command(chance))
        offer(ram, device, queue, [(at, chance.choice((2, 3, 4, 8, 10, 30))), (at, 1)], write=1)
    elif kind < 0.8:
        send(chance, ram, device, queue)
    else:
        part = RAM_BASE + chance.randrange(RAM_BYTES - 70_000), chance.choice((60, 1500, 70_000))
        offer(ram, device, queue, [part] * chance.randrange(1, 3), write=0)
    bus.write(SLOT + 0x50, 4, queue)
    if chance.random() < 0.05:
        bus.write(SLOT + 0x30, 4, queue)
        bus.write(SLOT + chance.choice((0x44, 0xC0)), 4, chance.randrange(2))
        for offset, value in laid_out(0, queue):
            bus.write(SLOT + offset, 4, value)
    if chance.random() < 0.1:
        access(chance, bus, SLOT, chance.randrange(0x150))


def send(chance: random.Random, ram: Ram, device: VirtioNet, queue: int) -> None:
    """A frame whose header is nearly right."""
    at = RAM_BASE + 0x8_0000
    size = chance.choice((10, 26, 60, 1514, 60_000, 66_000))
    kinds = chance.choice((0, 1, 1, 2)), chance.choice((0, 0, 1, 4, 3, 0x81))
    header = [*kinds, 54, 1460, 34, 16, 0]
    if chance.random() < 0.4:
        place = chance.randrange(7)
        header[place] = odd_number(chance, 8 if place < 2 else 16) & (0xFF if place < 2 else 0xFFFF)
    ram.write(at, HEADER.pack(*header) + MAC + MAC + chance.choice((b"\x08\0", b"\x86\xdd")))
    cut = chance.randrange(1, size)
    offer(ram, device, queue, [(at, cut), (at + cut, size - cut)], write=2)


def command(chance: random.Random) -> bytes:
    """One that is nearly right."""
    number = bytes(chance.choice(COMMANDS)) if chance.random() < 0.9 else chance.randbytes(2)
    data = chance.choice((bytes(60), b"\1" + bytes(60), b"\2" + bytes(60), chance.randbytes(60)))
    return number + data


def offer(
    ram: Ram, device: VirtioFunction, index: int, parts: list[tuple[int, int]], write: int
) -> None:
    """One request in a queue, of either format; parts from number `write` on are to be written."""
    state, at = device.queues[index], RAM_BASE + QUEUE_SPACING * index
    packed = device.driver_features & RING_PACKED
    (before,) = struct.unpack("<H", ram.read(at + 0x1002, 2))
    for step, (gpa, length) in enumerate(parts):
        flags = 2 * (step >= write) | (step < len(parts) - 1)
        place = state.next_avail + step
        if packed:
            flags |= AVAIL if place // SIZE % 2 == 0 else USED
        words = (gpa, length, 0, flags) if packed else (gpa, length, flags, (step + 1) % SIZE)
        ram.write(at + 16 * (place % SIZE if packed else step), struct.pack("<QIHH", *words))
    if not packed:
        ram.write(at + 0x1004 + 2 * (before % SIZE), bytes(2))
        ram.write(at + 0x1002, struct.pack("<H", before + 1 & 0xFFFF))


def set_up(chance: random.Random, bus: Bus, own: int) -> None:
    """The registers a driver writes, hardly ever wrong; features are mostly all."""
    features = own if chance.random() < 0.6 else own & chance.getrandbits(64)
    features |= VERSION_1 | chance.getrandbits(2) << 28
    features |= chance.choice((0, RING_PACKED)) | chance.choice((0, RING_RESET))
    for offset, value in registers(features, 0, QUEUES):
        if chance.random() > 0.001:
            bus.write(SLOT + offset, 4, value)


if __name__ == "__main__":
    main(case)

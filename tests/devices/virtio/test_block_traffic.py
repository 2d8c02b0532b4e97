"""A disk under random traffic in both ring formats: any order, resets at any moment."""

import random
import struct

import pytest
from tests.devices.virtio.model import ModelPacked, ModelRing, ModelSplit
from tests.devices.virtio.test_block import Later, MemoryDisk

from hospes.devices.virtio.block import VirtioBlock
from hospes.devices.virtio.function import EVENT_IDX, RING_PACKED, RING_RESET, VERSION_1
from hospes.devices.virtio.mmio import VirtioMmio

SIZE, SECTORS, SLOT_BYTES = 8, 64, 0x800
BUFFERS = 0x40000
CANARY = b"\xC3" * 513


class Traffic:
    """One queue; every sector and every buffer has one request at a time."""

    def __init__(self, ram, wire, model: type[ModelRing], chance: random.Random) -> None:
        self.ram, self.chance, self.model = ram, chance, model
        self.disk, self.later = MemoryDisk(), Later()
        self.device = VirtioBlock(ram, self.disk, self.later)
        self.slot = VirtioMmio(wire, self.device)
        self.told = 0
        self.answered = 0
        self.abandoned: set[int] = set()
        self.restart()

    def restart(self) -> None:
        """Reset the device and set it up again."""
        self.slot.write(0x70, 4, 0)
        self.abandon(set(getattr(self, "pending", {})))
        features = VERSION_1 | RING_RESET | self.chance.choice((0, EVENT_IDX))
        features |= self.model.packed * RING_PACKED
        for offset, value in ((0x70, 3), (0x24, 0), (0x20, features & 0xFFFF_FFFF), (0x24, 1),
                              (0x20, features >> 32), (0x70, 11)):  # fmt: skip
            self.slot.write(offset, 4, value)
        self.lay_out(bool(features & EVENT_IDX))
        self.slot.write(0x70, 4, 15)

    def restart_queue(self) -> None:
        """Reset the queue alone."""
        self.slot.write(0x30, 4, 0)
        self.slot.write(0xC0, 4, 1)
        self.abandon(set(self.pending))
        self.lay_out(self.ring.event_index)
        self.slot.write(0x50, 4, 0)

    def lay_out(self, event_index: bool) -> None:
        self.ring = self.model(self.ram, self.ram.base, SIZE, event_index)
        self.pending: dict[int, tuple[int, int, bytes | None]] = {}
        places = (self.ring.desc, self.ring.driver, self.ring.device)
        for offset, at in zip((0x80, 0x90, 0xA0), places, strict=True):
            self.slot.write(offset, 4, at)
            self.slot.write(offset + 4, 4, 0)
        for offset, value in ((0x30, 0), (0x38, SIZE), (0x44, 1)):
            self.slot.write(offset, 4, value)

    def abandon(self, numbers: set[int]) -> None:
        """Nobody writes to the buffers of these from now on; sectors they wrote are as they are."""
        for number in numbers:
            slot = self.pending[number][0]
            self.ram.write(self.buffer(slot), CANARY)
            self.abandoned.add(slot)

    def buffer(self, slot: int) -> int:
        return self.ram.base + BUFFERS + SLOT_BYTES * slot

    def offer(self) -> None:
        chance = self.chance
        busy = {slot for slot, _, _ in self.pending.values()} | self.abandoned
        free = [slot for slot in range(64) if slot not in busy]
        indirect = chance.random() < 0.5
        if not free or self.ring.room() < (1 if indirect else 3):
            return
        slot = chance.choice(free)
        data = chance.randbytes(512) if chance.random() < 0.5 else None
        at = self.buffer(slot)
        self.ram.write(at, CANARY)
        self.ram.write(at + 0x400, struct.pack("<IIQ", data is not None, 0, slot) + (data or b""))
        if data is None:
            parts = [(at + 0x400, 16)], [(at, 300), (at + 300, 213)]
        else:
            parts = [(at + 0x400, 100), (at + 0x464, 428)], [(at + 512, 1)]
        self.pending[self.ring.offer(*parts, indirect)] = (slot, slot, data)
        self.disk.in_memory = chance.random() < 0.3
        if self.ring.kick():
            self.slot.write(0x50, 4, 0)

    def work(self) -> None:
        """The disk does one of its jobs."""
        if self.later.jobs:
            self.later.jobs.pop(self.chance.randrange(len(self.later.jobs)))()

    def collect(self) -> None:
        for number, written in self.ring.collect():
            slot, sector, data = self.pending.pop(number)
            got = self.ram.read(self.buffer(slot), 513)
            there = self.disk.data[512 * sector : 512 * sector + 512]
            assert got[512] == 0
            if data is None:
                assert (written, got[:512]) == (513, there)
            else:
                assert (written, data) == (1, there)
            self.answered += 1

    def check_abandoned(self) -> None:
        """Once nothing is under way any more, their buffers may be used again."""
        for slot in self.abandoned:
            assert self.ram.read(self.buffer(slot), 513) == CANARY
        if not self.device._begun:
            self.abandoned.clear()


@pytest.mark.parametrize("model", [ModelSplit, ModelPacked])
def test_random_traffic_and_resets(ram, wire, model: type[ModelRing]) -> None:
    chance = random.Random(model.__name__)
    traffic = Traffic(ram, wire, model, chance)
    often = (traffic.offer, traffic.work, traffic.slot.tick, traffic.collect)
    rarely = (traffic.restart, traffic.restart_queue, traffic.slot.drain, traffic.check_abandoned)
    for _ in range(6000):
        chance.choice(often if chance.random() < 0.97 else rarely)()
    traffic.slot.tick()
    while traffic.device._begun or traffic.slot.due_in_ns() == 0:
        traffic.slot.drain()
        traffic.slot.tick()
    traffic.collect()
    assert not traffic.pending
    traffic.check_abandoned()
    assert traffic.answered > 400

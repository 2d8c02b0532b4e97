"""Fuzz target: PCI configuration, BARs moved while in use, MSI-X tables, virtio over PCI."""

import random
from itertools import pairwise

from fuzz.harness import RAM_BASE, Line, Ram, access, main, make_stream, odd_number
from fuzz.virtio import QUEUE_SPACING, SIZE, Randomness, scribble

from hospes.base.clock import ManualClock
from hospes.devices.bus import Bus
from hospes.devices.pci.function import BusMaster
from hospes.devices.pci.host import PciHost, Window
from hospes.devices.virtio.console import VirtioConsole
from hospes.devices.virtio.entropy import VirtioEntropy
from hospes.devices.virtio.function import RING_PACKED, VirtioFunction
from hospes.devices.virtio.pci import VirtioPci

ECAM = 0x3000_0000
WINDOWS = (Window("low", 0x4000_0000, 0x100_0000), Window("high", 1 << 34, 1 << 34))
CARDS = 3


class Machine:
    """A bridge with three functions; messages are writes on the same bus, wherever they go."""

    def __init__(self, chance: random.Random) -> None:
        self.chance, self.bus, self.ram, self.clock = chance, Bus(), Ram(), ManualClock()
        self.stream = make_stream(chance, self.clock)
        self.lines = [Line() for _ in range(4)]
        self.host = PciHost(self.bus, self.lines, WINDOWS, self.send)
        self.bus.map("pci", ECAM, self.host)
        self.functions: list[VirtioFunction] = []
        for number in range(CARDS):
            memory = BusMaster(self.ram)
            function = (
                VirtioConsole(memory, self.stream, 80, 25)
                if number % 2
                else VirtioEntropy(memory, Randomness(chance))
            )
            self.functions.append(function)
            self.host.plug(f"card{number}", VirtioPci(function, memory))

    def send(self, address: int, data: int) -> None:
        """To a register, or lost."""
        assert address % 4 == 0
        assert 0 <= data < 1 << 32
        self.bus.write(address, 4, data)

    def config(self, slot: int, offset: int, size: int, value: int) -> None:
        """One write, wrong now and then."""
        if self.chance.random() < 0.02:
            value = odd_number(self.chance, 8 * size) & (1 << 8 * size) - 1
        self.bus.write(ECAM + (slot << 15) + offset, size, value)

    def place(self, slot: int) -> int:
        """Put BARs somewhere, mostly well; returns where the registers ought to be."""
        base = WINDOWS[self.chance.randrange(2)].base + 0x4000 * self.chance.randrange(4)
        for offset, value in ((0x10, base), (0x18, base + 0x10_0000)):
            self.config(slot, offset, 4, value & 0xFFFF_FFFF)
            self.config(slot, offset + 4, 4, value >> 32)
        self.config(slot, 4, 2, self.chance.choice((6, 6, 6, 6, 2, 4, 0, 0x406)))
        return base


def case(chance: random.Random) -> None:
    """Drivers that are set up properly and then go wrong, or lose their BARs."""
    machine = Machine(chance)
    for _ in range(chance.randrange(1, 6)):
        slot = chance.randrange(1, CARDS + 1)
        base = machine.place(slot)
        set_up(machine, slot, base)
        for _ in range(chance.randrange(1, 30)):
            step(machine, slot, base)
        check(machine)


def set_up(machine: Machine, slot: int, base: int) -> None:
    """MSI-X and the registers a driver writes; now and then one is left out or wrong."""
    chance = machine.chance
    control = machine.host.functions[slot]._msix_at + 2
    machine.config(slot, control, 2, chance.choice((0x8000, 0x8000, 0xC000, 0)))
    features = 1 << 32 | chance.getrandbits(2) << 28 | chance.getrandbits(1) << 40
    features |= chance.choice((0, RING_PACKED))
    writes = [(0x14, 1, 0), (0x14, 1, 3), (0x08, 4, 0), (0x0C, 4, features & 0xFFFF_FFFF)]
    writes += [(0x08, 4, 1), (0x0C, 4, features >> 32), (0x14, 1, 11), (0x10, 2, 0)]
    for queue in range(2):
        at = RAM_BASE + QUEUE_SPACING * queue
        writes += [(0x16, 2, queue), (0x18, 2, SIZE), (0x1A, 2, chance.randrange(4))]
        writes += [(0x20, 8, at), (0x28, 8, at + 0x1000), (0x30, 8, at + 0x2000), (0x1C, 2, 1)]
    for offset, size, value in [*writes, (0x14, 1, 15)]:
        if chance.random() > 0.005:
            machine.bus.write(base + offset, size, value)
    for vector in range(3):
        target = chance.choice((0x2800_0000, base + 0x3000, base + 0x14, base + 0x10_0000, ECAM))
        entry = base + 0x10_0000 + 16 * vector
        machine.bus.write(entry, 8, target)
        machine.bus.write(entry + 8, 8, chance.getrandbits(4) | (chance.random() < 0.2) << 32)


def step(machine: Machine, slot: int, base: int) -> None:
    """Work for the device, and something that disturbs."""
    chance, bus = machine.chance, machine.bus
    queue, function = chance.randrange(2), machine.functions[slot - 1]
    scribble(chance, machine.ram, queue, function, queue)
    bus.write(base + 0x3000 + 4 * chance.randrange(3), chance.choice((1, 2, 4)), 0)
    kind = chance.randrange(8)
    if kind == 0:
        machine.place(chance.randrange(1, CARDS + 1))
    elif kind == 1:
        access(chance, bus, ECAM, chance.randrange(5) << 15 | chance.randrange(0x110))
    elif kind == 2:
        access(chance, bus, base, chance.randrange(0x40))
    elif kind == 3:
        access(chance, bus, base + 0x10_0000, chance.choice((0, 0x800)) + chance.randrange(0x40))
    elif kind == 4:
        peep(machine, slot)
    elif kind == 5:
        machine.stream.receive(chance.randbytes(chance.randrange(3000)))
        machine.clock.advance(chance.randrange(3_000_000))
        bus.tick()


def peep(machine: Machine, slot: int) -> None:
    """The capability through which configuration space reaches registers."""
    at = machine.host.functions[slot]._peephole_at
    chance = machine.chance
    machine.config(slot, at + 4, 1, chance.choice((0, 0, 2, 5)))
    machine.config(slot, at + 8, 4, chance.choice((0, 0x14, 0x16, 0x20, 0x3000, 0x4000)))
    machine.config(slot, at + 12, 4, chance.choice((1, 2, 4, 4, 8)))
    access(chance, machine.bus, ECAM + (slot << 15), at + 16)


def check(machine: Machine) -> None:
    """No two devices at one place, none outside the windows; lines as the functions want them."""
    spans = []
    for mapping in machine.bus.mappings:
        if "-bar" in mapping.name and mapping.placed:
            assert any(w.base <= mapping.base < w.base + w.size for w in WINDOWS), mapping
            spans.append((mapping.base, mapping.base + mapping.size))
    spans.sort()
    assert all(end <= start for (_, end), (start, _) in pairwise(spans))
    for number, line in enumerate(machine.lines):
        wanted = [f.line for slot, f in machine.host.functions.items() if slot % 4 == number]
        assert line.level == any(wanted)


if __name__ == "__main__":
    main(case)

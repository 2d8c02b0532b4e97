"""A bus with a host bridge, and a function to plug in."""

import pytest

from hospes.devices.bus import Bus
from hospes.devices.device import Device, Reg
from hospes.devices.pci.config import Identity, Layout
from hospes.devices.pci.function import Bar, BusMaster, PciFunction
from hospes.devices.pci.host import PciHost, Window
from hospes.devices.pci.msix import Msix

ECAM = 0x3000_0000
LOW = Window("pci-mmio", 0x4000_0000, 0x4000_0000)
HIGH = Window("pci-high", 0x4_0000_0000, 0x4_0000_0000)
PORTS = Window("pci-ports", 0x300_0000, 0x1_0000, ports=True)
IDENTITY = Identity(0x1234, 0x5678, 9, 0x01_0203, 0xABCD, 0xEF01)


class Registers(Device):
    """Two cells."""

    compatible, size = "hospes,cells", 0x2000
    cell, far = Reg(0x0), Reg(0x1FFC)


class Card(PciFunction):
    """A BAR of each kind, the wide one with registers, and MSI-X."""

    def __init__(self, ram, vectors: int = 4) -> None:
        self.cells = Registers()
        self.vectors = Msix(vectors, self.send)
        self.memory = BusMaster(ram)
        bars = [Bar(0, self.cells), Bar(2, Registers(), wide=False, prefetchable=True)]
        super().__init__(Layout(IDENTITY), bars, self.memory, Bar(4, self.vectors, wide=False))


class Root:
    """The bus, the bridge, and what leaves it."""

    def __init__(self, lines) -> None:
        self.lines, self.messages, self.bus = lines, [], Bus()
        self.host = PciHost(self.bus, lines, [PORTS, LOW, HIGH], self.arrive)
        self.bus.map("pci", ECAM, self.host)

    def arrive(self, address: int, data: int) -> None:
        self.messages.append((address, data))

    def config(self, slot: int, offset: int, value: int | None = None, size: int = 4) -> int:
        gpa = ECAM + (slot << 15) + offset
        if value is None:
            got = self.bus.read(gpa, size)
            assert got is not None
            return got
        assert self.bus.write(gpa, size, value)
        return 0

    def capability(self, slot: int, kind: int, number: int = 0) -> int:
        """Offset of the capability of a kind, the number-th from 0."""
        at = self.config(slot, 0x34, size=1)
        found = []
        while at:
            if self.config(slot, at, size=1) == kind:
                found.append(at)
            at = self.config(slot, at + 1, size=1)
        return found[number]


@pytest.fixture
def root() -> Root:
    from tests.devices.conftest import Wire

    return Root([Wire() for _ in range(4)])


@pytest.fixture
def card(ram) -> Card:
    return Card(ram)


@pytest.fixture
def plugged(root: Root, card: Card) -> Root:
    assert root.host.plug("card", card) == 1
    return root

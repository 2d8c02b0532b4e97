"""The table of devices: nothing twice, and a new line is all that a device takes."""

from dataclasses import replace

import pytest
from tests.machine.boards.test_pci import Disk, identities, make

from hospes.devices.device import Device, Reg
from hospes.devices.virtio.entropy import VirtioEntropy
from hospes.firmware import fdt
from hospes.machine.boards import catalogue
from hospes.machine.boards.catalogue import CATALOGUE, Registers, Virtio
from hospes.machine.boards.pci import FIRST_SOURCE
from hospes.machine.boards.virt import VIRTIO_SLOTS


class Lamp(Device):
    """Interrupts while it is on."""

    compatible, size, node = "hospes,lamp", 0x100, "led"
    also_compatible, properties = ("hospes,light",), {"hospes,colour": "red", "hospes,watts": 5}
    switch = Reg(0x0)

    def __init__(self, irq) -> None:
        super().__init__()
        self.irq = irq

    def write_switch(self, value: int) -> None:
        self.irq.set(bool(value & 1))


def add(monkeypatch: pytest.MonkeyPatch, *lines: catalogue.Line) -> None:
    monkeypatch.setattr(catalogue, "CATALOGUE", (*CATALOGUE, *lines))


def test_names_addresses_and_sources_are_each_used_once() -> None:
    registers = [line for line in CATALOGUE if isinstance(line, Registers)]
    sources = [line.source for line in registers if line.source]
    sources += [source for _, source in VIRTIO_SLOTS]
    sources += [FIRST_SOURCE + n for n in range(4)]
    for column in ([line.name for line in CATALOGUE], [r.base for r in registers], sources):
        assert len(set(column)) == len(column)


def test_a_line_places_wires_and_describes_a_device(monkeypatch: pytest.MonkeyPatch) -> None:
    add(monkeypatch, Registers("lamp", 0x1010_0000, lambda fit: Lamp(fit.irq), source=36))
    board = make([])
    board.bus.write(0x1010_0000, 4, 1)
    assert board.interrupts.aplic.levels == 1 << 36
    assert board.parts["lamp"].compatible == "hospes,lamp"
    node = fdt.read(board.fdt).find("soc/led@10100000")
    assert node.properties["compatible"] == b"hospes,lamp\0hospes,light\0"
    assert node.cells("reg") == [0, 0x1010_0000, 0, 0x100]
    assert node.cells("interrupts") == [36, 4]
    assert (node.text("hospes,colour"), node.cells("hospes,watts")) == ("red", [5])


def test_a_line_plugs_a_virtio_function_in(monkeypatch: pytest.MonkeyPatch) -> None:
    line = Virtio("more", lambda fit: VirtioEntropy(fit.memory, fit.outside.entropy))
    add(monkeypatch, line, replace(line, name="slot", bus=catalogue.VirtioBus.MMIO))
    board = make([Disk("disk0")])
    assert identities(board) == [0x1044, 0x1043, 0x1044, 0x1042]
    assert board.bus.read(0x1000_1008, 4) == 4


def test_a_line_holds_for_some_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    def large(spec) -> bool:
        return spec.memory_bytes > 1 << 30

    add(monkeypatch, Registers("lamp", 0x1010_0000, lambda fit: Lamp(fit.irq), wanted=large))
    assert make([]).bus.read(0x1010_0000, 4) is None
    assert make([], memory=2 << 30).bus.read(0x1010_0000, 4) == 0


def test_without_functions_for_it_there_is_no_pci(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = tuple(line for line in CATALOGUE if isinstance(line, Registers))
    monkeypatch.setattr(catalogue, "CATALOGUE", plain)
    board = make([Disk("disk0", catalogue.VirtioBus.MMIO)])
    assert board.bus.read(0x3000_0000, 4) is None
    assert not [node for node in fdt.read(board.fdt).find("soc").children if "pci" in node.name]

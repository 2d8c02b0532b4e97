"""PCI Express on the `virt` board: where its windows are, and its node in the device tree."""

from collections.abc import Sequence
from typing import Final

from hospes.devices.bus import Bus
from hospes.devices.pci.host import ECAM_BYTES, LINES, PciHost, Window
from hospes.firmware.fdt import Node, wide
from hospes.firmware.placement import RAM_BASE
from hospes.machine.boards.interrupts import Description, Interrupts

ECAM_GPA: Final = 0x3000_0000
PORTS: Final = Window("pci-ports", 0x300_0000, 0x1_0000, ports=True)
LOW: Final = Window("pci-mmio", 0x4000_0000, 0x4000_0000)
HIGH_BYTES: Final = 16 << 30
FIRST_SOURCE: Final = 32
BUSES: Final = ECAM_BYTES >> 20

_PORTS_SPACE, _MEMORY_SPACE, _WIDE_MEMORY_SPACE = 0x100_0000, 0x200_0000, 0x300_0000
_SLOT_SHIFT: Final = 11
_PINS: Final = 4


def make_host(bus: Bus, interrupts: Interrupts, memory_bytes: int) -> PciHost:
    """A bridge on the bus, without functions."""
    lines = [interrupts.line(FIRST_SOURCE + number) for number in range(LINES)]
    send = interrupts.send_message or _lose
    host = PciHost(bus, lines, (PORTS, LOW, high_window(memory_bytes)), send)
    bus.map("pci", ECAM_GPA, host)
    return host


def high_window(memory_bytes: int) -> Window:
    """Above RAM, where QEMU has it: at the next multiple of its size."""
    ram_end = RAM_BASE + memory_bytes
    return Window("pci-high", ram_end + -ram_end % HIGH_BYTES, HIGH_BYTES)


def add_node(soc: Node, memory_bytes: int, interrupts: Description) -> None:
    """The bridge as the binding `pci-host-ecam-generic` has it (IEEE 1275 PCI bus binding)."""
    node = soc.add(f"pci@{ECAM_GPA:x}").set("compatible", PciHost.compatible)
    node.set("reg", *wide(ECAM_GPA), *wide(ECAM_BYTES)).set("device_type", "pci")
    node.set("#address-cells", 3).set("#size-cells", 2).set("#interrupt-cells", 1)
    node.set("bus-range", 0, BUSES - 1).set("linux,pci-domain", 0).set("dma-coherent")
    high = high_window(memory_bytes)
    node.set(
        "ranges",
        *_range(_PORTS_SPACE, PORTS, at=0),
        *_range(_MEMORY_SPACE, LOW, at=LOW.base),
        *_range(_WIDE_MEMORY_SPACE, high, at=high.base),
    )
    if interrupts.message_parent:
        node.set("msi-parent", interrupts.message_parent)
    slots = [cells for slot in range(LINES) for cells in _map_slot(slot, interrupts)]
    node.set("interrupt-map", *slots)
    node.set("interrupt-map-mask", LINES - 1 << _SLOT_SHIFT, 0, 0, 7)


def _range(space: int, window: Window, at: int) -> Sequence[int]:
    """Addresses on the bus, for us, and how many."""
    return (space, *wide(at), *wide(window.base), *wide(window.size))


def _map_slot(slot: int, interrupts: Description) -> Sequence[int]:
    """The sources of a slot's pins; every fourth slot has the same."""
    cells: list[int] = []
    for pin in range(1, _PINS + 1):
        source = FIRST_SOURCE + (slot + pin - 1) % LINES
        cells += [slot << _SLOT_SHIFT, 0, 0, pin, interrupts.parent]
        cells += interrupts.specifier(source)
    return cells


def _lose(address: int, data: int) -> None:
    """Where a message goes without a controller for messages."""

"""A board's interrupt controller: the PLIC, or AIA's APLIC with the harts' IMSIC behind it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from hospes.devices.bus import Bus
from hospes.devices.irq import aplic, plic
from hospes.devices.irq.aplic import Aplic
from hospes.devices.irq.imsic import FILE_BYTES, Imsic
from hospes.devices.irq.line import MEIP, SEIP, HartLines, Irq, MessagePort, SendMessage
from hospes.devices.irq.plic import Plic
from hospes.firmware.fdt import Node, wide
from hospes.isa.riscv.interrupt_file import IDENTITIES
from hospes.spec.vm import InterruptKind

PLIC_GPA: Final = 0xC00_0000
APLIC_GPA: Final = 0xD00_0000
IMSIC_GPA: Final = 0x2800_0000
HIGH_LEVEL: Final = 4
"""The second cell of an interrupt specifier: active when high."""


@dataclass(frozen=True)
class Description:
    """What the device tree says of a controller, for nodes that refer to it.

    `cells` follow a source's number in an interrupt specifier. `parent` is the phandle of what has
    sources; `message_parent` that of what takes message-signalled interrupts, 0 if nothing does.
    `extensions` are what harts have because of it.
    """

    parent: int
    message_parent: int = 0
    cells: tuple[int, ...] = ()
    extensions: tuple[str, ...] = ()
    add_nodes: Callable[[Node], None] = lambda soc: None

    def specifier(self, source: int) -> tuple[int, ...]:
        """The cells of `interrupts` for a source."""
        return (source, *self.cells)


class Interrupts(Protocol):
    """How devices interrupt: by a line, or by `send_message` where there is one."""

    send_message: SendMessage | None

    def line(self, source: int) -> Irq:
        """The line of a source."""
        ...

    def place(self, bus: Bus) -> None:
        """Put the controller's registers on the bus."""
        ...

    def describe(self, first_phandle: int) -> Description:
        """For the device tree; phandles from the first one on, at most two, are the controller's.

        Hart n's own interrupt controller has phandle n + 1.
        """
        ...


def make(
    kind: InterruptKind, bus: Bus, lines: Sequence[HartLines], ports: Sequence[MessagePort]
) -> Interrupts:
    """The controller of a kind, for harts with these lines and interrupt files."""
    if kind is InterruptKind.AIA:
        return AiaInterrupts(bus, ports)
    return PlicInterrupts(lines)


class PlicInterrupts:
    """Level-triggered lines to a PLIC; no messages."""

    send_message: SendMessage | None = None

    def __init__(self, lines: Sequence[HartLines]) -> None:
        self.plic = Plic(lines)
        self.line = self.plic.line
        self._harts = len(lines)

    def place(self, bus: Bus) -> None:
        """At QEMU's address."""
        bus.map("plic", PLIC_GPA, self.plic)

    def describe(self, first_phandle: int) -> Description:
        """One node."""

        def add_nodes(soc: Node) -> None:
            node = _node(soc, "plic", PLIC_GPA, Plic.size, first_phandle)
            node.set("compatible", "sifive,plic-1.0.0", "riscv,plic0")
            node.set("#interrupt-cells", 1).set("riscv,ndev", plic.SOURCES - 1)
            numbers = [bit.bit_length() - 1 for bit in (MEIP, SEIP)]
            cells = [cell for hart in range(self._harts) for n in numbers for cell in (hart + 1, n)]
            node.set("interrupts-extended", *cells)

        return Description(first_phandle, add_nodes=add_nodes)


class AiaInterrupts:
    """Lines that the APLIC turns into messages, and messages to the IMSIC."""

    def __init__(self, bus: Bus, ports: Sequence[MessagePort]) -> None:
        self._bus = bus
        self.send_message: SendMessage | None = self._send
        self.imsic = Imsic(ports)
        self.aplic = Aplic(IMSIC_GPA, self._send)
        self.line = self.aplic.line
        self._harts = len(ports)
        self._imsic_bytes = len(ports) * FILE_BYTES

    def place(self, bus: Bus) -> None:
        """At QEMU's addresses of the supervisor's APLIC and IMSIC."""
        bus.map("aplic", APLIC_GPA, self.aplic)
        bus.map("imsic", IMSIC_GPA, self.imsic, self._imsic_bytes)

    def describe(self, first_phandle: int) -> Description:
        """The APLIC first, then the IMSIC."""
        message_parent = first_phandle + 1

        def add_nodes(soc: Node) -> None:
            files = _node(soc, "imsics", IMSIC_GPA, self._imsic_bytes, message_parent)
            files.set("compatible", Imsic.compatible).set("#interrupt-cells", 0)
            files.set("msi-controller").set("#msi-cells", 0)
            number = SEIP.bit_length() - 1
            cells = [cell for hart in range(self._harts) for cell in (hart + 1, number)]
            files.set("interrupts-extended", *cells).set("riscv,num-ids", IDENTITIES)
            lines = _node(soc, "aplic", APLIC_GPA, Aplic.size, first_phandle)
            lines.set("compatible", Aplic.compatible).set("#interrupt-cells", 2)
            lines.set("msi-parent", message_parent).set("riscv,num-sources", aplic.SOURCES)

        return Description(first_phandle, message_parent, (HIGH_LEVEL,), ("ssaia",), add_nodes)

    def _send(self, address: int, data: int) -> None:
        """A write to the IMSIC. Elsewhere a message is lost: it must not set off other devices."""
        if 0 <= address - IMSIC_GPA < self._imsic_bytes:
            self._bus.write(address, 4, data & 0xFFFF_FFFF)


def _node(soc: Node, name: str, base: int, size: int, phandle: int) -> Node:
    node = soc.add(f"{name}@{base:x}").set("reg", *wide(base), *wide(size))
    return node.set("interrupt-controller").set("#address-cells", 0).set("phandle", phandle)

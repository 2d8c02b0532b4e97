"""A host bridge for PCI Express: configuration by ECAM (PCI Express 5.0, 7.2.2), one root bus."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from hospes.devices.bus import Bus, Mapping
from hospes.devices.device import Device
from hospes.devices.irq.line import Irq
from hospes.devices.pci.config import SPACE_BYTES
from hospes.devices.pci.function import Bar, PciFunction

ECAM_BYTES: Final = 256 << 20
SLOTS: Final = 32
FUNCTIONS: Final = 8
LINES: Final = 4


@dataclass(frozen=True)
class Window:
    """Addresses that the bridge passes on to its bus, as memory or as I/O ports."""

    name: str
    base: int
    size: int
    ports: bool = False

    def holds(self, base: int, size: int) -> bool:
        """Whether a range of memory is wholly inside."""
        inside = self.base <= base and base + size <= self.base + self.size
        return inside and not self.ports


class Nothing(Device):
    """What a window is where no function answers: reads are all ones, writes have no effect."""

    compatible = "pci-window"

    def read(self, offset: int, size: int) -> int:
        """All ones, as a master abort gives."""
        return (1 << 8 * size) - 1

    def write(self, offset: int, size: int, value: int) -> None:
        """Nobody listens."""


class PciHost(Device):
    """The registers are the functions' configuration spaces, 4 KiB each.

    Functions sit in slots from 1 on. BARs are followed wherever the guest puts them inside the
    memory windows; of two that overlap, the one of the lower slot answers.
    """

    compatible, size = "pci-host-ecam-generic", ECAM_BYTES

    def __init__(
        self,
        bus: Bus,
        lines: Sequence[Irq],
        windows: Sequence[Window],
        send_msi: Callable[[int, int], None],
    ) -> None:
        """`lines` are the four that INTx goes to; a message is `send_msi(address, data)`."""
        super().__init__()
        self._bus, self._lines, self._windows, self._send_msi = bus, lines, windows, send_msi
        self.functions: dict[int, PciFunction] = {}
        self._regions: dict[int, list[tuple[Bar, Mapping]]] = {}
        self._sending = False
        for window in windows:
            bus.map(window.name, window.base, Nothing(), window.size, behind=True)

    def plug(self, name: str, function: PciFunction) -> int:
        """Put a function into the first free slot and return that; ValueError if there is none."""
        slot = len(self.functions) + 1
        if slot >= SLOTS:
            raise ValueError(f"{name} finds no free PCI slot")
        self.functions[slot] = function
        self._regions[slot] = [
            (bar, self._bus.attach(f"{name}-bar{bar.index}", bar.device)) for bar in function.bars
        ]
        function.upstream = _Slot(self, slot)
        return slot

    def read(self, offset: int, size: int) -> int:
        """Configuration; an absent function reads as all ones."""
        function = self._function(offset)
        if function is None:
            return (1 << 8 * size) - 1
        return function.read_config(offset % SPACE_BYTES, size)

    def write(self, offset: int, size: int, value: int) -> None:
        """Configuration; absent functions ignore it."""
        function = self._function(offset)
        if function is not None:
            function.write_config(offset % SPACE_BYTES, size, value)

    def decode(self) -> None:
        """Let the BARs answer where the guest has put them."""
        wanted: list[tuple[Mapping, int]] = []
        for slot, function in self.functions.items():
            bases = {bar.index: base for bar, base in function.placed}
            for bar, mapping in self._regions[slot]:
                base = bases.get(bar.index)
                if base is not None and self._is_free(base, mapping.size, wanted):
                    wanted.append((mapping, base))
        places = {id(mapping): base for mapping, base in wanted}
        regions = [mapping for region in self._regions.values() for _, mapping in region]
        moved = [m for m in regions if places.get(id(m)) != (m.base if m.placed else None)]
        for mapping in moved:
            self._bus.displace(mapping)
        for mapping in moved:
            if id(mapping) in places:
                self._bus.place(mapping, places[id(mapping)])

    def interrupt(self, slot: int) -> None:
        """Drive the line of a slot, which it shares with every fourth (swizzled as bridges do)."""
        line = slot % LINES
        shared = (f for n, f in self.functions.items() if n % LINES == line)
        self._lines[line].set(any(function.line for function in shared))

    def send(self, address: int, data: int) -> None:
        """A message; one whose arrival causes another one would go round for ever."""
        if self._sending:
            return
        self._sending = True
        try:
            self._send_msi(address, data)
        finally:
            self._sending = False

    def _function(self, offset: int) -> PciFunction | None:
        """The one addressed by bus, slot and function number: all are on bus 0 with number 0."""
        slot, number = divmod(offset // SPACE_BYTES, FUNCTIONS)
        return None if number else self.functions.get(slot)

    def _is_free(self, base: int, size: int, taken: Sequence[tuple[Mapping, int]]) -> bool:
        inside = any(window.holds(base, size) for window in self._windows)
        clear = all(base + size <= at or at + other.size <= base for other, at in taken)
        return inside and clear


class _Slot:
    """The bridge as one function sees it."""

    def __init__(self, host: PciHost, slot: int) -> None:
        self._host, self._slot = host, slot
        self.decode, self.send = host.decode, host.send

    def interrupt(self) -> None:
        self._host.interrupt(self._slot)

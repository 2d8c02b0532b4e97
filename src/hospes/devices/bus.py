"""The bus: which device answers at a guest physical address, and the guard around each of them."""

from dataclasses import dataclass
from typing import Final

from hospes.base.errors import GuestError
from hospes.devices.device import Device

PAGE_SHIFT: Final = 12
PAGE_BYTES: Final = 1 << PAGE_SHIFT
PAGES_REMEMBERED: Final = 1024



@dataclass(slots=True, eq=False)
class Mapping:
    """A device, its place while it is `placed`, and the counts of what the guest did there."""

    name: str
    base: int
    size: int
    device: Device
    placed: bool = True
    behind: bool = False
    reads: int = 0
    writes: int = 0
    guest_errors: int = 0

    def covers(self, first: int, last: int) -> bool:
        """Whether it has any of the pages from first to last."""
        end = self.base + self.size - 1
        return self.placed and self.base >> PAGE_SHIFT <= last and first <= end >> PAGE_SHIFT


class Bus:
    """Guest physical address ranges → devices; a page belongs to one device at most.

    Only with one that is `behind` may a page be shared: it answers where no other device does. An
    access to no device is answered by None or False, for the caller to raise an access fault. A
    GuestError of a device is counted and logged here; the access then reads zero or does nothing.
    """

    def __init__(self) -> None:
        self.mappings: list[Mapping] = []
        self._ticking: list[Mapping] = []
        self._pages: dict[int, Mapping | None] = {}

    def map(
        self, name: str, base: int, device: Device, size: int = 0, *, behind: bool = False
    ) -> Mapping:
        """Put a device at gpa base; size defaults to the device's own."""
        mapping = Mapping(name, base, size or device.size, device, False, behind)
        self.place(mapping, base)
        self._add(mapping)
        return mapping

    def attach(self, name: str, device: Device) -> Mapping:
        """Let a device take part without a place: it is ticked and guarded as the others."""
        mapping = Mapping(name, 0, device.size, device, placed=False)
        self._add(mapping)
        return mapping

    def place(self, mapping: Mapping, base: int) -> None:
        """Put a device at gpa base, wherever it was before; at any time."""
        if base % PAGE_BYTES:
            raise ValueError(f"{mapping.name} at {base:#x} is not on a page boundary")
        first, last = base >> PAGE_SHIFT, (base + mapping.size - 1) >> PAGE_SHIFT
        for other in self.mappings:
            alike = other.behind == mapping.behind and other is not mapping
            if alike and other.covers(first, last):
                raise ValueError(f"{mapping.name} at {base:#x} overlaps {other.name}")
        mapping.base, mapping.placed = base, True
        self._pages.clear()

    def displace(self, mapping: Mapping) -> None:
        """Take a device's place away; it still takes part."""
        mapping.placed = False
        self._pages.clear()

    def read(self, gpa: int, size: int) -> int | None:
        """What the guest reads (size 1, 2, 4 or 8 bytes); None when no device is there."""
        try:
            mapping = self._pages[gpa >> PAGE_SHIFT]
        except KeyError:
            mapping = self._look_up(gpa >> PAGE_SHIFT)
        if mapping is None:
            return None
        offset = gpa - mapping.base
        if offset + size > mapping.size:
            return None
        mapping.reads += 1
        try:
            return mapping.device.read(offset, size)
        except GuestError as error:
            self._refuse(mapping, error)
            return 0

    def write(self, gpa: int, size: int, value: int) -> bool:
        """The guest writes size bytes; False when no device is there."""
        try:
            mapping = self._pages[gpa >> PAGE_SHIFT]
        except KeyError:
            mapping = self._look_up(gpa >> PAGE_SHIFT)
        if mapping is None:
            return False
        offset = gpa - mapping.base
        if offset + size > mapping.size:
            return False
        mapping.writes += 1
        try:
            mapping.device.write(offset, size, value)
        except GuestError as error:
            self._refuse(mapping, error)
        return True

    def tick(self) -> None:
        """Let every device do what has become due."""
        for mapping in self._ticking:
            try:
                mapping.device.tick()
            except GuestError as error:
                self._refuse(mapping, error)

    def drain(self) -> None:
        """Before a pause: return when nothing goes on beside the machine's thread any more."""
        for mapping in self._ticking:
            try:
                mapping.device.drain()
            except GuestError as error:
                self._refuse(mapping, error)

    def due_in_ns(self) -> int | None:
        """Nanoseconds until `tick` has something to do (0: now); None if nothing is planned."""
        delays = (mapping.device.due_in_ns() for mapping in self._ticking)
        return min((delay for delay in delays if delay is not None), default=None)

    def exits(self) -> dict[str, int]:
        """Accesses so far by device name, those with none left out."""
        counts = {mapping.name: mapping.reads + mapping.writes for mapping in self.mappings}
        return {name: count for name, count in counts.items() if count}

    def _add(self, mapping: Mapping) -> None:
        """Those of the devices that do nothing as time passes are not asked again and again."""
        self.mappings.append(mapping)
        kind = type(mapping.device)
        if kind.tick is not Device.tick or kind.due_in_ns is not Device.due_in_ns:
            self._ticking.append(mapping)

    def _look_up(self, page: int) -> Mapping | None:
        """The mapping of a page, remembered while no device moves."""
        if len(self._pages) >= PAGES_REMEMBERED:
            self._pages.clear()
        there = [mapping for mapping in self.mappings if mapping.covers(page, page)]
        found = min(there, key=lambda mapping: mapping.behind, default=None)
        self._pages[page] = found
        return found

    def _refuse(self, mapping: Mapping, error: GuestError) -> None:
        """Count a GuestError; the first few and then every power of two are logged."""
        mapping.guest_errors += 1
        count = mapping.guest_errors
        if count <= 4 or count & (count - 1) == 0:
            import logging  # Here, for most guests never need it.

            logging.getLogger(__name__).info("%s: %s (%d so far)", mapping.name, error, count)

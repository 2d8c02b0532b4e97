"""The bus: which device answers at a guest physical address, and the guard around each of them."""

import logging
from dataclasses import dataclass
from typing import Final

from hospes.base.errors import GuestError
from hospes.devices.device import Device

PAGE_SHIFT: Final = 12
PAGE_BYTES: Final = 1 << PAGE_SHIFT

_log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class Mapping:
    """A device at its place, with the counts of what the guest did there."""

    name: str
    base: int
    size: int
    device: Device
    reads: int = 0
    writes: int = 0
    guest_errors: int = 0


class Bus:
    """Guest physical address ranges → devices; a page belongs to one device at most.

    An access to no device is answered by None or False, for the caller to raise an access fault. A
    GuestError of a device is counted and logged here; the access then reads zero or does nothing.
    """

    def __init__(self) -> None:
        self.mappings: list[Mapping] = []
        self._ticking: list[Mapping] = []
        self._pages: dict[int, Mapping] = {}

    def map(self, name: str, base: int, device: Device, size: int = 0) -> None:
        """Put a device at gpa base; size defaults to the device's own."""
        size = size or device.size
        first, last = base >> PAGE_SHIFT, (base + size - 1) >> PAGE_SHIFT
        if base % PAGE_BYTES:
            raise ValueError(f"{name} at {base:#x} is not on a page boundary")
        taken = [page for page in range(first, last + 1) if page in self._pages]
        if taken:
            raise ValueError(f"{name} at {base:#x} overlaps {self._pages[taken[0]].name}")
        mapping = Mapping(name, base, size, device)
        self._add(mapping)
        self._pages.update(dict.fromkeys(range(first, last + 1), mapping))

    def attach(self, name: str, device: Device) -> None:
        """Let a device take part that has no registers: it is ticked and guarded as the others."""
        self._add(Mapping(name, 0, 0, device))

    def read(self, gpa: int, size: int) -> int | None:
        """What the guest reads (size 1, 2, 4 or 8 bytes); None when no device is there."""
        mapping = self._pages.get(gpa >> PAGE_SHIFT)
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
        mapping = self._pages.get(gpa >> PAGE_SHIFT)
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
        self.mappings.append(mapping)
        # Most devices never have anything to do by themselves, and all are asked often.
        kind = type(mapping.device)
        if kind.tick is not Device.tick or kind.due_in_ns is not Device.due_in_ns:
            self._ticking.append(mapping)

    def _refuse(self, mapping: Mapping, error: GuestError) -> None:
        """Count a GuestError; the first few and then every power of two are logged."""
        mapping.guest_errors += 1
        count = mapping.guest_errors
        if count <= 4 or count & (count - 1) == 0:
            _log.info("%s: %s (%d so far)", mapping.name, error, count)

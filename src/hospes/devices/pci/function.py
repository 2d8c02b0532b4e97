"""A PCI function: configuration space with what hangs on it, base addresses and interrupts."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final, Protocol

from hospes.base.errors import GuestError
from hospes.devices.backends import DiscardableMemory
from hospes.devices.device import Device
from hospes.devices.pci import msix
from hospes.devices.pci.config import (
    BAR_PREFETCHABLE,
    BAR_WIDE,
    BARS,
    BUS_MASTER,
    INTERRUPT_PIN,
    INTX_DISABLE,
    INTX_STATUS,
    MEMORY_ENABLE,
    STATUS,
    ConfigSpace,
    Layout,
)
from hospes.devices.pci.msix import Msix

BAR_BYTES_MIN: Final = 0x1000
PIN_A: Final = 1


class Upstream(Protocol):
    """What a function finds at its slot."""

    def decode(self) -> None:
        """Addresses of the function may have changed."""
        ...

    def interrupt(self) -> None:
        """The function's interrupt line may have changed."""
        ...

    def send(self, address: int, data: int) -> None:
        """Write a message of 32 bits."""
        ...


@dataclass(frozen=True)
class Bar:
    """Registers behind a base address; their size is a power of two of at least a page."""

    index: int
    device: Device
    wide: bool = True
    prefetchable: bool = False

    def __post_init__(self) -> None:
        size, last = self.device.size, self.index + self.wide
        if size < BAR_BYTES_MIN or size & (size - 1) or not 0 <= self.index <= last < BARS:
            raise ValueError(f"BAR {self.index} cannot have {size} bytes")


class BusMaster:
    """Guest memory as a function reaches it: not at all unless it may be master of the bus."""

    def __init__(self, memory: DiscardableMemory) -> None:
        self._memory = memory
        self.allowed = False

    def read(self, gpa: int, count: int) -> bytes:
        """A copy of count bytes."""
        if not self.allowed:
            raise _not_master()
        return self._memory.read(gpa, count)

    def write(self, gpa: int, data: bytes) -> None:
        """Store bytes."""
        if not self.allowed:
            raise _not_master()
        self._memory.write(gpa, data)

    def windows(self, parts: Iterable[tuple[int, int]]) -> list[memoryview]:
        """The bytes themselves."""
        if not self.allowed:
            raise _not_master()
        return self._memory.windows(parts)

    def filled(self, parts: Iterable[tuple[int, int]]) -> None:
        """Mark what was stored through `windows`."""
        self._memory.filled(parts)

    def discard(self, gpa: int, count: int) -> None:
        """Give whole pages back."""
        if not self.allowed:
            raise _not_master()
        self._memory.discard(gpa, count)


class PciFunction(ConfigSpace):
    """Base of the functions; the host bridge sets `upstream` when one is plugged in.

    `intx` is whether the function wants attention; its line follows while MSI-X is off, and
    `messages` is whether it is on.
    """

    version: ClassVar[int] = 1
    intx: bool = False

    def __init__(
        self, layout: Layout, bars: Sequence[Bar], memory: BusMaster, table: Bar | None = None
    ) -> None:
        """`table` is the BAR whose device is an Msix, for a function that has one."""
        self.upstream: Upstream | None = None
        self._seen: list[tuple[Bar, int]] = []
        self.bars = (*bars, table) if table else tuple(bars)
        self._memory = memory
        self._msix, self._msix_at = None, 0
        self.messages = False
        for bar in self.bars:
            flags = BAR_WIDE * bar.wide | BAR_PREFETCHABLE * bar.prefetchable
            layout.add_bar(bar.index, bar.device.size, flags)
        layout.put(INTERRUPT_PIN, 1, PIN_A)
        if table and isinstance(table.device, Msix):
            self._msix = table.device
            capability = self._msix.capability(table.index)
            self._msix_at = layout.add_capability(msix.CAPABILITY_ID, *capability)
        super().__init__(layout)

    def write_config(self, offset: int, size: int, value: int) -> None:
        """A register; what depends on it follows."""
        before = bytes(self.registers)
        super().write_config(offset, size, value)
        if self.registers != before:
            self.follow()

    def follow(self) -> None:
        """Let everything be as the registers say; also called after they were restored."""
        self._memory.allowed = self.has(BUS_MASTER)
        if self._msix:
            control = self.word(self._msix_at + msix.CONTROL, 2)
            self.messages = bool(control & msix.ENABLE)
            unmasked = self.messages and not control & msix.FUNCTION_MASK
            self._msix.set_open(unmasked and self._memory.allowed)
        self._update_line()
        if self.upstream and self.placed != self._seen:
            self._seen = self.placed
            self.upstream.decode()

    @property
    def placed(self) -> list[tuple[Bar, int]]:
        """Where the BARs are, if memory accesses are enabled."""
        if not self.has(MEMORY_ENABLE):
            return []
        return [(bar, self.bar_base(bar.index)) for bar in self.bars]

    @property
    def line(self) -> bool:
        """The level of the interrupt line."""
        return self.intx and not self.messages and not self.has(INTX_DISABLE)

    def set_intx(self, level: bool) -> None:
        """Want attention by the interrupt line, or no longer."""
        if level != self.intx:
            self.intx = level
            self._update_line()

    def send(self, address: int, data: int) -> None:
        """For MSI-X: a message goes out."""
        if self.upstream:
            self.upstream.send(address, data)

    def _update_line(self) -> None:
        """The status bit tells of the wish, whether or not the line may follow it."""
        status = self.word(STATUS, 2) & ~INTX_STATUS
        status |= INTX_STATUS * (self.intx and not self.messages)
        self.registers[STATUS : STATUS + 2] = status.to_bytes(2, "little")
        if self.upstream:
            self.upstream.interrupt()


def _not_master() -> GuestError:
    return GuestError("a function that is not bus master is made to use memory")

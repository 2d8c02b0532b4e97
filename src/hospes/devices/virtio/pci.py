"""Virtio over PCI, without the legacy interface (virtio 1.2, section 4.1)."""

import struct
from collections.abc import Callable
from types import MappingProxyType
from typing import Final

from hospes.base.errors import GuestError
from hospes.devices.device import Device, Reg, RegArray
from hospes.devices.pci.config import Identity, Layout
from hospes.devices.pci.function import Bar, BusMaster, PciFunction
from hospes.devices.pci.msix import VECTORS_MAX, Msix
from hospes.devices.virtio.function import RING_RESET, VirtioFunction
from hospes.devices.virtio.queue import QueueState

VENDOR: Final = 0x1AF4
DEVICE_FIRST: Final = 0x1040
CLASSES: Final = MappingProxyType(
    {1: 0x02_0000, 2: 0x01_0000, 3: 0x07_8000, 4: 0x10_0000, 19: 0x07_8000}
)
CLASS_OTHER: Final = 0xFF_0000

COMMON_CFG, NOTIFY_CFG, ISR_CFG, DEVICE_CFG, PCI_CFG = 1, 2, 3, 4, 5
COMMON, ISR, CONFIG, NOTIFY = 0x0000, 0x1000, 0x2000, 0x3000
COMMON_BYTES, PART_BYTES, NOTIFY_BYTES = 0x40, 0x1000, 4
QUEUES_MAX: Final = PART_BYTES // NOTIFY_BYTES
REGISTERS_BAR, TABLE_BAR = 0, 2

NO_VECTOR: Final = 0xFFFF
USED_BUFFER, CONFIG_CHANGE = 1, 2
_VENDOR_CAPABILITY: Final = 0x09
_WORD: Final = 0xFFFF_FFFF


class VirtioRegisters(Device):
    """What the capabilities point to: common configuration, ISR, device configuration, bells."""

    compatible, size = "virtio,pci", 0x4000
    device_feature_select, device_feature = Reg(0x00), Reg(0x04)
    driver_feature_select, driver_feature = Reg(0x08), Reg(0x0C)
    config_msix_vector, num_queues = Reg(0x10, 2, reset=NO_VECTOR), Reg(0x12, 2)
    device_status, config_generation = Reg(0x14, 1), Reg(0x15, 1)
    queue_select, queue_size, queue_msix_vector = Reg(0x16, 2), Reg(0x18, 2), Reg(0x1A, 2)
    queue_enable, queue_notify_off = Reg(0x1C, 2), Reg(0x1E, 2)
    queue_desc = Reg(0x20, 8, partial=True)
    queue_driver = Reg(0x28, 8, partial=True)
    queue_device = Reg(0x30, 8, partial=True)
    queue_notify_data, queue_reset = Reg(0x38, 2), Reg(0x3A, 2)
    isr_status = Reg(ISR, 1)
    bell = RegArray(NOTIFY, NOTIFY_BYTES, count=QUEUES_MAX, partial=True)

    isr: int = 0              # reasons for the interrupt line, read once
    config_vector: int = NO_VECTOR
    queue_vectors: list[int]

    def __init__(self, function: VirtioFunction, vectors: int, on_isr: Callable[[], None]) -> None:
        """`on_isr` is called when `isr` has become zero or is no longer."""
        super().__init__()
        self.function, self.vectors, self._on_isr = function, vectors, on_isr
        self.queue_vectors = [NO_VECTOR] * len(function.queues)

    def read(self, offset: int, size: int) -> int:
        """Registers; the device's own configuration in any width."""
        if not CONFIG <= offset < NOTIFY:
            return super().read(offset, size)
        at = offset - CONFIG
        return int.from_bytes(self.function.config()[at : at + size], "little")

    def write(self, offset: int, size: int, value: int) -> None:
        """Registers; the device's own configuration in any width."""
        if not CONFIG <= offset < NOTIFY:
            super().write(offset, size, value)
        else:
            self.function.write_config(offset - CONFIG, value.to_bytes(size, "little"))

    def read_device_feature(self) -> int:
        """32 of the features offered."""
        return self.function.features >> 32 * min(self.device_feature_select, 2) & _WORD

    def read_driver_feature(self) -> int:
        """32 of the features chosen."""
        return self.function.driver_features >> 32 * min(self.driver_feature_select, 2) & _WORD

    def write_driver_feature(self, value: int) -> None:
        """32 of the features chosen."""
        word = self.driver_feature_select
        if word > 1:
            if value:
                raise GuestError(f"features in word {word}")
            return
        kept = self.function.driver_features & ~(_WORD << 32 * word)
        self.function.accept_features(kept | value << 32 * word)

    def read_config_msix_vector(self) -> int:
        """The vector for changes of the configuration."""
        return self.config_vector

    def write_config_msix_vector(self, value: int) -> None:
        """One that does not exist reads back as none."""
        self.config_vector = value if value < self.vectors else NO_VECTOR

    def read_num_queues(self) -> int:
        """How many queues there are."""
        return len(self.function.queues)

    def read_device_status(self) -> int:
        """The driver's progress."""
        return self.function.status

    def write_device_status(self, value: int) -> None:
        """The driver's progress; 0 resets, vectors and reasons included."""
        self.function.write_status(value)
        if value == 0:
            self.config_vector = NO_VECTOR
            self.queue_vectors = [NO_VECTOR] * len(self.function.queues)
            self.set_isr(0)

    def read_config_generation(self) -> int:
        """Changes with the configuration."""
        return self.function.config_generation & 0xFF

    def read_queue_size(self) -> int:
        """0 for a queue that does not exist."""
        return self._queue().size if self._exists() else 0

    def write_queue_size(self, value: int) -> None:
        """The size the driver wants."""
        self._queue(for_change=True).size = value

    def read_queue_msix_vector(self) -> int:
        """The vector for used buffers."""
        return self.queue_vectors[self.queue_select] if self._exists() else NO_VECTOR

    def write_queue_msix_vector(self, value: int) -> None:
        """One that does not exist reads back as none."""
        self._queue()
        self.queue_vectors[self.queue_select] = value if value < self.vectors else NO_VECTOR

    def read_queue_enable(self) -> int:
        """Whether the selected queue is in use."""
        return int(self._exists() and self._queue().ready)

    def write_queue_enable(self, value: int) -> None:
        """Use the selected queue from now on."""
        if value == 1 and not self._queue().ready:
            self.function.enable_queue(self.queue_select)

    def read_queue_notify_off(self) -> int:
        """Every queue has a bell of its own."""
        return self.queue_select if self._exists() else 0

    def read_queue_desc(self) -> int:
        """Descriptor table or ring."""
        return self._queue().descriptors_gpa

    def write_queue_desc(self, value: int) -> None:
        """Descriptor table or ring."""
        self._queue(for_change=True).descriptors_gpa = value

    def read_queue_driver(self) -> int:
        """Available ring."""
        return self._queue().driver_gpa

    def write_queue_driver(self, value: int) -> None:
        """Available ring."""
        self._queue(for_change=True).driver_gpa = value

    def read_queue_device(self) -> int:
        """Used ring."""
        return self._queue().device_gpa

    def write_queue_device(self, value: int) -> None:
        """Used ring."""
        self._queue(for_change=True).device_gpa = value

    def read_queue_notify_data(self) -> int:
        """What would ring the bell if that feature were offered."""
        return self.queue_select

    def write_queue_reset(self, value: int) -> None:
        """Reset the selected queue, which is done when the write is; so it always reads as 0."""
        self._queue()
        if not self.function.driver_features & RING_RESET:
            raise GuestError("a queue is reset without VIRTIO_F_RING_RESET")
        if value == 1:
            self.function.reset_queue(self.queue_select)
            self.queue_vectors[self.queue_select] = NO_VECTOR

    def read_isr_status(self) -> int:
        """Why the line is raised, which it is no longer."""
        isr = self.isr
        self.set_isr(0)
        return isr

    def write_bell(self, index: int, value: int) -> None:
        """There are requests in a queue."""
        self.function.notify(index)

    def set_isr(self, reasons: int) -> None:
        """Have these reasons for the interrupt line."""
        changed = bool(reasons) != bool(self.isr)
        self.isr = reasons
        if changed:
            self._on_isr()

    def tick(self) -> None:
        """Serve what the outside has made possible."""
        self.function.guarded(self.function.tick)

    def due_in_ns(self) -> int | None:
        """As the device type has it."""
        return self.function.due_in_ns()

    def drain(self) -> None:
        """As the device type has it."""
        self.function.guarded(self.function.drain)

    def _exists(self) -> bool:
        return self.queue_select < len(self.function.queues)

    def _queue(self, for_change: bool = False) -> QueueState:
        if not self._exists():
            raise GuestError(f"there is no queue {self.queue_select}")
        state = self.function.queues[self.queue_select]
        if for_change and state.ready:
            raise GuestError(f"queue {self.queue_select} is changed while in use")
        return state


class VirtioPci(PciFunction):
    """A virtio function in a PCI slot; `memory` is what the function was made with."""

    def __init__(self, function: VirtioFunction, memory: BusMaster) -> None:
        vectors = min(len(function.queues) + 1, VECTORS_MAX)
        self.vectors = Msix(vectors, self.send)
        self.virtio = VirtioRegisters(function, vectors, self._follow_isr)
        function.interrupt_queue = self._used_buffer
        function.interrupt_config = self._config_change
        device, kind = DEVICE_FIRST + function.device_id, CLASSES.get(function.device_id)
        layout = Layout(Identity(VENDOR, device, 1, kind or CLASS_OTHER, VENDOR, device))
        for part, offset, length in (
            (COMMON_CFG, COMMON, COMMON_BYTES),
            (ISR_CFG, ISR, 1),
            (DEVICE_CFG, CONFIG, PART_BYTES),
        ):
            layout.add_capability(_VENDOR_CAPABILITY, _capability(16, part, offset, length))
        length = NOTIFY_BYTES * len(function.queues)
        bells = _capability(20, NOTIFY_CFG, NOTIFY, length) + struct.pack("<I", NOTIFY_BYTES)
        layout.add_capability(_VENDOR_CAPABILITY, bells)
        peephole = _capability(20, PCI_CFG, 0, 0) + bytes(4)
        writable = bytes((0, 0, 0xFF, 0, 0, 0)) + b"\xff" * 12
        self._peephole_at = layout.add_capability(_VENDOR_CAPABILITY, peephole, writable)
        registers, table = Bar(REGISTERS_BAR, self.virtio), Bar(TABLE_BAR, self.vectors)
        super().__init__(layout, (registers,), memory, table)

    def read_config(self, offset: int, size: int) -> int:
        """Configuration; pci_cfg_data reads the register that is pointed to (4.1.4.9)."""
        if offset == self._peephole_at + 16:
            region, at, length = self._peephole()
            value = region.read(at, length)
            self.registers[offset : offset + 4] = value.to_bytes(4, "little")
        return super().read_config(offset, size)

    def write_config(self, offset: int, size: int, value: int) -> None:
        """Configuration; pci_cfg_data writes the register that is pointed to."""
        super().write_config(offset, size, value)
        if offset == self._peephole_at + 16:
            region, at, length = self._peephole()
            region.write(at, length, self.word(offset, length))

    def _peephole(self) -> tuple[Device, int, int]:
        index = self.word(self._peephole_at + 4, 1)
        at, length = self.word(self._peephole_at + 8, 4), self.word(self._peephole_at + 12, 4)
        regions = [bar.device for bar in self.bars if bar.index == index]
        if not regions or length not in (1, 2, 4) or at % length or at >= regions[0].size:
            raise GuestError(f"pci_cfg_data points to {length} bytes at {at:#x} of BAR {index}")
        return regions[0], at, length

    def _used_buffer(self, index: int) -> None:
        self._raise(self.virtio.queue_vectors[index], USED_BUFFER)

    def _config_change(self) -> None:
        self._raise(self.virtio.config_vector, CONFIG_CHANGE)

    def _raise(self, vector: int, reason: int) -> None:
        if self.messages:
            self.vectors.raise_vector(vector)
        else:
            self.virtio.set_isr(self.virtio.isr | reason)

    def _follow_isr(self) -> None:
        self.set_intx(self.virtio.isr != 0)


def _capability(size: int, part: int, offset: int, length: int) -> bytes:
    """A structure's place, behind ID and pointer (4.1.4)."""
    return struct.pack("<BBBxxxII", size, part, REGISTERS_BAR, offset, length)

"""Virtio over MMIO, version 2 (virtio 1.2, section 4.2.2): the registers of one slot."""

from typing import Final

from hospes.base.errors import GuestError
from hospes.devices.device import Device, Reg
from hospes.devices.irq.line import Irq
from hospes.devices.virtio.function import RING_RESET, VirtioFunction
from hospes.devices.virtio.queue import QueueState

MAGIC: Final = 0x7472_6976
VERSION: Final = 2
VENDOR: Final = 0x5053_4F48
CONFIG_OFFSET: Final = 0x100
USED_BUFFER, CONFIG_CHANGE = 1, 2
"""Reasons for the interrupt, as bits."""
_LOW: Final = 0xFFFF_FFFF


class EmptySlot(Device):
    """A slot without a device: drivers find device ID 0 and leave it alone."""

    compatible, size, node = "virtio,mmio", 0x1000, "virtio_mmio"
    magic, transport_version, device_id = Reg(0x00), Reg(0x04), Reg(0x08)

    def read_magic(self) -> int:
        """The letters `virt`."""
        return MAGIC

    def read_transport_version(self) -> int:
        """Not the legacy interface."""
        return VERSION

    def read_device_id(self) -> int:
        """0: nothing is here."""
        return 0


class VirtioMmio(EmptySlot):
    """A slot with a device behind it."""

    vendor_id = Reg(0x0C)
    device_features, device_features_sel = Reg(0x10), Reg(0x14)
    driver_features, driver_features_sel = Reg(0x20), Reg(0x24)
    queue_sel, queue_size_max, queue_size = Reg(0x30), Reg(0x34), Reg(0x38)
    queue_ready, queue_notify = Reg(0x44), Reg(0x50)
    interrupt_status, interrupt_ack, status = Reg(0x60), Reg(0x64), Reg(0x70)
    queue_desc_low, queue_desc_high = Reg(0x80), Reg(0x84)
    queue_driver_low, queue_driver_high = Reg(0x90), Reg(0x94)
    queue_device_low, queue_device_high = Reg(0xA0), Reg(0xA4)
    shm_sel = Reg(0xAC)
    shm_len_low, shm_len_high, shm_base_low, shm_base_high = (
        Reg(0xB0), Reg(0xB4), Reg(0xB8), Reg(0xBC),
    )
    queue_reset = Reg(0xC0)
    config_generation = Reg(0xFC)

    pending: int = 0          # reasons for the interrupt that are not acknowledged

    def __init__(self, irq: Irq, function: VirtioFunction) -> None:
        super().__init__()
        self.irq = irq
        self.function = function
        function.interrupt_queue = self._used_buffer
        function.interrupt_config = self._config_change

    def read(self, offset: int, size: int) -> int:
        """Registers, and from 0x100 the configuration space, in any width."""
        if offset < CONFIG_OFFSET:
            return super().read(offset, size)
        at = offset - CONFIG_OFFSET
        return int.from_bytes(self.function.config()[at : at + size], "little")

    def write(self, offset: int, size: int, value: int) -> None:
        """Registers, and from 0x100 the configuration space, in any width."""
        if offset < CONFIG_OFFSET:
            super().write(offset, size, value)
        else:
            self.function.write_config(offset - CONFIG_OFFSET, value.to_bytes(size, "little"))

    def read_device_id(self) -> int:
        """The device type."""
        return self.function.device_id

    def read_vendor_id(self) -> int:
        """The letters `HOSP`."""
        return VENDOR

    def read_device_features(self) -> int:
        """32 of the features offered."""
        return self.function.features >> 32 * min(self.device_features_sel, 2) & _LOW

    def write_driver_features(self, value: int) -> None:
        """32 of the features chosen."""
        word = self.driver_features_sel
        if word > 1:
            if value:
                raise GuestError(f"features in word {word}")
            return
        kept = self.function.driver_features & ~(_LOW << 32 * word)
        self.function.accept_features(kept | value << 32 * word)

    def read_queue_size_max(self) -> int:
        """0 for a queue that does not exist."""
        exists = self.queue_sel < len(self.function.queues)
        return self.function.queue_size_max if exists else 0

    def write_queue_size(self, value: int) -> None:
        """The size the driver wants."""
        self._queue(for_change=True).size = value

    def read_queue_ready(self) -> int:
        """Whether the selected queue is in use."""
        exists = self.queue_sel < len(self.function.queues)
        return int(exists and self.function.queues[self.queue_sel].ready)

    def write_queue_ready(self, value: int) -> None:
        """Start or stop using the selected queue."""
        ready = self._queue().ready
        if value & 1 and not ready:
            self.function.enable_queue(self.queue_sel)
        elif not value & 1 and ready:
            self.function.disable_queue(self.queue_sel)

    def write_queue_reset(self, value: int) -> None:
        """Reset the selected queue, which is done when the write is; so it always reads as 0."""
        self._queue()
        if not self.function.driver_features & RING_RESET:
            raise GuestError("a queue is reset without VIRTIO_F_RING_RESET")
        if value & 1:
            self.function.reset_queue(self.queue_sel)

    def write_queue_notify(self, value: int) -> None:
        """There are requests in a queue."""
        self.function.notify(value)

    def read_interrupt_status(self) -> int:
        """Why the interrupt is raised."""
        return self.pending

    def write_interrupt_ack(self, value: int) -> None:
        """The driver has seen these reasons."""
        self.pending &= ~value
        self.irq.set(self.pending != 0)

    def read_status(self) -> int:
        """The driver's progress."""
        return self.function.status

    def write_status(self, value: int) -> None:
        """The driver's progress; 0 resets the device, its interrupt included."""
        self.function.write_status(value & 0xFF)
        if value == 0:
            self.write_interrupt_ack(_LOW)

    def write_queue_desc_low(self, value: int) -> None:
        """Descriptor table."""
        queue = self._queue(for_change=True)
        queue.descriptors_gpa = _with_low(queue.descriptors_gpa, value)

    def write_queue_desc_high(self, value: int) -> None:
        """Descriptor table."""
        queue = self._queue(for_change=True)
        queue.descriptors_gpa = _with_high(queue.descriptors_gpa, value)

    def write_queue_driver_low(self, value: int) -> None:
        """Available ring."""
        queue = self._queue(for_change=True)
        queue.driver_gpa = _with_low(queue.driver_gpa, value)

    def write_queue_driver_high(self, value: int) -> None:
        """Available ring."""
        queue = self._queue(for_change=True)
        queue.driver_gpa = _with_high(queue.driver_gpa, value)

    def write_queue_device_low(self, value: int) -> None:
        """Used ring."""
        queue = self._queue(for_change=True)
        queue.device_gpa = _with_low(queue.device_gpa, value)

    def write_queue_device_high(self, value: int) -> None:
        """Used ring."""
        queue = self._queue(for_change=True)
        queue.device_gpa = _with_high(queue.device_gpa, value)

    def read_shm_len_low(self) -> int:
        """All ones: there is no shared memory region."""
        return _LOW

    read_shm_len_high = read_shm_base_low = read_shm_base_high = read_shm_len_low

    def read_config_generation(self) -> int:
        """Changes with the configuration."""
        return self.function.config_generation

    def tick(self) -> None:
        """Serve what the outside has made possible."""
        self.function.guarded(self.function.tick)

    def drain(self) -> None:
        """As the device type has it."""
        self.function.guarded(self.function.drain)

    def due_in_ns(self) -> int | None:
        """As the device type has it."""
        return self.function.due_in_ns()

    def _queue(self, for_change: bool = False) -> QueueState:
        if self.queue_sel >= len(self.function.queues):
            raise GuestError(f"there is no queue {self.queue_sel}")
        state = self.function.queues[self.queue_sel]
        if for_change and state.ready:
            raise GuestError(f"queue {self.queue_sel} is changed while in use")
        return state

    def _used_buffer(self, index: int) -> None:
        self._raise(USED_BUFFER)

    def _config_change(self) -> None:
        self._raise(CONFIG_CHANGE)

    def _raise(self, reason: int) -> None:
        self.pending |= reason
        self.irq.set(True)


def _with_low(old: int, value: int) -> int:
    return old & ~_LOW | value


def _with_high(old: int, value: int) -> int:
    return old & _LOW | value << 32

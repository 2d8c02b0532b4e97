"""The `virt` board: the devices and addresses of QEMU's RISC-V board of that name."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from hospes.base.clock import Clock
from hospes.base.errors import GuestError, HospesError
from hospes.devices.backends import (
    BlockBackend,
    CharacterBackend,
    DeviceMemory,
    EntropySource,
    Executor,
)
from hospes.devices.bus import Bus
from hospes.devices.device import Device
from hospes.devices.htif import Htif
from hospes.devices.irq.aclint import Aclint
from hospes.devices.irq.line import HartLines
from hospes.devices.irq.plic import Plic
from hospes.devices.power import PowerCallback, TestFinisher
from hospes.devices.rtc import Rtc
from hospes.devices.stream import CharacterStream
from hospes.devices.uart import Uart
from hospes.devices.virtio.block import VirtioBlock
from hospes.devices.virtio.console import VirtioConsole
from hospes.devices.virtio.entropy import VirtioEntropy
from hospes.devices.virtio.function import VirtioFunction
from hospes.devices.virtio.mmio import EmptySlot, VirtioMmio
from hospes.devices.virtio.ports import VirtioPorts
from hospes.firmware import fdt
from hospes.firmware.image import BootFiles
from hospes.firmware.placement import FDT_ROOM_BYTES, RAM_BASE, Placement, plan_boot
from hospes.machine.boards.virt_tree import Place, TreeFacts, device_tree
from hospes.spec.ports import PORT_NAMES
from hospes.spec.vm import VmSpec

LAYOUT: Final = {
    "test": Place(0x10_0000, 0x1000),
    "rtc": Place(0x10_1000, 0x1000, 11),
    "clint": Place(0x200_0000, 0x1_0000),
    "plic": Place(0xC00_0000, 0x60_0000),
    "uart": Place(0x1000_0000, 0x100, 10),
}
VIRTIO_SLOTS: Final = tuple(Place(0x1000_1000 + n * 0x1000, 0x1000, 1 + n) for n in range(8))
RNG_SEED_BYTES: Final = 32


class BoardDisk(Protocol):
    """A disk to be plugged in; its name is unique."""

    name: str
    serial: str

    @property
    def device(self) -> BlockBackend:
        """The content."""
        ...

    @property
    def thread(self) -> Executor:
        """What carries requests out."""
        ...


@dataclass(frozen=True)
class Surroundings:
    """What a board is plugged into; one `lines` entry per hart."""

    memory: DeviceMemory
    lines: Sequence[HartLines]
    timebase: Callable[[], int]
    clock: Clock
    console: CharacterBackend
    agent: CharacterBackend
    entropy: EntropySource
    on_power: PowerCallback
    disks: Sequence[BoardDisk] = ()


@dataclass(frozen=True)
class Board:
    """A built board: call `load` once, then start every hart at `placement.entry`.

    A hart starts with a0 = its number, a1 = `placement.fdt_gpa`, a2 = `placement.dynamic_info_gpa`.
    `bus.tick()` is due after `bus.due_in_ns()`, after input was received and before every pause.
    """

    bus: Bus
    aclint: Aclint
    plic: Plic
    console: CharacterStream
    agent: CharacterStream
    functions: dict[str, VirtioFunction]
    htif: Htif | None
    placement: Placement
    fdt: bytes
    ports: VirtioPorts | None = None

    @property
    def posted(self) -> tuple[int, int]:
        """Address and size of the registers that only take data: the UART's transmitter."""
        return LAYOUT["uart"].base, 1

    @property
    def parts(self) -> dict[str, Device | VirtioFunction | CharacterStream]:
        """Everything with state by name: what a snapshot of the board encodes, one by one."""
        devices = {mapping.name: mapping.device for mapping in self.bus.mappings}
        streams = {"console-stream": self.console, "agent-stream": self.agent}
        return {**devices, **self.functions, **streams}

    def load(self, memory: DeviceMemory) -> None:
        """Write everything that boots into memory, which is zero at the start."""
        for segment in self.placement.segments:
            memory.write(segment.gpa, segment.data)
        memory.write(self.placement.fdt_gpa, self.fdt)


def build(spec: VmSpec, files: BootFiles, outside: Surroundings) -> Board:
    """Put a machine together; HospesError when what boots does not fit its memory."""
    placement = plan_boot(spec.memory_bytes, files)
    bus = Bus()
    plic = Plic(outside.lines)
    aclint = Aclint(outside.lines, outside.timebase)
    console = CharacterStream(outside.console, outside.clock)
    agent = CharacterStream(outside.agent, outside.clock)
    devices: dict[str, Device] = {
        "test": TestFinisher(outside.on_power),
        "rtc": Rtc(plic.line(LAYOUT["rtc"].source), outside.clock),
        "clint": aclint,
        "plic": plic,
        "uart": Uart(plic.line(LAYOUT["uart"].source), console),
    }
    for name, device in devices.items():
        bus.map(name, LAYOUT[name].base, device, LAYOUT[name].size)
    functions: dict[str, VirtioFunction] = {
        "entropy": VirtioEntropy(outside.memory, outside.entropy),
        "agent": VirtioConsole(outside.memory, agent),
    }
    ports = VirtioPorts(outside.memory, PORT_NAMES) if spec.ports else None
    if ports is not None:
        functions["ports"] = ports
    for disk in outside.disks:
        functions[disk.name] = VirtioBlock(outside.memory, disk.device, disk.thread, disk.serial)
    _plug_virtio(bus, plic, functions)
    htif = _htif(placement, outside, console)
    if htif:
        bus.attach("htif", htif)
    tree = _tree(spec, placement, outside.entropy)
    return Board(bus, aclint, plic, console, agent, functions, htif, placement, tree, ports)


def _htif(placement: Placement, outside: Surroundings, console: CharacterStream) -> Htif | None:
    """There when bare-metal code has a tohost in memory; it shares the serial port's stream."""
    tohost, fromhost = (placement.symbols.get(name) for name in ("tohost", "fromhost"))
    if tohost is None or placement.kernel_entry is not None:
        return None
    try:
        outside.memory.read(tohost, 8)
    except GuestError:
        return None
    return Htif(outside.memory, tohost, fromhost, console, outside.on_power)


def _plug_virtio(bus: Bus, plic: Plic, functions: dict[str, VirtioFunction]) -> None:
    """Functions go into the first slots, in order; the others stay empty."""
    named = list(functions.items())
    if len(named) > len(VIRTIO_SLOTS):
        raise HospesError(f"the board has {len(VIRTIO_SLOTS)} virtio slots; leave a disk out")
    for number, place in enumerate(VIRTIO_SLOTS):
        if number < len(named):
            name, function = named[number]
            bus.map(f"virtio-{name}", place.base, VirtioMmio(plic.line(place.source), function))
        else:
            bus.map(f"virtio-slot{number}", place.base, EmptySlot())


def _tree(spec: VmSpec, placement: Placement, entropy: EntropySource) -> bytes:
    facts = TreeFacts(
        cpus=spec.cpus,
        memory_base=RAM_BASE,
        memory_bytes=spec.memory_bytes,
        append=spec.append,
        initrd=placement.initrd,
        rng_seed=entropy.read(RNG_SEED_BYTES),
    )
    blob = fdt.write(device_tree(facts, LAYOUT, VIRTIO_SLOTS))
    if len(blob) > FDT_ROOM_BYTES:
        raise HospesError(f"the device tree of {spec.cpus} CPUs is too large; ask for fewer")
    return blob

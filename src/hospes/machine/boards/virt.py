"""The `virt` board: the devices and addresses of QEMU's RISC-V board of that name."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, cast

from hospes.base.errors import GuestError, HospesError
from hospes.devices.backends import DeviceMemory
from hospes.devices.bus import Bus
from hospes.devices.device import Device
from hospes.devices.htif import Htif
from hospes.devices.pci.function import BusMaster, PciFunction
from hospes.devices.pci.host import PciHost
from hospes.devices.stream import CharacterStream
from hospes.devices.virtio.balloon import VirtioBalloon
from hospes.devices.virtio.function import VirtioFunction
from hospes.devices.virtio.mmio import EmptySlot, VirtioMmio
from hospes.devices.virtio.pci import VirtioPci
from hospes.devices.virtio.ports import VirtioPorts
from hospes.firmware import fdt
from hospes.firmware.image import BootFiles
from hospes.firmware.placement import FDT_ROOM_BYTES, RAM_BASE, Placement, plan_boot
from hospes.machine.boards.catalogue import Fit, Registers, Unconnected, Virtio, lines_for
from hospes.machine.boards.interrupts import Interrupts, make
from hospes.machine.boards.pci import make_host
from hospes.machine.boards.surroundings import Surroundings
from hospes.machine.boards.virt_tree import Placed, TreeFacts, device_tree
from hospes.spec.disk import VirtioBus
from hospes.spec.vm import VmSpec

if TYPE_CHECKING:
    from hospes.devices.virtio.net import VirtioNet

VIRTIO_SLOTS: Final = tuple((0x1000_1000 + n * 0x1000, 1 + n) for n in range(8))
"""Address and interrupt source."""
RNG_SEED_BYTES: Final = 32


@dataclass(frozen=True)
class Board:
    """A built board: call `load` once, then start every hart at `placement.entry`.

    A hart starts with a0 = its number, a1 = `placement.fdt_gpa`, a2 = `placement.dynamic_info_gpa`.
    `bus.tick()` is due after `bus.due_in_ns()`, after input was received and before every pause.
    """

    bus: Bus
    interrupts: Interrupts
    console: CharacterStream
    agent: CharacterStream
    functions: dict[str, VirtioFunction]
    pci: dict[str, PciFunction]
    htif: Htif | None
    placement: Placement
    fdt: bytes

    @property
    def posted(self) -> tuple[int, int]:
        """Address and size of the registers that only take data: the UART's transmitter."""
        uart = next(mapping for mapping in self.bus.mappings if mapping.name == "uart")
        return uart.base, 1

    @property
    def parts(self) -> dict[str, Device | VirtioFunction | PciFunction | CharacterStream]:
        """Everything with state by name: what a snapshot of the board encodes, one by one."""
        devices = {mapping.name: mapping.device for mapping in self.bus.mappings}
        streams = {"console-stream": self.console, "agent-stream": self.agent}
        cards = {f"pci-{name}": function for name, function in self.pci.items()}
        return {**devices, **self.functions, **cards, **streams}

    @property
    def ports(self) -> VirtioPorts | None:
        """The console with many ports, if the machine has it."""
        function = self.functions.get("ports")
        return function if isinstance(function, VirtioPorts) else None

    @property
    def balloon(self) -> VirtioBalloon | None:
        """The balloon, if the machine has it."""
        function = self.functions.get("balloon")
        return function if isinstance(function, VirtioBalloon) else None

    @property
    def network(self) -> "VirtioNet | None":
        """The network card, if the machine has one."""
        return cast("VirtioNet | None", self.functions.get("network"))

    def settle(self) -> None:
        """After the parts' state was restored: let what depends on it follow."""
        for function in self.pci.values():
            function.follow()

    def load(self, memory: DeviceMemory) -> None:
        """Write everything that boots into memory, which is zero at the start."""
        for segment in self.placement.segments:
            memory.write(segment.gpa, segment.data)
        memory.write(self.placement.fdt_gpa, self.fdt)


def build(spec: VmSpec, files: BootFiles, outside: Surroundings) -> Board:
    """Put a machine together; HospesError when what boots does not fit its memory."""
    placement = plan_boot(spec.memory_bytes, files)
    bus = Bus()
    interrupts = make(spec.interrupt_kind, bus, outside.lines, outside.ports)
    console = CharacterStream(outside.console, outside.clock)
    agent = CharacterStream(outside.agent, outside.clock)
    assembly = _Assembly(spec, bus, interrupts)
    cid = spec.vsock.cid if spec.vsock else None
    fit = Fit(outside, outside.memory, console, agent, Unconnected(), spec.cpus, cid)
    for line in lines_for(spec, outside):
        assembly.add(line, fit)
    assembly.leave_slots_empty()
    interrupts.place(bus)
    htif = _htif(placement, outside, console)
    if htif:
        bus.attach("htif", htif)
    facts = TreeFacts(
        cpus=spec.cpus,
        memory_base=RAM_BASE,
        memory_bytes=spec.memory_bytes,
        append=spec.append,
        initrd=placement.initrd,
        rng_seed=outside.entropy.read(RNG_SEED_BYTES),
        interrupts=interrupts.describe(spec.cpus + 2),
        pci=assembly.host is not None,
    )
    return Board(
        bus=bus,
        interrupts=interrupts,
        console=console,
        agent=agent,
        functions=assembly.functions,
        pci=assembly.cards,
        htif=htif,
        placement=placement,
        fdt=_tree(facts, assembly.placed),
    )


class _Assembly:
    """A board while devices are put on it; without a function for PCI, it has no PCI."""

    def __init__(self, spec: VmSpec, bus: Bus, interrupts: Interrupts) -> None:
        self._memory_bytes, self._bus, self._interrupts = spec.memory_bytes, bus, interrupts
        self._slots: Iterator[tuple[int, int]] = iter(VIRTIO_SLOTS)
        self.placed: list[Placed] = []
        self.functions: dict[str, VirtioFunction] = {}
        self.host: PciHost | None = None
        self.cards: dict[str, PciFunction] = {}

    def add(self, line: Registers | Virtio, fit: Fit) -> None:
        """Make a device and put it in its place."""
        if isinstance(line, Registers):
            irq = self._interrupts.line(line.source) if line.source else fit.irq
            self._place(line.name, line.base, line.make(replace(fit, irq=irq)), line.source)
        elif line.bus is VirtioBus.PCI:
            self._plug_pci(line, fit)
        else:
            self._plug_mmio(line, fit)

    def leave_slots_empty(self) -> None:
        """Let drivers find out that there is nothing in the slots left over."""
        for base, source in self._slots:
            number = VIRTIO_SLOTS.index((base, source))
            self._place(f"virtio-slot{number}", base, EmptySlot(), source)

    def _plug_mmio(self, line: Virtio, fit: Fit) -> None:
        slot = next(self._slots, None)
        if slot is None:
            raise HospesError(
                f"the board has {len(VIRTIO_SLOTS)} virtio slots, none of them for {line.name}; "
                "give disks bus=pci, or leave one out"
            )
        base, source = slot
        function = self.functions[line.name] = line.make(fit)
        device = VirtioMmio(self._interrupts.line(source), function)
        self._place(f"virtio-{line.name}", base, device, source)

    def _plug_pci(self, line: Virtio, fit: Fit) -> None:
        if self.host is None:
            self.host = make_host(self._bus, self._interrupts, self._memory_bytes)
        memory = BusMaster(fit.memory)
        function = self.functions[line.name] = line.make(replace(fit, memory=memory))
        card = self.cards[line.name] = VirtioPci(function, memory)
        self.host.plug(line.name, card)

    def _place(self, name: str, base: int, device: Device, source: int) -> None:
        self._bus.map(name, base, device)
        self.placed.append(Placed(name, base, device, source))


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


def _tree(facts: TreeFacts, placed: list[Placed]) -> bytes:
    blob = fdt.write(device_tree(facts, placed))
    if len(blob) > FDT_ROOM_BYTES:
        raise HospesError(f"the device tree of {facts.cpus} CPUs is too large; ask for fewer")
    return blob

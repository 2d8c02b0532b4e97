"""The devices of the `virt` board, a line each: what it is called, where it is, how it is made."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from hospes.devices.backends import DiscardableMemory
from hospes.devices.device import Device
from hospes.devices.irq.aclint import Aclint
from hospes.devices.irq.line import Irq
from hospes.devices.power import TestFinisher
from hospes.devices.rtc import Rtc
from hospes.devices.stream import CharacterStream
from hospes.devices.uart import Uart
from hospes.devices.virtio.balloon import VirtioBalloon
from hospes.devices.virtio.block import VirtioBlock
from hospes.devices.virtio.console import VirtioConsole
from hospes.devices.virtio.entropy import VirtioEntropy
from hospes.devices.virtio.function import VirtioFunction
from hospes.devices.virtio.ports import VirtioPorts
from hospes.machine.boards.surroundings import BoardDisk, BoardFolder, Surroundings
from hospes.spec.disk import VirtioBus
from hospes.spec.net import NetworkKind
from hospes.spec.ports import PORT_NAMES
from hospes.spec.vm import VmSpec

DISK_QUEUES_MAX: Final = 4
NETWORK_PAIRS_MAX: Final = 4


class Unconnected:
    """The interrupt line of a device that has none."""

    def set(self, level: bool) -> None:
        """Nobody looks."""


@dataclass(frozen=True)
class Fit:
    """What a device is made from: the board's surroundings and what the board itself has for it.

    `memory` is how the device reaches RAM, `irq` its interrupt line; `console` is the stream of the
    serial port, `agent` that of the second console. `cpus` is how many the machine has,
    `cid` its guest's address among sockets.
    """

    outside: Surroundings
    memory: DiscardableMemory
    console: CharacterStream
    agent: CharacterStream
    irq: Irq
    cpus: int = 1
    cid: int | None = None


def always(spec: VmSpec) -> bool:
    """Every machine has it."""
    return True


def with_ports(spec: VmSpec) -> bool:
    """Machines whose guests are talked to through named ports."""
    return spec.ports


def ballooning(spec: VmSpec) -> bool:
    """Machines whose guests can be asked to make do with less memory."""
    return spec.balloon


def with_network(spec: VmSpec) -> bool:
    """Machines that are part of a network."""
    return spec.network.kind != NetworkKind.NONE


def make_network_card(fit: Fit) -> VirtioFunction:
    """With a pair of queues for each processor, up to a few."""
    # Here, for it costs a machine without a network a part of its start.
    from hospes.devices.virtio.net import VirtioNet

    cable = fit.outside.cable
    if cable is None:
        raise ValueError("a machine with a network card has no cable")
    pairs = min(fit.cpus, NETWORK_PAIRS_MAX)
    card = VirtioNet(fit.memory, cable.end, cable.mac, pairs=pairs)
    cable.attach(card)
    return card


def with_vsock(spec: VmSpec) -> bool:
    """Machines whose guests have sockets to the host."""
    return spec.vsock is not None


def make_socket_device(fit: Fit) -> VirtioFunction:
    """With the guest's address."""
    # Here, for it costs a machine without it a part of its start.
    from hospes.devices.virtio.vsock import VirtioVsock

    host = fit.outside.vsock
    if host is None or fit.cid is None:
        raise ValueError("a machine with a socket device has no host to talk to")
    return VirtioVsock(fit.memory, host, fit.cid)


@dataclass(frozen=True)
class Registers:
    """A device with registers at `base`; it interrupts by a source of its own, or with 0 not."""

    name: str
    base: int
    make: Callable[[Fit], Device]
    source: int = 0
    wanted: Callable[[VmSpec], bool] = always


@dataclass(frozen=True)
class Virtio:
    """A virtio function, which gets the next slot of a bus; PCI takes the fewest exits."""

    name: str
    make: Callable[[Fit], VirtioFunction]
    bus: VirtioBus = VirtioBus.PCI
    wanted: Callable[[VmSpec], bool] = always


Line = Registers | Virtio

CATALOGUE: Final[tuple[Line, ...]] = (
    Registers("test", 0x10_0000, lambda fit: TestFinisher(fit.outside.on_power)),
    Registers("rtc", 0x10_1000, lambda fit: Rtc(fit.irq, fit.outside.clock), source=11),
    Registers("clint", 0x200_0000, lambda fit: Aclint(fit.outside.lines, fit.outside.timebase)),
    Registers("uart", 0x1000_0000, lambda fit: Uart(fit.irq, fit.console), source=10),
    Virtio("entropy", lambda fit: VirtioEntropy(fit.memory, fit.outside.entropy)),
    Virtio("agent", lambda fit: VirtioConsole(fit.memory, fit.agent)),
    Virtio("ports", lambda fit: VirtioPorts(fit.memory, PORT_NAMES), wanted=with_ports),
    Virtio("balloon", lambda fit: VirtioBalloon(fit.memory, fit.outside.clock), wanted=ballooning),
    Virtio("network", make_network_card, wanted=with_network),
    Virtio("vsock", make_socket_device, wanted=with_vsock),
)
"""In the order of their slots. Addresses are those of QEMU's board of this name, if it has one.

Others find room from 0x1010_0000 to 0x1fff_ffff, and sources from 36 on.
"""


def lines_for(spec: VmSpec, outside: Surroundings) -> Iterator[Line]:
    """What one machine has: the lines it wants, its disks and its folders."""
    yield from (line for line in CATALOGUE if line.wanted(spec))
    queues = min(spec.cpus, DISK_QUEUES_MAX)
    yield from (_disk_line(disk, queues) for disk in outside.disks)
    yield from (_folder_line(folder) for folder in outside.folders)


def _disk_line(disk: BoardDisk, queues: int) -> Virtio:
    def make(fit: Fit) -> VirtioFunction:
        return VirtioBlock(fit.memory, disk.device, disk.executor, disk.serial, queues=queues)

    return Virtio(disk.name, make, disk.bus or VirtioBus.PCI)


def _folder_line(folder: BoardFolder) -> Virtio:
    return Virtio(folder.tag, lambda fit: folder.device(fit.memory, fit.outside.clock))

"""What a board is plugged into: memory, harts, clock, consoles, disks, network, folders."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from hospes.base.clock import Clock
from hospes.devices.backends import (
    BlockBackend,
    CharacterBackend,
    DeviceMemory,
    DiscardableMemory,
    EntropySource,
    Executor,
    NetworkBackend,
    SocketBackend,
)
from hospes.devices.irq.line import HartLines, MessagePort
from hospes.devices.power import PowerCallback
from hospes.devices.virtio.function import VirtioFunction
from hospes.spec.disk import VirtioBus


class BoardDisk(Protocol):
    """A disk to be plugged in; its name is unique, without a bus it gets the usual one."""

    name: str
    serial: str
    bus: VirtioBus | None

    @property
    def device(self) -> BlockBackend:
        """The content."""
        ...

    @property
    def executor(self) -> Executor:
        """What carries requests out."""
        ...


class Pluggable(Protocol):
    """A network card."""

    def plug(self, network: NetworkBackend, /) -> None:
        """Have the cable in another place from here on."""
        ...


class BoardNetwork(Protocol):
    """What a network card is plugged into, and the card's address."""

    @property
    def mac(self) -> bytes:
        """Six bytes."""
        ...

    @property
    def end(self) -> NetworkBackend:
        """Where frames go."""
        ...

    def attach(self, card: Pluggable, /) -> None:
        """The card, which may be plugged in elsewhere later."""
        ...


class BoardFolder(Protocol):
    """A folder that the guest may mount by its tag, which is its device's name."""

    tag: str


    def device(self, memory: DeviceMemory, clock: Clock, /) -> VirtioFunction:
        """What the guest reaches it by."""
        ...


@dataclass(frozen=True)
class Surroundings:
    """What a board is plugged into; one entry per hart in `lines` and, for AIA, in `ports`."""

    memory: DiscardableMemory
    lines: Sequence[HartLines]
    timebase: Callable[[], int]
    clock: Clock
    console: CharacterBackend
    agent: CharacterBackend
    entropy: EntropySource
    on_power: PowerCallback
    ports: Sequence[MessagePort] = ()
    disks: Sequence[BoardDisk] = ()
    cable: BoardNetwork | None = None
    folders: Sequence[BoardFolder] = ()
    vsock: SocketBackend | None = None

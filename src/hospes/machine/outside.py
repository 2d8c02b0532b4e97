"""What a machine is joined to outside itself, over all its power cycles."""

import os
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hospes.base.clock import Clock
from hospes.base.progress import Progress, silent
from hospes.devices.backends import CharacterBackend, EntropySource
from hospes.machine.cable import Cable, Environs, OpenNetwork, plug_in
from hospes.machine.disks import Disk, Disks
from hospes.machine.folders import Folder, Folders
from hospes.machine.sockets import plug_sockets
from hospes.spec.vm import VmSpec

if TYPE_CHECKING:
    from hospes.network.vsock_host import VsockHost


class HostEntropy:
    """The host's random bytes."""

    def read(self, count: int) -> bytes:
        """From the kernel."""
        return os.urandom(count)


@dataclass(frozen=True)
class Outside:
    """What stays when the power goes."""

    clock: Clock
    entropy: EntropySource
    console: CharacterBackend
    agent: CharacterBackend
    progress: Progress = silent
    disks: Sequence[Disk] = ()
    cable: Cable | None = None
    folders: Sequence[Folder] = ()
    vsock: "VsockHost | None" = None


def join_outside(
    spec: VmSpec,
    disks: Disks,
    open_network: OpenNetwork,
    environs: Environs,
    entropy: EntropySource,
    consoles: tuple[CharacterBackend, CharacterBackend],
    progress: Progress,
    closing: ExitStack,
) -> Outside:
    """What the spec asks for, and in `closing` how it is given back."""
    cable = plug_in(spec.network, open_network, entropy, environs)
    if cable is not None:
        closing.callback(cable.network.close)
    vsock = plug_sockets(spec.vsock, environs.ring)
    if vsock is not None:
        closing.callback(vsock.close)
    folders = Folders(spec.volumes, environs.ring, environs.remark)
    closing.callback(folders.close)
    return Outside(
        environs.clock, entropy, *consoles, progress, disks.all, cable, folders.all, vsock
    )

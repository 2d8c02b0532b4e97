"""A machine's shared folders: opened when it is made, closed at its end, over all power cycles."""

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

from hospes.base.clock import Clock
from hospes.base.errors import HospesError
from hospes.devices.backends import DeviceMemory
from hospes.devices.virtio.function import VirtioFunction
from hospes.machine.boards.surroundings import BoardFolder
from hospes.machine.disks import DiskThreads
from hospes.spec.volume import VolumeKind, VolumeSpec, mount_tag

if TYPE_CHECKING:
    from hospes.folders.server import Server
    from hospes.folders.virtiofsd.folder import VirtiofsdFolder

Ring = Callable[[], None]
Report = Callable[[str], None]


class Folder(BoardFolder, Protocol):
    """One folder, on every board that is built while the machine exists."""

    def close(self) -> None:
        """Finish what was begun and let go of its files."""
        ...


class OwnFolder:
    """One that we serve ourselves, by threads of its own."""

    def __init__(self, tag: str, backend: "Server", executor: DiskThreads) -> None:
        self.tag, self.backend, self.executor = tag, backend, executor

    def device(self, memory: DeviceMemory, clock: Clock) -> VirtioFunction:
        """For messages of 9P2000.L."""
        from hospes.devices.virtio.folder import VirtioFolder

        return VirtioFolder(memory, self.backend, self.executor, self.tag, clock)

    def close(self) -> None:
        """Finish what was begun and let go of its files."""
        self.executor.close()
        self.backend.close()


class VirtiofsdShare:
    """One that virtiofsd serves."""

    def __init__(self, tag: str, backend: "VirtiofsdFolder") -> None:
        self.tag, self.backend = tag, backend

    def device(self, memory: DeviceMemory, clock: Clock) -> VirtioFunction:
        """For messages of FUSE."""
        from hospes.devices.virtio.file_system import VirtioFileSystem

        return VirtioFileSystem(memory, self.backend, self.tag)

    def close(self) -> None:
        """Have virtiofsd end."""
        self.backend.close()


class Folders:
    """All of a machine's; HospesError if one is not there.

    `ring` is called after each request that is done, `report` with sentences for the user.
    """

    def __init__(
        self,
        volumes: Sequence[VolumeSpec],
        ring: Ring,
        report: Report,
    ) -> None:
        self.all: list[Folder] = []
        try:
            for number, volume in enumerate(volumes):
                tag = mount_tag(number)
                if volume.kind == VolumeKind.VIRTIOFS:
                    self.all.append(_open_virtiofsd(tag, volume, ring, report))
                else:
                    self.all.append(_open(tag, volume, len(volumes), ring, report))
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Give everything back."""
        folders, self.all = self.all, []
        for folder in folders:
            folder.close()


def _open(
    tag: str,
    volume: VolumeSpec,
    sharers: int,
    ring: Ring,
    report: Report,
) -> Folder:
    if not hasattr(os, "O_PATH"):
        raise HospesError(
            f"the folder {volume.host} cannot be shared, for only Linux can hold a file that it "
            "has not opened; copy it into the guest"
        )
    # Here, for most machines have no folder.
    from hospes.folders.descriptors import descriptors_for
    from hospes.folders.host_tree import HostTree
    from hospes.folders.ownership import Owners
    from hospes.folders.server import Server

    tree = HostTree(
        volume.host,
        Owners.of_this_process(volume.uid, volume.gid),
        read_only=volume.read_only,
        report=report,
        descriptors=descriptors_for(sharers),
    )
    return OwnFolder(tag, Server(tree, volume.uid), DiskThreads(f"hospes {tag}", ring, report))


def _open_virtiofsd(tag: str, volume: VolumeSpec, ring: Ring, report: Report) -> Folder:
    if not hasattr(os, "memfd_create"):
        raise HospesError(
            f"the folder {volume.host} cannot be shared by virtiofsd, which only Linux has; leave "
            "out the word virtiofs"
        )
    from hospes.devices.virtio.file_system import IN_FLIGHT_MAX, MESSAGE_BYTES_MAX
    from hospes.folders.virtiofsd.folder import VirtiofsdFolder

    folder = VirtiofsdFolder(
        volume.host,
        read_only=volume.read_only,
        slots=IN_FLIGHT_MAX,
        message_bytes=MESSAGE_BYTES_MAX,
        ring=ring,
        report=report,
    )
    return VirtiofsdShare(tag, folder)

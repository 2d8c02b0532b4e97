"""A machine's shared folders: opened when it is made, closed at its end, over all power cycles."""

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from hospes.base.errors import HospesError
from hospes.machine.disks import DiskThreads
from hospes.spec.volume import VolumeSpec, mount_tag

if TYPE_CHECKING:
    from hospes.folders.server import Server


class Folder:
    """One folder, served by threads of its own."""

    def __init__(self, tag: str, backend: "Server", executor: DiskThreads) -> None:
        self.tag, self.backend, self.executor = tag, backend, executor

    def close(self) -> None:
        """Finish what was begun and let go of its files."""
        self.executor.close()
        self.backend.close()


class Folders:
    """All of a machine's; HospesError if one is not there.

    `ring` is called after each request that is done, `report` with sentences for the user.
    """

    def __init__(
        self,
        volumes: Sequence[VolumeSpec],
        ring: Callable[[], None],
        report: Callable[[str], None],
    ) -> None:
        self.all: list[Folder] = []
        try:
            for number, volume in enumerate(volumes):
                self.all.append(_open(mount_tag(number), volume, len(volumes), ring, report))
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
    ring: Callable[[], None],
    report: Callable[[str], None],
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
    return Folder(tag, Server(tree, volume.uid), DiskThreads(f"hospes {tag}", ring, report))

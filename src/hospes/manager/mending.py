"""What a killed process leaves on a machine's disks is put right before the next start."""

from collections.abc import Iterable
from contextlib import suppress

from hospes.base.errors import HospesError
from hospes.manager.store import MachineDirectory
from hospes.spec.disk import DiskFormat, DiskSpec


def mend_after_crash(machine: MachineDirectory, disks: Iterable[DiskSpec]) -> None:
    """Give back clusters that were reserved when the process was killed, and hold no content.

    HospesError when a disk's metadata is damaged, which no kill does: writing would add to it.
    """
    if machine.started is None or machine.ended is not None or machine.runs:
        return
    # Here, for hardly any start comes after a crash.
    from hospes.storage.check import check_image
    from hospes.storage.formats import format_of
    from hospes.storage.qcow2.check import Repair

    for disk in disks:
        if disk.path is None or disk.read_only:
            continue
        damages = 0
        # What cannot be opened is told by the process that needs it.
        with suppress(HospesError, OSError):
            if format_of(disk.path, disk.format) is DiskFormat.QCOW2:
                damages = check_image(disk.path, disk.format, repair=Repair.LEAKS).corruptions
        if damages:
            raise HospesError(
                f"the machine {machine.name!r} was killed and its disk {disk.path} is damaged "
                f"({damages} errors): see 'hospes disk check {disk.path}', copy the file, and "
                "mend it with --repair all"
            )

"""What a machine boots each time the power goes on: the user's files, or what its disks hold."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from hospes.base.errors import HospesError
from hospes.firmware.image import BootFiles, load_boot_files, parse_kernel
from hospes.firmware.initrd import check_initrd
from hospes.spec.boot import BootContent
from hospes.spec.vm import VmSpec

if TYPE_CHECKING:
    from hospes.storage.block import BlockDevice

FindBoot = Callable[[Sequence["BlockDevice"]], BootContent]
"""Looks for a kernel on disks; HospesError if they have none."""


def boot_files(
    spec: VmSpec,
    find: FindBoot | None,
    disks: Sequence["BlockDevice"],
    report: Callable[[str], None],
) -> tuple[VmSpec, BootFiles]:
    """What to boot, and the spec with the command line that belongs to it.

    Files are read anew each time rather than kept: a kernel has tens of megabytes. When the disks
    have nothing, the spec's own files are taken if there are any, and `report` is told.
    """
    if not spec.from_disk or find is None:
        return spec, load_boot_files(spec.kernel, spec.initrd, spec.bios)
    try:
        found = find(disks)
        kernel = parse_kernel(found.kernel, f"kernel of {found.name}")
        if found.initrd is not None:
            check_initrd(found.initrd, f"initrd of {found.name}")
    except HospesError as error:
        if spec.kernel is None:
            raise
        report(f"{error}; this time the image's own kernel is booted")
        return spec, load_boot_files(spec.kernel, spec.initrd, spec.bios)
    files = BootFiles(kernel, found.initrd)
    return replace(spec, append=found.command_line(spec.append)), files

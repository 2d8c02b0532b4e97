"""What is booted when the power goes on: the disks' kernel, or the spec's own."""

import gzip
from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.firmware.conftest import Files

from hospes.base.errors import HospesError
from hospes.machine.boot import boot_files
from hospes.spec.boot import BootContent
from hospes.spec.disk import DiskSpec
from hospes.spec.vm import VmSpec
from hospes.storage.block import BlockDevice

DISK = DiskSpec(size_bytes=1 << 20)
KERNEL = Files.elf(code=b"\x13\0\0\0", entry=0x8000_0000)


def finder(kernel: bytes, initrd: bytes | None = None) -> object:
    def find(disks: Sequence[BlockDevice]) -> BootContent:
        return BootContent("disk d (/vmlinuz-1)", kernel, initrd, "1", ("root=UUID=1", "ro"))

    return find


def test_the_kernel_of_a_disk_and_its_command_line() -> None:
    spec = VmSpec(from_disk=True, disks=(DISK,), append="quiet")
    own, files = boot_files(spec, finder(gzip.compress(KERNEL)), [], pytest.fail)
    assert own.append == "root=UUID=1 ro quiet"
    assert files.kernel is not None
    assert files.kernel.name == "kernel of disk d (/vmlinuz-1)"
    assert files.initrd is None


def test_a_disk_with_nonsense_is_refused_by_its_name() -> None:
    spec = VmSpec(from_disk=True, disks=(DISK,))
    with pytest.raises(HospesError, match=r"kernel of disk d \(/vmlinuz-1\) is not a RISC-V"):
        boot_files(spec, finder(b"nonsense" * 100), [], pytest.fail)


def test_the_images_own_kernel_is_booted_when_the_disk_has_none(tmp_path: Path) -> None:
    (tmp_path / "kernel").write_bytes(KERNEL)
    spec = VmSpec(kernel=tmp_path / "kernel", from_disk=True, disks=(DISK,), append="quiet")

    def find(disks: Sequence[BlockDevice]) -> BootContent:
        raise HospesError("disk d is empty")

    said: list[str] = []
    own, files = boot_files(spec, find, [], said.append)
    assert own.append == "quiet"
    assert files.kernel is not None
    assert said == ["disk d is empty; this time the image's own kernel is booted"]


@pytest.mark.parametrize(
    ("wanted", "sentence"),
    [
        ({}, "no disk to boot from"),
        ({"bios": Path("b"), "disks": (DISK,)}, "boots by itself"),
        ({"initrd": Path("i"), "disks": (DISK,)}, "nothing to boot"),
    ],
)
def test_what_cannot_boot_from_a_disk(wanted: dict[str, object], sentence: str) -> None:
    with pytest.raises(HospesError, match=sentence):
        VmSpec(from_disk=True, **wanted)  # type: ignore[arg-type]

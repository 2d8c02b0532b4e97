"""Disks as a user asks for them."""

from pathlib import Path

import pytest

from hospes.base.errors import HospesError
from hospes.spec.disk import DiskFormat, DiskSpec, VirtioBus, parse_disk, parse_format


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("data.qcow2", DiskSpec(Path("data.qcow2"))),
        ("size=20G", DiskSpec(size_bytes=20 << 30)),
        ("a.img,format=raw,readonly", DiskSpec(Path("a.img"), DiskFormat.RAW, read_only=True)),
        ("size=1M,format=RAW", DiskSpec(format=DiskFormat.RAW, size_bytes=1 << 20)),
        ("x=y.raw", DiskSpec(Path("x=y.raw"))),
        ("a.raw,serial=data", DiskSpec(Path("a.raw"), serial="data")),
        ("a.raw,bus=mmio", DiskSpec(Path("a.raw"), bus=VirtioBus.MMIO)),
        ("size=1M,bus=PCI", DiskSpec(size_bytes=1 << 20, bus=VirtioBus.PCI)),
    ],
)
def test_parsing(text: str, spec: DiskSpec) -> None:
    assert parse_disk(text) == spec


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "has ''; write a file"),
        ("a.raw,b.raw", "has 'b.raw'; write a file, then format=, size=, serial="),
        ("a.raw,size=1G", "has a size of its own; change it with 'hospes disk resize'"),
        ("readonly", "a disk needs a file or a size"),
        ("size=1G,readonly", "holds nothing"),
        ("size=0", "cannot have 0 bytes"),
        ("a.raw,serial=123456789012345678901", "use up to 20 bytes"),
        ("size=1000", "multiple of 512"),
        ("size=big", "disk size 'big' is not a size"),
        ("a.raw,format=vmdk", "'vmdk' is not a format of disks; choose raw or qcow2"),
        ("a.raw,bus=usb", "'usb' is not a bus of disks; choose mmio or pci"),
    ],
)
def test_refusals(text: str, sentence: str) -> None:
    with pytest.raises(HospesError, match=sentence):
        parse_disk(text)


def test_formats_are_told_apart_by_their_names() -> None:
    assert parse_format("QCOW2") is DiskFormat.QCOW2

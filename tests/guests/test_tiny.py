"""The image `tiny` as it really is: Debian's packages, taken from the cache or fetched once."""

import shutil
import struct

import pytest

from hospes.guests.busybox import applet_names
from hospes.guests.catalogue import ensure, locate
from hospes.guests.cpio import read_archive
from hospes.guests.store import Image, record_file
from hospes.guests.tree import Entry

pytestmark = pytest.mark.guest
ELF_RISCV = 243


@pytest.fixture(scope="module")
def image() -> Image:
    if not shutil.which("apt-get"):
        pytest.skip("the host has no apt-get to fetch Debian's packages with")
    return ensure("tiny")


@pytest.fixture(scope="module")
def files(image: Image) -> dict[str, Entry]:
    return {entry.path: entry for entry in read_archive(image.initrd.read_bytes())}


def test_the_kernel_is_a_riscv_image(image: Image) -> None:
    header = image.kernel.read_bytes()[:64]
    assert (header[:2], header[48:53], header[56:60]) == (b"MZ", b"RISCV", b"RSC\x05")


def test_the_files_are_those_of_the_manifest(image: Image) -> None:
    for name, record in image.manifest.files.items():
        assert record_file(image.directory / name) == record
    names = [package.name for package in image.manifest.packages]
    assert names[0] == "busybox-static"
    assert names[1].startswith("linux-image-6.")
    assert image.manifest.release.startswith("13.")


def test_busybox_is_a_riscv_program_with_all_its_applets(files: dict[str, Entry]) -> None:
    program = files["usr/bin/busybox"].data
    assert struct.unpack_from("<H", program, 18) == (ELF_RISCV,)
    names = applet_names(program)
    assert len(names) > 200
    for name in ("sh", "cttyhack", "modprobe", "mount", "poweroff", "stty"):
        assert name in names
        assert files[f"usr/bin/{name}"].data == b"busybox"


def test_the_modules_carry_debian_s_signature(files: dict[str, Entry]) -> None:
    modules = [path for path in files if path.endswith(".ko")]
    names = {path.rpartition("/")[2] for path in modules}
    drivers = {"balloon", "blk", "mmio", "net"}
    network = {"failover.ko", "net_failover.ko"}
    assert names == {f"virtio_{name}.ko" for name in drivers} | {"virtio-rng.ko"} | network
    for path in modules:
        assert files[path].data.endswith(b"~Module signature appended~\n")


def test_it_stays_small(image: Image) -> None:
    assert image.manifest.files["initrd"].size < 9 << 19


def test_later_uses_need_no_apt(image: Image, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    assert locate("tiny") == image

"""The image of the Debian installer, from a package that a fake apt-get hands out."""

from pathlib import Path

import msgspec
import pytest
from tests.guests.conftest import FakeApt
from tests.guests.debs import deb, member

from hospes.base.errors import HospesError
from hospes.guests import catalogue, installer
from hospes.guests.store import MANIFEST

FOLDER = "./usr/lib/debian-installer/images/13/riscv64/text/debian-installer/riscv64"


def test_kernel_and_initrd_stay_as_they_are(tmp_path: Path, fake_apt: FakeApt) -> None:
    deb(
        fake_apt.path / f"{installer.PACKAGE}.deb",
        (member(f"{FOLDER}/linux"), b"kernel"),
        (member(f"{FOLDER}/initrd.gz"), b"initrd"),
        (member(f"{FOLDER}/grub/linux"), b"other"),
        name=installer.PACKAGE,
    )
    image = catalogue.pull("installer", cache=tmp_path)
    assert (image.kernel.read_bytes(), image.initrd.read_bytes()) == (b"kernel", b"initrd")
    assert [package.name for package in image.manifest.packages] == [installer.PACKAGE]
    assert "xterm" in image.manifest.terminals
    assert not image.manifest.cloud_init
    assert catalogue.ensure("installer", cache=tmp_path) == image
    old = msgspec.structs.replace(image.manifest, recipe="older", append="older")
    (image.directory / MANIFEST).write_bytes(msgspec.json.encode(old))
    assert catalogue.locate("installer", cache=tmp_path) == image
    assert image.initrd.read_bytes() == b"initrd"


def test_a_package_without_them_is_named(tmp_path: Path, fake_apt: FakeApt) -> None:
    deb(
        fake_apt.path / f"{installer.PACKAGE}.deb",
        (member(f"{FOLDER}/linux"), b"kernel"),
        name=installer.PACKAGE,
    )
    with pytest.raises(HospesError, match=r"does not contain .*/riscv64/initrd.gz"):
        catalogue.pull("installer", cache=tmp_path)


def test_it_runs_no_commands() -> None:
    catalogue.check_commands("tiny")
    with pytest.raises(HospesError, match="'installer' is a program of its own"):
        catalogue.check_commands("installer")

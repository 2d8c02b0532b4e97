"""Packages of no image go after a day; those that an image is made of, or is about to, stay."""

import os
import time
from pathlib import Path

import pytest

from hospes.guests import catalogue
from hospes.guests.closure import PackageFile
from hospes.guests.kept_packages import DAY_SECONDS, keep, sweep
from hospes.guests.store import Manifest, PackageRecord, record_file, replace_image

LIBC = PackageRecord("libc6", "2:2.41-12", "")


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    """Two packages and what is kept beside them, of long ago; and two of another kind."""
    directory = tmp_path / "packages"
    (directory / "partial").mkdir(parents=True)
    for name in (
        "libc6_2%3a2.41-12_riscv64.deb", "libc6_2%3a2.40-1_riscv64.deb",
        "linux-image-6_6.12_riscv64.deb", "linux-image-6_6.12_riscv64.deb.modules", "lock", "x.deb",
    ):  # fmt: skip
        (directory / name).write_bytes(b"x")
        long_ago = time.time() - 2 * DAY_SECONDS
        os.utime(directory / name, (long_ago, long_ago))
    return directory


def names(packages: Path) -> list[str]:
    return sorted(path.name for path in packages.iterdir())


def manifest(directory: Path, *, recipe: str = "") -> Manifest:
    for name in ("kernel", "initrd", "disk"):
        (directory / name).write_bytes(b"x")
    files = {name: record_file(directory / name) for name in ("kernel", "initrd", "disk")}
    return Manifest(
        name="debian", recipe=recipe, release="13.9", packages=(LIBC,), files=files,
        memory_bytes=1 << 30, append="", disk="disk",
    )  # fmt: skip


def test_what_no_image_is_made_of_goes(packages: Path, tmp_path: Path) -> None:
    sweep(packages, [manifest(tmp_path)])
    assert names(packages) == ["libc6_2%3a2.41-12_riscv64.deb", "lock", "partial", "x.deb"]


def test_what_is_wanted_now_stays(packages: Path) -> None:
    keep(packages, [PackageFile("linux-image-6", "6.12", "riscv64", "")])
    sweep(packages, [])
    assert names(packages) == ["linux-image-6_6.12_riscv64.deb", "lock", "partial", "x.deb"]


def test_an_images_packages_go_with_it(packages: Path, tmp_path: Path) -> None:
    images = tmp_path / "images"
    images.mkdir()
    for name in ("debian", "debian-cloud"):
        replace_image(images, name, manifest)
    catalogue.remove("debian", tmp_path)
    assert names(packages) == ["libc6_2%3a2.41-12_riscv64.deb", "lock", "partial", "x.deb"]
    catalogue.remove("debian-cloud", tmp_path)
    assert names(packages) == ["lock", "partial", "x.deb"]


def test_a_damaged_image_keeps_them_all(packages: Path, tmp_path: Path) -> None:
    images = tmp_path / "images"
    images.mkdir()
    for name in ("debian", "debian-cloud"):
        replace_image(images, name, manifest)
    (images / "debian-cloud" / "kernel").unlink()
    before = names(packages)
    catalogue.remove("debian", tmp_path)
    assert names(packages) == before


def test_an_older_image_is_listed_as_such(tmp_path: Path) -> None:
    images = tmp_path / "images"
    images.mkdir()
    replace_image(images, "debian", manifest)
    [line] = [line for line in catalogue.list_images(tmp_path) if line.name == "debian"]
    assert line.description.endswith("see 'hospes images pull debian --again'")
    digest = catalogue.RECIPES["debian"].digest
    replace_image(images, "debian", lambda directory: manifest(directory, recipe=digest))
    [line] = [line for line in catalogue.list_images(tmp_path) if line.name == "debian"]
    assert "--again" not in line.description

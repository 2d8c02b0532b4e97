"""The library that is preloaded while an image is made."""

import tarfile
from pathlib import Path

import pytest
from tests.guests.debs import deb, member

from hospes.base.errors import HospesError
from hospes.guests.deb import Package
from hospes.guests.eatmydata import library

FOLDER = "./usr/lib/riscv64-linux-gnu"


def test_the_file_is_found_behind_its_links(tmp_path: Path) -> None:
    package = deb(
        tmp_path / "libeatmydata1.deb",
        (member(f"{FOLDER}/libeatmydata.so", tarfile.SYMTYPE), b""),
        (member(f"{FOLDER}/libeatmydata.so.1", tarfile.SYMTYPE), b""),
        (member(f"{FOLDER}/libeatmydata.so.1.3.0"), b"library"),
        (member("./usr/share/doc/libeatmydata.so.1"), b"text"),
    )
    assert library(Package(package)) == b"library"


def test_a_package_without_it(tmp_path: Path) -> None:
    package = deb(tmp_path / "x.deb", (member("./usr/share/doc/x"), b"text"))
    with pytest.raises(HospesError, match=r"x\.deb brings no libeatmydata\.so; try another"):
        library(Package(package))

"""Packages written with uncompressed members."""

import io
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest
from tests.guests.debs import PACKERS, deb, member

from hospes.base.errors import HospesError
from hospes.guests.deb import Package, ar_members
from hospes.guests.plain_deb import write_plain

FILES = (
    (member("./usr/", tarfile.DIRTYPE, mode=0o755), b""),
    (member("./usr/text"), b"odd"),
    (member("./usr/link", tarfile.SYMTYPE, "text"), b""),
)


def plain(package: Path) -> Path:
    path = package.with_suffix(".plain.deb")
    with path.open("w+b") as out:
        write_plain(package, out)
    return path


@pytest.mark.parametrize("packer", PACKERS)
def test_the_content_stays(tmp_path: Path, packer: str) -> None:
    original = deb(tmp_path / "a.deb", *FILES, packer=packer)
    copy = plain(original)
    assert list(Package(copy).files()) == list(Package(original).files())
    assert Package(copy).control() == Package(original).control()


def test_nothing_is_compressed(tmp_path: Path) -> None:
    content = io.BytesIO(plain(deb(tmp_path / "a.deb", *FILES)).read_bytes())
    names = [name for name, _, _ in ar_members(content)]
    assert names == ["debian-binary", "control.tar", "data.tar"]


def test_it_is_written_where_the_output_stands(tmp_path: Path) -> None:
    package = deb(tmp_path / "a.deb", *FILES)
    out = io.BytesIO(b"before")
    out.seek(6)
    write_plain(package, out)
    assert out.getvalue() == b"before" + plain(package).read_bytes()


@pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="dpkg-deb is not installed")
def test_dpkg_reads_it(tmp_path: Path) -> None:
    copy = plain(deb(tmp_path / "a.deb", *FILES))
    subprocess.run(["dpkg-deb", "--extract", copy, tmp_path / "out"], check=True)
    assert (tmp_path / "out/usr/link").read_bytes() == b"odd"


def test_a_damaged_package_is_named(tmp_path: Path) -> None:
    package = deb(tmp_path / "a.deb", *FILES)
    data = package.read_bytes()
    package.write_bytes(data[: len(data) - 40] + bytes(40))
    with pytest.raises(HospesError, match=r"package a\.deb is damaged"):
        plain(package)

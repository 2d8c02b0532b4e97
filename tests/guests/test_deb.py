"""Packages in every compression, hostile and damaged ones."""

import hashlib
import stat
import tarfile
from pathlib import Path

import pytest
from tests.guests.debs import PACKERS, ar, deb, member

from hospes.base.errors import HospesError
from hospes.guests.deb import Package, control_fields


@pytest.mark.parametrize("packer", list(PACKERS))
def test_files_of_every_kind(tmp_path: Path, packer: str) -> None:
    path = deb(
        tmp_path / "x.deb",
        (member("./", tarfile.DIRTYPE, mode=0o755), b""),
        (member("./usr/bin/", tarfile.DIRTYPE, mode=0o755), b""),
        (member("./usr/bin/perl", mode=0o755), b"program"),
        (member("./usr/bin/perl5", tarfile.LNKTYPE, "./usr/bin/perl"), b""),
        (member("./usr/bin/sh", tarfile.SYMTYPE, "/etc/../bin/dash"), b""),
        packer=packer,
    )
    entries = {entry.path: entry for entry in Package(path).files()}
    assert list(entries) == ["usr/bin", "usr/bin/perl", "usr/bin/perl5", "usr/bin/sh"]
    assert entries["usr/bin"].is_directory
    assert entries["usr/bin/perl"].mode == stat.S_IFREG | 0o755
    assert entries["usr/bin/perl5"].data == b"program"
    assert entries["usr/bin/sh"].is_symlink
    assert entries["usr/bin/sh"].data == b"/etc/../bin/dash"


def test_only_what_is_wanted(tmp_path: Path) -> None:
    path = deb(tmp_path / "x.deb", (member("./a"), b"1"), (member("./b"), b"2"))
    assert [entry.path for entry in Package(path).files(lambda name: name == "b")] == ["b"]


def test_control_and_checksum(tmp_path: Path) -> None:
    path = deb(tmp_path / "x.deb", name="hello")
    control = Package(path).control()
    assert (control["Package"], control["Version"]) == ("hello", "1.0-1")
    assert control["Description"] == "a sample\nof several lines"
    assert Package(path).sha256() == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("name", ["/etc/passwd", "../../etc/passwd", "./a/../../b"])
def test_a_path_outside_is_refused(tmp_path: Path, name: str) -> None:
    path = deb(tmp_path / "x.deb", (member(name), b"x"))
    with pytest.raises(HospesError, match="outside"):
        list(Package(path).files())


def test_a_hard_link_to_nothing_is_refused(tmp_path: Path) -> None:
    path = deb(tmp_path / "x.deb", (member("./a", tarfile.LNKTYPE, "./b"), b""))
    with pytest.raises(HospesError, match="not there"):
        list(Package(path).files())


def test_a_package_cut_short_anywhere_is_damaged(tmp_path: Path) -> None:
    path = deb(tmp_path / "x.deb", (member("./a"), bytes(range(256)) * 64))
    whole = path.read_bytes()
    for length in (0, 7, 20, 70, 100, len(whole) // 2, len(whole) - 9):
        path.write_bytes(whole[:length])
        with pytest.raises(HospesError, match=r"x\.deb is damaged"):
            list(Package(path).files())


def test_every_flipped_byte_is_noticed_or_harmless(tmp_path: Path) -> None:
    path = deb(tmp_path / "x.deb", (member("./a"), b"some text " * 20))
    whole = path.read_bytes()
    for at in range(0, len(whole), 3):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x41]) + whole[at + 1 :])
        try:
            list(Package(path).files())
        except HospesError as error:
            assert "x.deb" in str(error) or "archive member" in str(error)  # noqa: PT017


def test_gzip_that_is_none_is_damaged(tmp_path: Path) -> None:
    path = deb(tmp_path / "x.deb", (member("./a"), b"a"), packer="gz")
    data = bytearray(path.read_bytes())
    data[data.rindex(b"\x1f\x8b")] = 0
    path.write_bytes(data)
    with pytest.raises(HospesError, match=r"x\.deb is damaged"):
        list(Package(path).files())


def test_an_unknown_compression_is_named(tmp_path: Path) -> None:
    path = tmp_path / "x.deb"
    path.write_bytes(ar(("debian-binary", b"2.0\n"), ("data.tar.lz9", b"x")))
    with pytest.raises(HospesError, match=r"data\.tar\.lz9"):
        list(Package(path).files())


def test_comments_are_no_fields() -> None:
    assert control_fields("# a: b\nA: 1\n b\nC:2\n") == {"A": "1\nb", "C": "2"}

"""The cpio archive against itself, against damage, and against the host's cpio."""

import io
import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hospes.base.errors import HospesError
from hospes.guests.cpio import read_archive, write_archive
from hospes.guests.tree import Entry, character_device, directory, fifo, regular, symlink

SAMPLE = [
    regular("bin/busybox", b"\x7fELF\0\1\2", 0o4755),
    symlink("bin/sh", "busybox"),
    directory("tmp", 0o1777),
    character_device("dev/console", 5, 1),
    fifo("run/errors"),
    regular("empty", b""),
]


def packed(entries: list[Entry]) -> bytes:
    out = io.BytesIO()
    length = write_archive(entries, out)
    assert length == len(out.getvalue())
    return out.getvalue()


def test_what_is_written_is_read_back() -> None:
    entries = list(read_archive(packed(SAMPLE)))
    made = [directory("bin"), directory("dev"), directory("run")]
    assert entries == sorted(SAMPLE + made, key=lambda entry: entry.path)


def test_the_order_of_entries_does_not_matter() -> None:
    assert packed(SAMPLE) == packed(SAMPLE[::-1])
    assert len(packed(SAMPLE)) % 512 == 0


def test_the_root_has_its_own_permissions() -> None:
    archive = packed([])
    assert archive[110:112] == b".\0"
    assert int(archive[14:22], 16) == 0o40755


@given(st.dictionaries(st.from_regex(r"[a-z]{1,9}", fullmatch=True), st.binary(max_size=99)))
def test_any_content_survives(files: dict[str, bytes]) -> None:
    entries = [regular(path, data) for path, data in files.items()]
    assert {e.path: e.data for e in read_archive(packed(entries))} == files


@given(st.binary(max_size=300), st.integers(0, 600))
def test_damage_is_one_sentence(noise: bytes, at: int) -> None:
    archive = bytearray(packed(SAMPLE[:2]))
    archive[at : at + len(noise)] = noise
    try:
        list(read_archive(bytes(archive)))
    except HospesError as error:
        assert "archive" in str(error)  # noqa: PT017


@pytest.mark.parametrize("length", [0, 50, 111, 120, 400])
def test_a_truncated_archive_is_refused(length: int) -> None:
    with pytest.raises(HospesError, match="damaged at byte"):
        list(read_archive(packed(SAMPLE)[:length]))


def test_a_member_outside_is_refused() -> None:
    out = packed([regular("aa/b", b"x")]).replace(b"aa/b", b"../b")
    with pytest.raises(HospesError, match="outside"):
        list(read_archive(out))


@pytest.mark.skipif(not shutil.which("cpio"), reason="the host has no cpio to compare with")
def test_the_host_s_cpio_agrees() -> None:
    listing = subprocess.run(
        ["cpio", "-itv", "--quiet"], input=packed(SAMPLE), capture_output=True, check=True
    ).stdout.decode()
    lines = {line.split()[8]: line for line in listing.splitlines() if len(line.split()) > 8}
    assert lines["bin/busybox"].startswith("-rwsr-xr-x   1 root     root            7 Jan  1  1970")
    assert lines["bin/sh"].endswith("bin/sh -> busybox")
    assert "5,   1" in listing


def test_a_name_that_is_not_utf8_stays_as_it_is() -> None:
    archive = packed([regular("caf", b"")]).replace(b"caf", b"a\xff\xfe")
    assert packed(list(read_archive(archive))) == archive

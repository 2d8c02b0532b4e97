"""ISO 9660 images: read back by what others wrote for it, and by hand."""

import io
import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from hospes.base.errors import HospesError
from hospes.guests.iso9660 import SECTOR_BYTES, IsoWriter

FILES = {f"package-with-a-long-name-{n}.deb": bytes([n]) * (n * 700) for n in range(60)}


def image(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    writer = IsoWriter(out, "things")
    for name, data in files.items():
        writer.add(name, lambda out, data=data: out.write(data))
    writer.finish()
    return out.getvalue()


def entries(data: bytes) -> dict[str, bytes]:
    """The files by their Rock Ridge names, found as a reader would find them."""
    root = data[16 * SECTOR_BYTES + 156 :]
    sector, size = struct.unpack_from("<I", root, 2)[0], struct.unpack_from("<I", root, 10)[0]
    directory = data[sector * SECTOR_BYTES :][:size]
    found = {}
    at = 0
    while at < size:
        length = directory[at]
        if not length:
            at += SECTOR_BYTES - at % SECTOR_BYTES
            continue
        record = directory[at : at + length]
        assert at // SECTOR_BYTES == (at + length - 1) // SECTOR_BYTES
        where, count = struct.unpack_from("<I", record, 2)[0], struct.unpack_from("<I", record, 10)
        name_at = record.find(b"NM")
        if name_at >= 0:
            name = record[name_at + 5 : name_at + record[name_at + 2]].decode()
            found[name] = data[where * SECTOR_BYTES :][: count[0]]
        at += length
    return found


def test_every_file_is_found() -> None:
    assert entries(image(FILES)) == FILES


def test_the_volume_says_how_long_it_is() -> None:
    data = image(FILES)
    primary = data[16 * SECTOR_BYTES :]
    assert primary[:6] == b"\x01CD001"
    assert primary[40:72].rstrip() == b"THINGS"
    assert struct.unpack_from("<I", primary, 80)[0] * SECTOR_BYTES == len(data)
    assert data[17 * SECTOR_BYTES :][:6] == b"\xffCD001"


def test_the_same_files_make_the_same_image() -> None:
    assert image(FILES) == image(FILES)


@pytest.mark.skipif(shutil.which("isoinfo") is None, reason="isoinfo is not installed")
def test_isoinfo_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "a.iso"
    path.write_bytes(image(FILES))
    listing = subprocess.run(
        ["isoinfo", "-R", "-f", "-i", path], check=True, capture_output=True, text=True
    ).stdout.split()
    assert sorted(listing) == sorted(f"/{name}" for name in FILES)
    name = list(FILES)[-1]
    content = subprocess.run(
        ["isoinfo", "-R", "-x", f"/{name}", "-i", path], check=True, capture_output=True
    ).stdout
    assert content == FILES[name]


@pytest.mark.parametrize("name", ["a/b", "x" * 161])
def test_a_name_that_cannot_be_is_refused(name: str) -> None:
    with pytest.raises(HospesError, match="cannot be put on a disk image"):
        image({name: b""})

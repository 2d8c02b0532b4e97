"""Partition tables, against sfdisk."""

import json
from pathlib import Path

import pytest
from tests.guests.ext4.images import needs_sfdisk, program, raw_disk

from hospes.guests.partitions import partitions
from hospes.storage.errors import OutOfRangeError

TABLES = {
    "gpt": "label: gpt\nsize=2048\nsize=4096\n3: size=100\n9: size=8\n",
    "mbr": "label: dos\nsize=2048\nsize=4096\n",
    "logical": "label: dos\nsize=2048\nsize=20000,type=5\nsize=2048\nsize=2048\nsize=50\nsize=90\n",
}


def disk(path: Path, table: str) -> Path:
    path.write_bytes(bytes(16 << 20))
    program("sfdisk", "--quiet", path, text=table)
    return path


def told(path: Path) -> list[tuple[int, int, int]]:
    """Number, start and size of all partitions but those that hold others, as sfdisk sees them."""
    found = json.loads(program("sfdisk", "--json", path))["partitiontable"]["partitions"]
    return [
        (int(one["node"].removeprefix(str(path))), one["start"] * 512, one["size"] * 512)
        for one in found
        if one["type"] != "5"
    ]


@needs_sfdisk
@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES.keys())
def test_what_sfdisk_makes(tmp_path: Path, table: str) -> None:
    path = disk(tmp_path / "disk", table)
    found = [(one.number, one.start, one.size_bytes) for one in partitions(raw_disk(path))]
    assert found == told(path)
    assert len(found) >= 2


@needs_sfdisk
def test_the_second_gpt_is_used_when_the_first_is_damaged(tmp_path: Path) -> None:
    path = disk(tmp_path / "disk", TABLES["gpt"])
    wanted = told(path)
    data = bytearray(path.read_bytes())
    data[1024 + 40] ^= 1
    path.write_bytes(data)
    assert [(p.number, p.start, p.size_bytes) for p in partitions(raw_disk(path))] == wanted
    data[-512 + 20] ^= 1
    path.write_bytes(data)
    assert partitions(raw_disk(path)) == []


@needs_sfdisk
def test_reading_stays_inside(tmp_path: Path) -> None:
    path = disk(tmp_path / "disk", TABLES["mbr"])
    data = bytearray(path.read_bytes())
    data[1 << 20 : (1 << 20) + 5] = b"first"
    path.write_bytes(data)
    first, _ = partitions(raw_disk(path))
    assert first.name == f"partition 1 of {path}"
    assert first.read(0, 5) == b"first"
    for offset, length in ((-1, 1), (0, first.size_bytes + 1), (first.size_bytes, 1)):
        with pytest.raises(OutOfRangeError):
            first.read(offset, length)


@pytest.mark.parametrize("data", [b"", bytes(512), bytes(4096), b"\xff" * 4096])
def test_no_table(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "disk").write_bytes(data)
    assert partitions(raw_disk(tmp_path / "disk")) == []


def test_a_circle_of_logical_partitions_ends(tmp_path: Path) -> None:
    data = bytearray(1 << 16)
    data[510:512] = b"\x55\xaa"
    data[446:462] = bytes(4) + b"\5" + bytes(3) + (1).to_bytes(4, "little") + b"\x10\0\0\0"
    data[512:1024] = data[:512]
    data[512 + 446 + 4] = 0x83
    data[512 + 462 :][:0] = b""
    data[512 + 470 : 512 + 474] = (0).to_bytes(4, "little")
    data[512 + 462 + 4] = 5
    data[512 + 462 + 8] = 0
    (tmp_path / "disk").write_bytes(data)
    assert len(partitions(raw_disk(tmp_path / "disk"))) <= 64

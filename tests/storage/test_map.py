"""Maps, against QEMU's of the same images."""

import json
import random
from pathlib import Path

import pytest
from tests.storage.history import Model, step
from tests.storage.qemu import needs_qemu, qemu_img, qemu_io

from hospes.storage.block import Kind
from hospes.storage.chain import open_image
from hospes.storage.create import create_image
from hospes.storage.map import map_image
from hospes.storage.qcow2.making import Qcow2Options

SIZE = 1 << 20


@needs_qemu
@pytest.mark.parametrize("seed", range(3))
def test_qemu_sees_the_same_map(seed: int, tmp_path: Path) -> None:
    chance = random.Random(seed)
    base, top = tmp_path / "base.qcow2", tmp_path / "top.qcow2"
    create_image(base, SIZE // 2, options=Qcow2Options(4096))
    create_image(top, SIZE, backing=base, options=Qcow2Options(512 << seed))
    for path in (base, top):
        image = open_image(path, writable=True)
        model = Model(bytearray(image.read(0, image.size_bytes)))
        for _ in range(40):
            step(chance, image, model)
        image.close()
    assert by_sector(ours(top)) == by_sector(qemus(top))


@needs_qemu
def test_compressed_clusters_and_subclusters(tmp_path: Path) -> None:
    raw, top = tmp_path / "a.raw", tmp_path / "top.qcow2"
    raw.write_bytes(bytes(range(256)) * (SIZE // 256))
    qemu_img("convert", "-c", "-O", "qcow2", "-o", "extended_l2=on", raw, top)
    qemu_io(top, "write -P 1 100k 2k", "write -z 300k 4k", "discard 512k 64k")
    assert by_sector(ours(top)) == by_sector(qemus(top))
    image = open_image(top)
    assert Kind.COMPRESSED in {entry.kind for entry in map_image(image)}
    image.close()


Fact = tuple[int, int, bool, bool, int | None]
"""Offset, length, whether it may hold data, whether it reads as zeros, place in the file."""


def ours(path: Path) -> list[Fact]:
    image = open_image(path)
    entries = list(map_image(image))
    assert sum(entry.length for entry in entries) == image.size_bytes
    image.close()
    data = (Kind.DATA, Kind.COMPRESSED)
    return [
        (e.offset, e.length, e.kind in data, e.kind not in data, e.host_offset) for e in entries
    ]


def qemus(path: Path) -> list[Fact]:
    entries = json.loads(qemu_img("map", "--output=json", path))
    return [(e["start"], e["length"], e["data"], e["zero"], e.get("offset")) for e in entries]


def by_sector(facts: list[Fact]) -> dict[int, tuple[bool, bool, int | None]]:
    """Independent of how ranges are joined; a place only where there is data."""
    found: dict[int, tuple[bool, bool, int | None]] = {}
    for offset, length, data, zero, host in facts:
        for at in range(0, length, 512):
            place = None if host is None or not data else host + at
            found[offset + at] = (data, zero, place)
    return found

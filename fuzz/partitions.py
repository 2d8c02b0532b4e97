"""Fuzz target: damaged partition tables, checksums put right, give parts that lie in the disk."""

import random
import struct
import zlib

from fuzz.harness import main, odd_number, one_sentence

from hospes.base.errors import HospesError
from hospes.guests.partitions import GPT_SIGNATURE, LOGICAL_MAX, SECTOR_BYTES, partitions

SECTORS = 256
READS_MAX = 2 * LOGICAL_MAX * 4


class Disk:
    """A disk in memory; reads are counted, and what lies outside is refused."""

    name = "the disk"

    def __init__(self, data: bytearray) -> None:
        self.data, self.reads = data, 0

    @property
    def size_bytes(self) -> int:
        return len(self.data)

    def read(self, offset: int, length: int, /) -> bytes:
        """Exactly length bytes."""
        self.reads += 1
        if offset < 0 or length < 0 or offset + length > len(self.data):
            raise HospesError("outside of the disk")
        return bytes(self.data[offset : offset + length])


def case(chance: random.Random) -> None:
    """One disk."""
    data = bytearray(SECTORS * SECTOR_BYTES)
    if chance.random() < 0.5:
        for sector in chance.choice(((1, SECTORS - 1), (1,), (SECTORS - 1,))):
            put_gpt(chance, data, sector)
        put_record(chance, data, 0, 0, 0xEE)
    else:
        for sector in (0, *chance.sample(range(1, SECTORS), 8)):
            for number in range(4):
                kind = chance.choice((0, 0x83, 0x05, 0x0F, 0x85, chance.randrange(256)))
                put_record(chance, data, sector, number, kind)
    if chance.random() < 0.1:
        del data[chance.randrange(len(data)) :]
    disk = Disk(data)
    one_sentence(lambda: look(disk))
    assert disk.reads < READS_MAX, disk.reads


def look(disk: Disk) -> None:
    """Every part is inside, and nothing outside of a part can be read through it."""
    for part in partitions(disk):
        assert 0 < part.start <= part.start + part.size_bytes <= disk.size_bytes
        one_sentence(lambda part=part: part.read(0, 512))
        for offset in (-1, part.size_bytes):
            try:
                part.read(offset, 512)
            except HospesError:
                continue
            raise AssertionError("a partition is read outside of it")


def put_record(chance: random.Random, data: bytearray, sector: int, number: int, kind: int) -> None:
    """One of the four records of a boot sector."""
    start, count = (number_of(chance, 32) for _ in range(2))
    at = sector * SECTOR_BYTES
    struct.pack_into("<B3xB3xII", data, at + 446 + 16 * number, 0, kind, start, count)
    data[at + 510 : at + 512] = b"\x55\xaa" if chance.random() < 0.98 else b"\0\0"


def put_gpt(chance: random.Random, data: bytearray, sector: int) -> None:
    """A header and its entries, which agree mostly."""
    each = chance.choice((128, 128, 256, odd_number(chance, 32) & 0xFFFF_FFFF))
    count = chance.choice((4, 16, 128, odd_number(chance, 32) & 0xFFFF_FFFF))
    table = chance.choice((2, 2, 100, odd_number(chance, 64) % (1 << 64)))
    size = chance.choice((92, 92, 92, 512, odd_number(chance, 32) & 0xFFFF_FFFF))
    for number in range(min(count, 16)):
        first, last = number_of(chance, 64), number_of(chance, 64)
        at = 2 * SECTOR_BYTES + number * min(each, 256)
        struct.pack_into("<16s16sQQQ", data, at, bytes([number % 3]) * 16, b"", first, last, 0)
    entries = data[(table * SECTOR_BYTES) :][: count * each] if table < SECTORS else b""
    own = sector if chance.random() < 0.95 else number_of(chance, 64)
    header = bytearray(SECTOR_BYTES)
    struct.pack_into(
        "<8sIIIIQQQQ16sQIII", header, 0, GPT_SIGNATURE, 1 << 16, size, 0, 0, own, 0, 34,
        SECTORS - 34, b"", table, count, each, zlib.crc32(entries),
    )  # fmt: skip
    struct.pack_into("<I", header, 16, zlib.crc32(header[: min(size, SECTOR_BYTES)]))
    data[sector * SECTOR_BYTES : (sector + 1) * SECTOR_BYTES] = header


def number_of(chance: random.Random, bits: int) -> int:
    """A sector's number, mostly on the disk."""
    inside = chance.randrange(SECTORS)
    return inside if chance.random() < 0.8 else odd_number(chance, bits) % (1 << bits)


if __name__ == "__main__":
    main(case)

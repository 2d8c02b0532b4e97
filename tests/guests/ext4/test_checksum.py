"""The checksums against published values and a bit-by-bit computation."""

import random

import pytest

from hospes.guests.ext4.checksum import crc16, crc32c


def bitwise(data: bytes, crc: int) -> int:
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc


def test_known_values() -> None:
    assert crc32c(b"123456789") ^ 0xFFFF_FFFF == 0xE306_9283
    assert crc16(b"123456789", 0) == 0xBB3D


@pytest.mark.parametrize("length", [0, 1, 3, 4, 5, 1023, 1024, 1025, 1027, 1028, 4096])
def test_every_length_and_start(length: int) -> None:
    data, start = random.Random(length).randbytes(length), 0x1234_5678 + length
    assert crc32c(data, start) == bitwise(data, start)
    assert crc32c(data[length // 2 :], crc32c(data[: length // 2])) == crc32c(data)

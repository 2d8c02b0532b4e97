"""The Internet checksum against one that adds word by word."""

import random

from hypothesis import given
from hypothesis import strategies as st
from tests.network.frames import fold

from hospes.network.checksum import SHORT_BYTES, checksum, ones_sum, pseudo_header


@given(st.binary(max_size=2 * SHORT_BYTES))
def test_any_data(data: bytes) -> None:
    assert checksum(data) == fold(data)
    assert checksum(memoryview(data)) == fold(data)


def test_long_and_odd() -> None:
    chance = random.Random(1)
    for length in (511, 512, 513, 514, 515, 516, 1460, 65535, 65536):
        data = chance.randbytes(length)
        assert checksum(data) == fold(data), length
        assert checksum(memoryview(b"x" + data)[1:]) == fold(data), length


def test_the_two_zeros() -> None:
    assert ones_sum(bytes(600)) == ones_sum(b"") == 0
    assert ones_sum(b"\xff\xff" * 400) == ones_sum(b"\xff\xff") == 0xFFFF
    assert checksum(b"\xff\xff") == 0


def test_an_initial_sum_counts() -> None:
    data = bytes(range(256)) * 8
    assert ones_sum(data[1000:], ones_sum(data[:1000])) == ones_sum(data)


def test_a_pseudo_header() -> None:
    source, destination = bytes((10, 0, 0, 1)), bytes((10, 0, 0, 2))
    want = fold(source + destination + bytes((0, 17)) + (1234).to_bytes(2, "big"))
    assert pseudo_header(source, destination, 17, 1234) ^ 0xFFFF == want
    long = fold(source * 8 + (70000).to_bytes(4, "big") + bytes((0, 0, 0, 6)))
    assert pseudo_header(source * 4, source * 4, 6, 70000) ^ 0xFFFF == long

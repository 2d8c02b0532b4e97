"""Compressed clusters: whatever the data claims, one cluster comes out or an error."""

import random
import time
import tracemalloc
import zlib

import pytest
import zstandard

from hospes.storage.qcow2.compression import CompressionError, compress, decompress
from hospes.storage.qcow2.header import Compression

CLUSTER = 65536


@pytest.mark.parametrize("method", Compression)
def test_there_and_back(method: Compression) -> None:
    data = b"hospes" * (CLUSTER // 6) + b"abcd"
    packed = compress(method, data)
    assert packed is not None
    assert len(packed) < 1000
    assert decompress(method, packed + b"the next cluster", CLUSTER) == data
    assert compress(method, random.Random(1).randbytes(CLUSTER)) is None


@pytest.mark.parametrize("method", Compression)
@pytest.mark.parametrize("data", [b"", b"junk" * 100, bytes(1000)])
def test_junk(method: Compression, data: bytes) -> None:
    with pytest.raises(CompressionError):
        decompress(method, data, CLUSTER)


@pytest.mark.parametrize("method", Compression)
def test_too_little(method: Compression) -> None:
    packed = compress(method, bytes(CLUSTER // 2))
    assert packed is not None
    with pytest.raises(CompressionError, match="only 32768 bytes"):
        decompress(method, packed, CLUSTER)


def test_bombs_do_not_go_off() -> None:
    """64 MiB of zeros in a few kilobytes, and a frame that claims an exabyte."""
    huge = bytes(1 << 26)
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    bombs = [
        (Compression.ZLIB, packer.compress(huge) + packer.flush()),
        (Compression.ZSTD, zstandard.ZstdCompressor().compress(huge)),
        (Compression.ZSTD, bytes.fromhex("28b52ffd e0 0000000000000010 010000")),
    ]
    del huge
    tracemalloc.start()
    began = time.process_time()
    for method, bomb in bombs:
        try:
            assert decompress(method, bomb, CLUSTER) == bytes(CLUSTER)
        except CompressionError:
            assert method is Compression.ZSTD
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 << 20
    assert time.process_time() - began < 1

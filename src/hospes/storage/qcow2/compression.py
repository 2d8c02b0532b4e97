"""Compressed clusters: one cluster's worth of bytes in or out, whatever the input claims."""

import io
import zlib
from typing import Final

import zstandard

from hospes.storage.qcow2.header import Compression

_WINDOW_BITS: Final = 12
"""What every reader of the format can be expected to have room for."""
_ANY_WINDOW: Final = -15
_ZSTD_WINDOW_MAX: Final = 1 << 27
_ZSTD_LEVEL: Final = 3


class CompressionError(Exception):
    """The data does not give a cluster."""


def decompress(method: Compression, data: bytes, cluster_bytes: int) -> bytes:
    """The first cluster_bytes bytes that the data holds; CompressionError if there are fewer."""
    try:
        if method is Compression.ZLIB:
            plain = zlib.decompressobj(_ANY_WINDOW).decompress(data, cluster_bytes)
        else:
            plain = _decompress_zstd(data, cluster_bytes)
    except (zlib.error, zstandard.ZstdError) as error:
        raise CompressionError(str(error)) from error
    if len(plain) < cluster_bytes:
        raise CompressionError(f"only {len(plain)} bytes")
    return plain


def compress(method: Compression, data: bytes) -> bytes | None:
    """The data compressed, or None if that does not make it smaller."""
    if method is Compression.ZLIB:
        packer = zlib.compressobj(zlib.Z_DEFAULT_COMPRESSION, zlib.DEFLATED, -_WINDOW_BITS)
        packed = packer.compress(data) + packer.flush()
    else:
        packed = zstandard.ZstdCompressor(_ZSTD_LEVEL).compress(data)
    return packed if len(packed) < len(data) else None


def _decompress_zstd(data: bytes, cluster_bytes: int) -> bytes:
    """Streamed, because a frame may claim any size."""
    reader = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW_MAX).stream_reader(
        io.BytesIO(data), read_across_frames=True
    )
    parts: list[bytes] = []
    missing = cluster_bytes
    while missing and (part := reader.read(missing)):
        parts.append(part)
        missing -= len(part)
    return b"".join(parts)

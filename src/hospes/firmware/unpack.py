"""Decompression of kernels and initrds: gzip, zstd, xz, lzma, bzip2, and EFI "zboot" images."""

import struct
import zlib
from collections.abc import Callable, Iterator
from typing import Final, Protocol

from hospes.base.errors import HospesError

UNPACKED_MAX_BYTES: Final = 1 << 30
_CHUNK: Final = 1 << 20


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, /) -> bytes: ...


Opened = tuple[_Decompressor, type[Exception]]
"""A decompressor, and what it raises at damaged data besides what all of them may."""


def _gzip() -> Opened:
    return zlib.decompressobj(wbits=31), zlib.error


# The others bring their libraries along only for data of their kind: a part of every start.
def _zstd() -> Opened:
    import zstandard

    return zstandard.ZstdDecompressor().decompressobj(), zstandard.ZstdError


def _lzma() -> Opened:
    import lzma

    return lzma.LZMADecompressor(), lzma.LZMAError


def _bzip2() -> Opened:
    import bz2

    return bz2.BZ2Decompressor(), OSError


FORMATS: Final[dict[str, tuple[bytes, Callable[[], Opened]]]] = {
    "gzip": (b"\x1f\x8b", _gzip),
    "zstd": (b"\x28\xb5\x2f\xfd", _zstd),
    "xz": (b"\xfd7zXZ\0", _lzma),
    "bzip2": (b"BZh", _bzip2),
    "lzma": (b"\x5d\0\0", _lzma),
}
UNSUPPORTED: Final = {b"\x02\x21\x4c\x18": "lz4", b"\x04\x22\x4d\x18": "lz4", b"\x89LZO": "lzo"}


def compression(data: bytes) -> str | None:
    """The name of the compression format, None when there is none we know."""
    for name, (magic, _) in FORMATS.items():
        if data.startswith(magic):
            return name
    for magic, name in UNSUPPORTED.items():
        if data.startswith(magic):
            return name
    return None


def unpack(data: bytes, name: str) -> bytes:
    """One compressed stream, unpacked; what follows it is ignored. `name` is how errors call it."""
    return b"".join(chunks(data, name))


def chunks(data: bytes, name: str) -> Iterator[bytes]:
    """The same piecewise, so that a check needs little memory."""
    kind = compression(data)
    if kind not in FORMATS:
        raise HospesError(
            f"{name} is compressed with {kind or 'an unknown method'}, which is not supported; "
            "recompress it with gzip or zstd"
        )
    stream, damage = FORMATS[kind][1]()
    total = 0
    try:
        for at in range(0, len(data), _CHUNK):
            piece = stream.decompress(data[at : at + _CHUNK])
            total += len(piece)
            if total > UNPACKED_MAX_BYTES:
                raise HospesError(f"{name} unpacks to more than 1 GiB; it is not a boot file")
            yield piece
            if stream.eof:
                return
    except (damage, OSError, EOFError, ValueError) as error:
        raise _damaged(name, kind) from error
    raise _damaged(name, kind)


def zboot_payload(data: bytes, name: str) -> bytes | None:
    """The kernel inside an EFI "zboot" image, unpacked; None if the data is no such image."""
    if not data.startswith(b"MZ") or data[4:8] != b"zimg" or len(data) < 32:
        return None
    offset, size = struct.unpack_from("<2I", data, 8)
    if offset + size > len(data):
        raise HospesError(f"{name} is truncated; copy or download it again")
    return unpack(data[offset : offset + size], name)


def _damaged(name: str, kind: str) -> HospesError:
    return HospesError(
        f"{name} is truncated or damaged (its {kind} data does not unpack); "
        "copy or download it again"
    )

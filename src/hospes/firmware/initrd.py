"""Checks of an initrd before a guest gets it: a cpio archive, perhaps compressed, not cut off."""

from typing import Final

from hospes.base.errors import HospesError
from hospes.firmware.unpack import FORMATS, chunks, compression

_CPIO: Final = (b"070701", b"070702")
_CPIO_HEADER_BYTES: Final = 110
_CPIO_END: Final = b"TRAILER!!!"
_FILE_SYSTEMS: Final = (
    (0x438, b"\x53\xef"),
    (0, b"hsqs"),
    (0, b"-rom1fs-"),
    (0, b"\x45\x3d\xcd\x28"),
)


def check_initrd(data: bytes, name: str) -> None:
    """HospesError unless Linux can be expected to unpack it; `name` is how errors call it.

    A plain cpio archive is walked to its end; compressed data is unpacked and thrown away, save in
    the formats that only Linux knows (lz4, lzo).
    """
    at = _skip_zeros(data, 0)
    if at == len(data):
        raise HospesError(f"{name} is empty; make it again")
    while at < len(data):
        if data[at : at + 6] in _CPIO:
            at = _skip_zeros(data, _walk_cpio(data, at, name))
            continue
        rest = data[at:]
        kind = compression(rest)
        if kind in FORMATS:
            _check_compressed(rest, name)
        elif kind is None and not _is_file_system(rest):
            raise HospesError(
                f"{name} is neither a cpio archive nor compressed; make it with cpio -H newc"
            )
        return


def _check_compressed(data: bytes, name: str) -> None:
    """Unpack to the end; what comes out must be an archive."""
    first = b""
    for chunk in chunks(data, name):
        first = first or chunk
    if first[:6] not in _CPIO and not _is_file_system(first):
        raise HospesError(f"{name} holds no cpio archive; make it with cpio -H newc")


def _is_file_system(data: bytes) -> bool:
    return any(data[at : at + len(magic)] == magic for at, magic in _FILE_SYSTEMS)


def _skip_zeros(data: bytes, at: int) -> int:
    """Archives one after another are padded with zeros."""
    while at < len(data) and data[at] == 0:
        span = data[at : at + 4096]
        at += len(span) - len(span.lstrip(b"\0"))
    return at


def _walk_cpio(data: bytes, at: int, name: str) -> int:
    """The offset after one archive's trailer."""
    while True:
        header = data[at : at + _CPIO_HEADER_BYTES]
        try:
            size, name_size = int(header[54:62], 16), int(header[94:102], 16)
        except ValueError:
            size, name_size = -1, 0
        if size < 0 or header[:6] not in _CPIO or not name_size:
            raise HospesError(
                f"{name} is truncated or damaged at byte {at} of {len(data)}; make it again"
            )
        name_at = at + _CPIO_HEADER_BYTES
        data_at = _aligned(name_at + name_size)
        if data[name_at : name_at + name_size - 1] == _CPIO_END:
            return data_at
        at = _aligned(data_at + size)


def _aligned(offset: int) -> int:
    return offset + -offset % 4

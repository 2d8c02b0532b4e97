"""Kernel modules cut down to what depmod reads, so that it need not decompress them in a guest.

A module keeps its name and its symbols, dependencies and descriptions; its code is gone, and so
are its symbols' versions, which depmod only compares. They stand in for the real ones while a
guest's depmod makes its lists, which come out the same.
"""

import lzma
import re
import struct
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np

from hospes.base.errors import HospesError
from hospes.guests.cpio import write_archive
from hospes.guests.deb import open_member
from hospes.guests.tree import regular, safe_path

SUFFIX: Final = ".ko.xz"
# What kmod's reader of ELF files looks at (libkmod/libkmod-elf.c).
KEPT: Final = frozenset((b".modinfo", b".shstrtab", b"__ksymtab_strings"))
SYMBOLS: Final = b".symtab"
EXPORT: Final = b"__crc_"
ELF_MAGIC: Final = b"\x7fELF\x02\x01"
ELF_HEADER: Final = struct.Struct("<16sHHIQQQIHHHHHH")
SECTION: Final = struct.Struct("<IIQQQQIIQQ")
SYMBOL: Final = np.dtype(
    [("name", "<u4"), ("info", "u1"), ("other", "u1"), ("section", "<u2"), ("value", "<u8"),
     ("size", "<u8")]
)  # fmt: skip
LONGEST_CHUNK: Final = 1 << 16
STREAM_FLAGS: Final = b"\0\0"
# Of an xz block: one filter, LZMA2 (0x21) with properties of one byte, a 64 KiB dictionary.
BLOCK_HEADER: Final = b"\x02\x00\x21\x01\x08\0\0\0"


def write_light_modules(package: Path, out: BinaryIO) -> int:
    """Write a cpio archive of the package's compressed modules; how many there are."""
    light = [regular(path, stored_xz(lighten(content))) for path, content in _modules(package)]
    write_archive(light, out)
    return len(light)


def _modules(package: Path) -> Iterator[tuple[str, bytes]]:
    with (
        open_member(package, "data") as plain,
        tarfile.open(fileobj=plain, mode="r|") as archive,
    ):
        for member in archive:
            path = safe_path(member.name)
            if path.endswith(SUFFIX) and (content := archive.extractfile(member)):
                yield path, lzma.decompress(content.read())


def lighten(module: bytes) -> bytes:
    """The module with every section empty but those that depmod reads; 64-bit ELF only."""
    if module[: len(ELF_MAGIC)] != ELF_MAGIC:
        raise HospesError("A kernel module is not a 64-bit ELF file; the package is damaged.")
    try:
        return _lightened(module)
    except (struct.error, IndexError, ValueError, OverflowError):
        raise HospesError("A kernel module has damaged tables; the package is damaged.") from None


def _lightened(module: bytes) -> bytes:
    header = list(ELF_HEADER.unpack_from(module))
    table, count, names_at = header[6], header[12], header[13]
    sections = [list(SECTION.unpack_from(module, table + SECTION.size * n)) for n in range(count)]
    names = _content(module, sections[names_at])
    kept = {n: _content(module, s) for n, s in enumerate(sections) if _name(names, s[0]) in KEPT}
    for number, section in enumerate(sections):
        if _name(names, section[0]) == SYMBOLS:
            strings = _content(module, sections[section[6]])
            kept[number], kept[section[6]] = _visible(_content(module, section), strings)
    light = bytearray(ELF_HEADER.size)
    for number, section in enumerate(sections):
        content = kept.get(number, b"")
        section[4], section[5] = len(light), len(content)
        light += content + bytes(-len(content) % 8)
    header[6] = len(light)
    light[: ELF_HEADER.size] = ELF_HEADER.pack(*header)
    return bytes(light) + b"".join(SECTION.pack(*section) for section in sections)


def _visible(table: bytes, strings: bytes) -> tuple[bytes, bytes]:
    """The symbols that are seen from outside, and their names; an export's is local (__crc_)."""
    symbols = np.frombuffer(table, SYMBOL)
    exports = [match.start() for match in re.finditer(EXPORT, strings)]
    wanted = (symbols["info"] >> 4 != 0) | np.isin(symbols["name"], exports)
    symbols = np.concatenate([symbols[:1], symbols[wanted]])
    names = bytearray(b"\0")
    for number, at in enumerate(symbols["name"].tolist()):
        name = _name(strings, at)
        symbols["name"][number] = len(names) if name else 0
        names += name + b"\0" if name else b""
    return symbols.tobytes(), bytes(names)


def _content(module: bytes, section: list[int]) -> bytes:
    return module[section[4] : section[4] + section[5]]


def _name(names: bytes, at: int) -> bytes:
    return names[at : names.index(b"\0", at)]


def stored_xz(data: bytes) -> bytes:
    """An xz file that holds the data as it is, in LZMA2's uncompressed chunks, unchecked."""
    chunks = bytearray()
    for at in range(0, len(data), LONGEST_CHUNK):
        chunk = data[at : at + LONGEST_CHUNK]
        kind = 2 if at else 1  # the first chunk resets the dictionary
        chunks += struct.pack(">BH", kind, len(chunk) - 1) + chunk
    chunks += b"\0"
    header = BLOCK_HEADER + _checksum(BLOCK_HEADER)
    unpadded = len(header) + len(chunks)
    block = header + chunks + bytes(-len(chunks) % 4)
    index = b"\0\1" + _number(unpadded) + _number(len(data))
    index += bytes(-len(index) % 4)
    index += _checksum(index)
    backward = struct.pack("<I", len(index) // 4 - 1) + STREAM_FLAGS
    start = b"\xfd7zXZ\0" + STREAM_FLAGS + _checksum(STREAM_FLAGS)
    return start + block + index + _checksum(backward) + backward + b"YZ"


def _checksum(data: bytes) -> bytes:
    return struct.pack("<I", zlib.crc32(data))


def _number(value: int) -> bytes:
    """A variable-length integer (.xz file format, 1.2)."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out) + bytes([value])

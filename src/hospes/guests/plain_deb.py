"""Debian packages with their members uncompressed: a guest unpacks them with far less work."""

import shutil
from pathlib import Path
from typing import BinaryIO, Final

from hospes.guests.deb import AR_HEADER_BYTES, AR_MAGIC, open_member

VERSION_MEMBER: Final = "debian-binary"
VERSION: Final = b"2.0\n"
PIECE_BYTES: Final = 1 << 20


def write_plain(package: Path, out: BinaryIO) -> None:
    """Write the package from where `out` stands, as deb(5) has it but for the compression.

    HospesError when the package is damaged.
    """
    out.write(AR_MAGIC + _header(VERSION_MEMBER, len(VERSION)) + VERSION)
    for part in ("control", "data"):
        at = out.tell()
        out.write(bytes(AR_HEADER_BYTES))
        with open_member(package, part) as plain:
            shutil.copyfileobj(plain, out, PIECE_BYTES)
        end = out.tell()
        out.seek(at)
        size = end - at - AR_HEADER_BYTES
        out.write(_header(f"{part}.tar", size))
        out.seek(end)
        out.write(b"\n" * (size % 2))


def _header(name: str, size: int) -> bytes:
    """A member's header, with no time and no owner."""
    return f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{size:<10}`\n".encode()

"""Debian packages made on the spot, for tests that must not need a network."""

import gzip
import io
import lzma
import tarfile
from collections.abc import Callable
from pathlib import Path

import zstandard

PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "xz": lzma.compress,
    "zst": zstandard.compress,
    "gz": gzip.compress,
}


def member(
    name: str, kind: bytes = tarfile.REGTYPE, link: str = "", mode: int = 0o644
) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode = kind, link, mode
    return info


def tar(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for info, data in members:
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def ar(*members: tuple[str, bytes]) -> bytes:
    out = b"!<arch>\n"
    for name, data in members:
        header = f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(data):<10}`\n"
        out += header.encode() + data + b"\n" * (len(data) % 2)
    return out


def deb(
    path: Path,
    *members: tuple[tarfile.TarInfo, bytes],
    name: str = "sample",
    packer: str = "xz",
) -> Path:
    """Write a package with these files."""
    control = f"Package: {name}\nVersion: 1.0-1\nDescription: a sample\n of several lines\n"
    pack = PACKERS[packer]
    path.write_bytes(
        ar(
            ("debian-binary", b"2.0\n"),
            (f"control.tar.{packer}", pack(tar((member("./control"), control.encode())))),
            (f"data.tar.{packer}", pack(tar(*members))),
        )
    )
    return path

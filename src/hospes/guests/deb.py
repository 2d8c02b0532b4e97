"""Debian binary packages: the ar archive and the tar archives in it (deb(5)), read as streams."""

import gzip
import hashlib
import io
import lzma
import stat
import tarfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, BinaryIO, Final, cast

import zstandard

from hospes.base.errors import HospesError
from hospes.guests.tree import Entry, safe_path

AR_MAGIC: Final = b"!<arch>\n"
AR_HEADER_BYTES: Final = 60
TAR_TYPES: Final = {
    tarfile.REGTYPE: stat.S_IFREG,
    tarfile.AREGTYPE: stat.S_IFREG,
    tarfile.LNKTYPE: stat.S_IFREG,
    tarfile.DIRTYPE: stat.S_IFDIR,
    tarfile.SYMTYPE: stat.S_IFLNK,
    tarfile.CHRTYPE: stat.S_IFCHR,
    tarfile.BLKTYPE: stat.S_IFBLK,
    tarfile.FIFOTYPE: stat.S_IFIFO,
}
DAMAGE: Final = (
    tarfile.TarError, lzma.LZMAError, zstandard.ZstdError, zlib.error, gzip.BadGzipFile, EOFError,
    UnicodeError,
)  # fmt: skip


class Section(io.RawIOBase):
    """A window of a file, read from its start."""

    def __init__(self, file: BinaryIO, start: int, length: int) -> None:
        self.file = file
        self.left = length
        file.seek(start)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        piece = self.file.read(min(len(buffer), self.left))
        self.left -= len(piece)
        buffer[: len(piece)] = piece
        return len(piece)


def ar_members(file: BinaryIO) -> Iterator[tuple[str, int, int]]:
    """Name, start and length of every member of an ar archive; ValueError when it is none."""
    if file.read(len(AR_MAGIC)) != AR_MAGIC:
        raise ValueError("it does not begin as an ar archive")
    start = len(AR_MAGIC)
    end = file.seek(0, io.SEEK_END)
    while start < end:
        file.seek(start)
        header = file.read(AR_HEADER_BYTES)
        if len(header) < AR_HEADER_BYTES or header[58:] != b"`\n":
            raise ValueError(f"there is no member header at byte {start}")
        size_text = header[48:58].strip()
        if not size_text.isdigit():
            raise ValueError(f"the member at byte {start} has no length")
        size = int(size_text)
        start += AR_HEADER_BYTES
        if start + size > end:
            raise ValueError("it ends inside a member")
        yield header[:16].decode("ascii").strip().rstrip("/"), start, size
        start += size + size % 2


def _unpacked(name: str, section: io.RawIOBase) -> IO[bytes]:
    stream = io.BufferedReader(section, 1 << 20)
    suffix = name.rpartition(".")[2]
    if suffix == "xz":
        return lzma.open(stream)
    if suffix == "zst":
        return zstandard.ZstdDecompressor().stream_reader(stream)
    if suffix == "gz":
        return cast(IO[bytes], gzip.open(stream))
    if suffix == "tar":
        return stream
    raise ValueError(f"{name} is compressed in a way that is not known here")


@contextmanager
def open_member(path: Path, part: str) -> Iterator[IO[bytes]]:
    """The tar archive `control` or `data` of a package, uncompressed, as a stream.

    Every damage, also one met while the caller reads, becomes one sentence.
    """
    try:
        with path.open("rb") as file:
            for name, start, size in ar_members(file):
                if name.startswith(f"{part}.tar"):
                    yield _unpacked(name, Section(file, start, size))
                    return
            raise ValueError(f"it has no {part}.tar")
    except (ValueError, *DAMAGE) as problem:
        raise HospesError(
            f"The package {path.name} is damaged: {problem}; delete it and fetch it again."
        ) from problem


class Package:
    """One .deb file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextmanager
    def _tar(self, part: str) -> Iterator[tarfile.TarFile]:
        with (
            open_member(self.path, part) as plain,
            tarfile.open(fileobj=plain, mode="r|") as archive,
        ):
            yield archive

    def control(self) -> dict[str, str]:
        """The fields of the control file (deb-control(5))."""
        with self._tar("control") as archive:
            for member in archive:
                if safe_path(member.name) == "control":
                    content = archive.extractfile(member)
                    return control_fields(content.read().decode() if content else "")
            raise ValueError("it has no control file")

    def files(self, wanted: Callable[[str], bool] = lambda path: True) -> Iterator[Entry]:
        """The package's files whose path (relative to the root) is wanted; links stay links.

        A hard link becomes a second file with the same content, if its target is wanted too.
        """
        seen: dict[str, Entry] = {}
        with self._tar("data") as archive:
            for member in archive:
                path = safe_path(member.name)
                if path and wanted(path):
                    entry = _entry(archive, member, path, seen)
                    if entry.is_regular:
                        seen[path] = entry
                    yield entry

    def made_s(self) -> int:
        """When the package was made, in seconds since 1970."""
        with self.path.open("rb") as file:
            header = file.read(len(AR_MAGIC) + AR_HEADER_BYTES)[len(AR_MAGIC) :]
        text = header[16:28].strip()
        return int(text) if text.isdigit() else 0

    def sha256(self) -> str:
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()


def _entry(
    archive: tarfile.TarFile, member: tarfile.TarInfo, path: str, seen: dict[str, Entry]
) -> Entry:
    kind = TAR_TYPES.get(member.type)
    if kind is None:
        raise ValueError(f"{member.name} is of a type not known here ({member.type!r})")
    mode = kind | (member.mode & 0o7777)
    device = (member.devmajor, member.devminor) if member.ischr() or member.isblk() else (0, 0)
    data = b""
    if member.issym():
        data = member.linkname.encode()
    elif member.islnk():
        target = seen.get(safe_path(member.linkname))
        if target is None:
            raise ValueError(f"{member.name} is a link to {member.linkname}, which is not there")
        data = target.data
    elif member.isreg():
        content = archive.extractfile(member)
        data = content.read() if content else b""
    return Entry(path, mode, data, device, member.uid, member.gid)


def control_fields(text: str) -> dict[str, str]:
    """One paragraph of deb822: field names to values; continuation lines keep their newline."""
    fields: dict[str, str] = {}
    name = ""
    for line in text.splitlines():
        if line[:1] in (" ", "\t") and name:
            fields[name] += "\n" + line.strip()
        elif ":" in line and not line.startswith("#"):
            name, _, value = line.partition(":")
            fields[name] = value.strip()
    return fields

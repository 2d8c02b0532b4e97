"""A tar stream made of a file or directory of the host, piece by piece."""

import os
import stat
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from hospes.base.errors import HospesError

BLOCK: Final = 512
PIECE_BYTES: Final = 1 << 16


class Packing:
    """Makes the stream; what is neither a file, a directory nor a symbolic link is `skipped`.

    Everything belongs to root in it; `moved` is told the bytes of files as they go.
    """

    def __init__(self, path: Path, name: str, moved: Callable[[int], object]) -> None:
        self._path, self._name, self._moved = path, name, moved
        self._linked: dict[tuple[int, int], str] = {}
        self.skipped: list[str] = []

    def pieces(self) -> Iterator[bytes]:
        """The whole stream."""
        yield from self._pack(self._path, self._name or ".")
        yield bytes(2 * BLOCK)

    def _pack(self, path: Path, name: str) -> Iterator[bytes]:
        """An entry and, for a directory, what is in it, in an order that does not vary."""
        try:
            status = path.lstat()
            info = tarfile.TarInfo(name)
            seconds, rest_ns = divmod(status.st_mtime_ns, 10**9)
            info.mode, info.mtime = stat.S_IMODE(status.st_mode), seconds
            if rest_ns:
                info.pax_headers = {"mtime": f"{seconds}.{rest_ns:09}"}
            info.uname = info.gname = "root"
            if stat.S_ISLNK(status.st_mode):
                info.type, info.linkname = tarfile.SYMTYPE, os.readlink(path)
                yield _header(info)
            elif stat.S_ISREG(status.st_mode):
                yield from self._pack_file(path, info, status)
            elif stat.S_ISDIR(status.st_mode):
                info.type = tarfile.DIRTYPE
                yield _header(info)
                for entry in sorted(os.listdir(path)):
                    yield from self._pack(path / entry, f"{name}/{entry}")
            else:
                self.skipped.append(str(path))
        except OSError as error:
            raise HospesError(f"{str(path)!r} cannot be read: {error.strerror}.") from None

    def _pack_file(
        self, path: Path, info: tarfile.TarInfo, status: os.stat_result
    ) -> Iterator[bytes]:
        identity = (status.st_dev, status.st_ino)
        if status.st_nlink > 1 and identity in self._linked:
            info.type, info.linkname = tarfile.LNKTYPE, self._linked[identity]
            yield _header(info)
            return
        if status.st_nlink > 1:
            self._linked[identity] = info.name
        with path.open("rb", buffering=0) as file:
            left = info.size = os.fstat(file.fileno()).st_size
            yield _header(info)
            while left:
                piece = file.read(min(left, PIECE_BYTES))
                if not piece:
                    raise HospesError(f"{str(path)!r} shrank while it was copied; copy it again.")
                left -= len(piece)
                self._moved(len(piece))
                yield piece
        yield bytes(-info.size % BLOCK)


def _header(info: tarfile.TarInfo) -> bytes:
    return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")

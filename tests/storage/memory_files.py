"""Files in memory in place of the host's: every change logged, any operation made to fail."""

import errno
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hospes.storage.block import Data
from hospes.storage.errors import HostFileError, ImageInUseError

SECTOR = 512


@dataclass
class Faults:
    """Fails the operation with this number (from 0), with this errno; counts all of them."""

    at: int = -1
    number: int = errno.EIO
    count: int = 0
    half: bool = False

    def due(self) -> bool:
        """Whether the operation that now begins is to fail."""
        self.count += 1
        return self.count - 1 == self.at


@dataclass(frozen=True)
class Change:
    """One entry of a log: data at an offset, a new size, or (neither) a sync."""

    file: str
    offset: int = 0
    data: bytes | None = None
    size: int | None = None

    @property
    def is_sync(self) -> bool:
        return self.data is None and self.size is None


class MemoryFile:
    """A HostFile over a bytearray."""

    def __init__(self, name: str, data: bytes | bytearray = b"", disk: "MemoryDisk | None" = None):
        self.name, self.data = name, bytearray(data)
        self.disk = disk or MemoryDisk()
        self.broken = 0
        self.read_only = False
        self.users: list[bool] = []

    @property
    def identity(self) -> tuple[int, int]:
        return 1, id(self.data)

    def size(self) -> int:
        return len(self.data)

    def allocated(self) -> int:
        return len(self.data)

    def read(self, offset: int, length: int, /) -> bytes:
        assert offset >= 0
        assert length >= 0
        self.disk.reads += length
        return bytes(self.data[offset : offset + length])

    def write(self, offset: int, data: Data, /) -> None:
        assert offset >= 0
        content = bytes(data)
        if self.broken:
            raise HostFileError(self.name, self.broken, "written")
        if offset + len(content) > self.disk.capacity:
            raise HostFileError(self.name, errno.EFBIG, "written")
        if self.disk.faults.due():
            if self.disk.faults.half and len(content) > SECTOR:
                cut = len(content) // 2 + -(offset + len(content) // 2) % SECTOR
                self._store(offset, content[:cut])
            raise HostFileError(self.name, self.disk.faults.number, "written")
        self._store(offset, content)

    def read_at_once(self, offset: int, buffers: Sequence[memoryview], /) -> bool:
        length = sum(map(len, buffers))
        if not self.disk.remembers or offset + length > len(self.data):
            return False
        for buffer in buffers:
            buffer[:] = self.data[offset : offset + len(buffer)]
            offset += len(buffer)
        return True

    def sync(self) -> None:
        if not self.broken and self.disk.faults.due():
            self.broken = self.disk.faults.number
        if self.broken:
            raise HostFileError(self.name, self.broken, "written")
        if not self.disk.ignores_syncs:
            self.disk.log.append(Change(self.name))

    def truncate(self, size: int, /) -> None:
        if self.disk.faults.due():
            raise HostFileError(self.name, self.disk.faults.number, "resized")
        if size > self.disk.capacity:
            raise HostFileError(self.name, errno.EFBIG, "resized")
        self.disk.log.append(Change(self.name, size=size))
        del self.data[size:]
        self.data.extend(bytes(size - len(self.data)))

    def punch(self, offset: int, length: int, /) -> bool:
        if self.disk.faults.due():
            return False
        end = min(offset + length, len(self.data))
        if offset < end:
            self._store(offset, bytes(end - offset))
        return True

    def next_data(self, offset: int, /) -> tuple[int, int]:
        size = len(self.data)
        while offset < size and not any(self.data[offset : offset + 4096]):
            offset += 4096 - offset % 4096
        end = offset
        while end < size and any(self.data[end : end + 4096]):
            end += 4096 - end % 4096
        return min(offset, size), min(max(end, offset), size)

    def close(self) -> None:
        if self.users:
            self.users.pop()

    def _store(self, offset: int, content: bytes) -> None:
        self.disk.log.append(Change(self.name, offset, content))
        if offset > len(self.data):
            self.data.extend(bytes(offset - len(self.data)))
        self.data[offset : offset + len(content)] = content


class MemoryNewFile(MemoryFile):
    """A file that is not in its directory yet."""

    files: "MemoryFiles"
    published = False

    def publish(self) -> None:
        self.sync()
        if self.disk.faults.due():
            raise HostFileError(self.name, self.disk.faults.number, "created")
        self.files.named[Path(self.name)] = self
        self.published = True

    def abandon(self) -> None:
        self.files.unpublished.discard(self.name)


@dataclass
class MemoryDisk:
    """What files of one host share: a log, faults, a size beyond which nothing fits."""

    faults: Faults = field(default_factory=Faults)
    log: list[Change] = field(default_factory=list)
    ignores_syncs: bool = False
    capacity: int = 1 << 28
    reads: int = 0
    remembers: bool = True


class MemoryFiles:
    """A HostFiles with named files only; `opened` tells which were."""

    def __init__(self, **files: MemoryFile) -> None:
        self.named = {Path("/disks") / name: file for name, file in files.items()}
        self.disk = MemoryDisk()
        self.opened: list[Path] = []
        self.unpublished: set[str] = set()

    def add(self, name: str, data: bytes | bytearray = b"") -> MemoryFile:
        """A file in /disks."""
        path = Path("/disks") / name
        self.named[path] = MemoryFile(str(path), data, self.disk)
        return self.named[path]

    def resolve(self, path: Path, /) -> Path:
        if "\0" in str(path) or len(str(path)) > 4096:
            raise HostFileError(str(path), errno.ENAMETOOLONG, "opened")
        parts: list[str] = []
        for part in (Path("/disks") / path).parts:
            if part == "..":
                del parts[1:][-1:]
                parts = parts[:-1] if len(parts) > 1 else parts
            else:
                parts.append(part)
        return Path(*parts)

    def open(self, path: Path, /, *, writable: bool, locked: bool = True) -> MemoryFile:
        self.opened.append(path)
        file = self.named.get(path)
        if file is None:
            raise HostFileError(str(path), errno.ENOENT, "opened")
        if locked and file.users and (writable or any(file.users)):
            raise ImageInUseError(f"{path} is in use by another; stop that one first")
        if locked:
            file.users.append(writable)
        return file

    def create(self, path: Path, /) -> MemoryNewFile:
        path = self.resolve(path)
        if path in self.named:
            raise HostFileError(str(path), errno.EEXIST, "created")
        if self.disk.faults.due():
            raise HostFileError(str(path), self.disk.faults.number, "created")
        file = MemoryNewFile(str(path), b"", self.disk)
        file.files = self
        self.unpublished.add(str(path))
        return file

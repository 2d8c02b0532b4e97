"""Raw images: the file is the disk, byte for byte, and holes read as zeros."""

from collections.abc import Iterator, Sequence

from hospes.storage.block import (
    BlockDevice,
    Data,
    Extent,
    Kind,
    check_range,
    check_writable,
    pieces,
    zeros,
)
from hospes.storage.host_file import HostFile


class RawImage:
    """A BlockDevice over a plain file or a block device; its size is the file's."""

    def __init__(self, file: HostFile, *, writable: bool) -> None:
        self._file, self._writable = file, writable
        self._size = file.size()

    @property
    def name(self) -> str:
        return self._file.name

    @property
    def file(self) -> HostFile:
        """The file underneath."""
        return self._file

    @property
    def size_bytes(self) -> int:
        return self._size

    @property
    def read_only(self) -> bool:
        return not self._writable

    @property
    def backing(self) -> BlockDevice | None:
        return None

    def read(self, offset: int, length: int, /) -> bytes:
        check_range(self, offset, length)
        data = self._file.read(offset, length)
        return data if len(data) == length else data + zeros(length - len(data))

    def read_at_once(self, offset: int, buffers: Sequence[memoryview], /) -> bool:
        check_range(self, offset, sum(map(len, buffers)))
        return self._file.read_at_once(offset, buffers)

    def write(self, offset: int, data: Data, /) -> None:
        check_writable(self, offset, len(data))
        self._file.write(offset, data)

    def flush(self) -> None:
        if self._writable:
            self._file.sync()

    def discard(self, offset: int, length: int, /) -> None:
        check_writable(self, offset, length)
        self._file.punch(offset, length)

    def write_zeroes(self, offset: int, length: int, /, *, unmap: bool) -> None:
        check_writable(self, offset, length)
        if unmap and self._file.punch(offset, length):
            return
        for at, size in pieces(offset, length, 1 << 20):
            self._file.write(at, zeros(size))

    def resize(self, size_bytes: int, /) -> None:
        check_writable(self, 0, 0)
        self._file.truncate(size_bytes)
        self._file.sync()
        self._size = size_bytes

    def extents(self, offset: int, length: int, /) -> Iterator[Extent]:
        check_range(self, offset, length)
        end = offset + length
        while offset < end:
            start, stop = self._file.next_data(offset)
            if start > offset:
                size = min(start, end) - offset
                yield Extent(offset, size, Kind.ZERO, None)
            elif stop > offset:
                size = min(stop, end) - offset
                yield Extent(offset, size, Kind.DATA, offset)
            else:
                size = end - offset
                yield Extent(offset, size, Kind.ZERO, None)
            offset += size

    def close(self) -> None:
        self._file.close()

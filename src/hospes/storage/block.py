"""What every disk image offers: bytes at offsets, and a map of where they come from."""

from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import Final, NamedTuple, Protocol

from hospes.storage.errors import OutOfRangeError, ReadOnlyImageError

Data = bytes | bytearray | memoryview

REQUEST_BYTES: Final = 4 << 20
"""Larger requests are done piece by piece, which bounds what one of them may hold in memory."""

_ZEROS: Final = bytes(1 << 20)


class Kind(StrEnum):
    """Where the content of a range comes from."""

    DATA = "data"
    ZERO = "zero"
    COMPRESSED = "compressed"
    UNALLOCATED = "unallocated"


class Extent(NamedTuple):
    """A range of the disk whose content comes from one place; host_offset only for DATA."""

    offset: int
    length: int
    kind: Kind
    host_offset: int | None


class BlockDevice(Protocol):
    """A disk, addressed in bytes; every method may be called from any thread.

    Errors are StorageErrors. After a failed write each 512-byte sector of the range holds its old
    or its new content; other ranges are as they were.
    """

    @property
    def name(self) -> str:
        """The file's name, for messages."""
        ...

    @property
    def size_bytes(self) -> int:
        """The size the guest sees."""
        ...

    @property
    def read_only(self) -> bool:
        """Whether writing is refused."""
        ...

    @property
    def backing(self) -> "BlockDevice | None":
        """The disk that shows where this one holds nothing."""
        ...

    def read(self, offset: int, length: int, /) -> bytes:
        """Exactly length bytes."""
        ...

    def read_at_once(self, offset: int, buffers: Sequence[memoryview], /) -> bool:
        """Fill the buffers if that takes no waiting, be it for the disk or another thread.

        If it returns False, the buffers hold anything and `read` is to be used.
        """
        ...

    def write(self, offset: int, data: Data, /) -> None:
        """Store bytes; they survive a power cut once `flush` has returned."""
        ...

    def flush(self) -> None:
        """Return when everything written so far is on the host's disk."""
        ...

    def discard(self, offset: int, length: int, /) -> None:
        """Give up the content of whole clusters in the range; those then read as zeros."""
        ...

    def write_zeroes(self, offset: int, length: int, /, *, unmap: bool) -> None:
        """Make the range read as zeros; with unmap, its space may be given back to the host."""
        ...

    def resize(self, size_bytes: int, /) -> None:
        """Change the size; what is added reads as zeros, what is cut off is lost."""
        ...

    def extents(self, offset: int, length: int, /) -> Iterator[Extent]:
        """Where the content of the range comes from, in order and without gaps."""
        ...

    def close(self) -> None:
        """Write back what is pending and let go of the files."""
        ...


def check_range(device: BlockDevice, offset: int, length: int) -> None:
    """OutOfRangeError unless the range lies within the disk."""
    if offset < 0 or length < 0 or offset + length > device.size_bytes:
        raise OutOfRangeError(
            f"{length} bytes at {offset} are outside of {device.name}, which has "
            f"{device.size_bytes} bytes"
        )


def check_writable(device: BlockDevice, offset: int, length: int) -> None:
    """ReadOnlyImageError or OutOfRangeError unless the range may be written."""
    if device.read_only:
        raise ReadOnlyImageError(
            f"disk {device.name} is open for reading only; open it for writing"
        )
    check_range(device, offset, length)


def pieces(offset: int, length: int, limit: int = REQUEST_BYTES) -> Iterator[tuple[int, int]]:
    """(offset, length) of the parts of a range, cut at multiples of limit."""
    end = offset + length
    while offset < end:
        stop = min(end, offset - offset % limit + limit)
        yield offset, stop - offset
        offset = stop


def is_zero(data: Data) -> bool:
    """Whether all bytes are zero."""
    view = memoryview(data)
    if not view or view[0]:
        return not view
    # Bytes are compared at once, views byte by byte.
    return all(
        bytes(view[at : at + size]) == zeros(size) for at, size in pieces(0, len(view), len(_ZEROS))
    )


def take(buffers: list[memoryview], length: int) -> list[memoryview]:
    """Cut so many bytes off the front of a list of buffers."""
    taken = []
    while length > 0:
        first = buffers.pop(0)
        if len(first) > length:
            buffers.insert(0, first[length:])
            first = first[:length]
        taken.append(first)
        length -= len(first)
    return taken


def zeros(length: int) -> bytes:
    """That many zero bytes."""
    return _ZEROS[:length] if length <= len(_ZEROS) else bytes(length)

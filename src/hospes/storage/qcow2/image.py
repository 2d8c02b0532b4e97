"""A qcow2 image as a block device."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from threading import RLock

from hospes.storage.block import (
    REQUEST_BYTES,
    BlockDevice,
    Data,
    Extent,
    check_range,
    check_writable,
    is_zero,
    pieces,
    zeros,
)
from hospes.storage.errors import DamagedImageError, UnsupportedImageError
from hospes.storage.host_file import HostFile
from hospes.storage.qcow2 import layout
from hospes.storage.qcow2.backing import change_backing
from hospes.storage.qcow2.header import Header, read_header
from hospes.storage.qcow2.mapping import Mapping
from hospes.storage.qcow2.metadata import Metadata
from hospes.storage.qcow2.resizing import grow, shrink
from hospes.storage.qcow2.writing import Writer
from hospes.storage.qcow2.zeroing import Mode, Zeroer


class Qcow2Image:
    """A BlockDevice over a qcow2 file and the image it is based on, if any.

    One request at a time is worked on; only waiting for the host's disk in a plain flush lets
    others in. The backing image is closed with this one.
    """

    def __init__(
        self,
        file: HostFile,
        header: Header,
        backing: BlockDevice | None = None,
        *,
        writable: bool,
    ) -> None:
        self._file, self._writable = file, writable
        self.meta = Metadata(file, header)
        self.mapping = Mapping(self.meta, backing)
        self.writer = Writer(self.meta, self.mapping)
        self._zeroer = Zeroer(self.meta, self.mapping, self.writer)
        self._lock = RLock()
        self._prepared = False
        self._failure: DamagedImageError | None = None
        if writable:
            check_may_write(header, file.name)

    @property
    def name(self) -> str:
        return self._file.name

    @property
    def file(self) -> HostFile:
        """The file underneath."""
        return self._file

    @property
    def header(self) -> Header:
        """The header as the file has it."""
        return self.meta.header

    @property
    def backing(self) -> BlockDevice | None:
        """What shows where this image holds nothing."""
        return self.mapping.backing

    @property
    def size_bytes(self) -> int:
        return self.meta.header.size_bytes

    @property
    def read_only(self) -> bool:
        return not self._writable

    def read(self, offset: int, length: int, /) -> bytes:
        with self._lock:
            check_range(self, offset, length)
            if length <= REQUEST_BYTES:
                data = self.mapping.read(offset, length)
                self.meta.trim()
                return data
            return b"".join(self.read(at, size) for at, size in pieces(offset, length))

    def read_at_once(self, offset: int, buffers: Sequence[memoryview], /) -> bool:
        if not self._lock.acquire(blocking=False):
            return False
        try:
            check_range(self, offset, sum(map(len, buffers)))
            return self.mapping.read_at_once(offset, buffers)
        finally:
            self._lock.release()

    def write(self, offset: int, data: Data, /) -> None:
        view = memoryview(data).cast("B")
        with self._lock:
            self._check_writable(offset, len(view))
            for at, size in pieces(offset, len(view)):
                part = view[at - offset : at - offset + size]
                self._changing(partial(self.writer.write, at, part))

    def write_compressed(self, offset: int, data: bytes, /) -> None:
        """Store one whole cluster, compressed if that makes it smaller."""
        with self._lock:
            self._check_writable(offset, 0)
            cluster = offset >> self.meta.g.cluster_bits
            self._changing(partial(self.writer.write_compressed, cluster, data))

    def flush(self) -> None:
        if self._failure:
            raise self._failure
        if self._writable:
            with self._lock:
                if not self.meta.is_clean:
                    self.meta.commit()
                    return
            self._file.sync()

    def discard(self, offset: int, length: int, /) -> None:
        with self._lock:
            self._check_writable(offset, length)
            _, whole, _ = self._split(offset, length)
            self._changing(partial(self._zeroer.zero, whole, Mode.DISCARD))

    def write_zeroes(self, offset: int, length: int, /, *, unmap: bool) -> None:
        with self._lock:
            self._check_writable(offset, length)
            mode = Mode.UNMAP if unmap else Mode.KEEP
            self._changing(partial(self._zero, offset, length, mode))

    def _zero(self, offset: int, length: int, mode: Mode) -> None:
        head, whole, tail = self._split(offset, length)
        for at, size in (head, tail):
            if size and not is_zero(self.mapping.read(at, size)):
                self.writer.write(at, zeros(size))
        self._zeroer.zero(whole, mode)

    def resize(self, size_bytes: int, /) -> None:
        with self._lock:
            self._check_writable(0, 0)
            if size_bytes < self.size_bytes:
                self._changing(partial(shrink, self.meta, self._zeroer, size_bytes))
            elif size_bytes > self.size_bytes:
                zero = partial(self._zero, mode=Mode.UNMAP)
                self._changing(partial(grow, self.meta, zero, size_bytes))

    def extents(self, offset: int, length: int, /) -> Iterator[Extent]:
        check_range(self, offset, length)
        for at, size in pieces(offset, length, self.meta.g.l2_span):
            with self._lock:
                found = list(self.mapping.extents(at, size))
                self.meta.trim()
            yield from found

    def clear(self) -> None:
        """Hold nothing any more: the backing image shows everywhere."""
        with self._lock:
            self._check_writable(0, 0)
            self._changing(partial(self._zeroer.forget, 0))

    def change_backing(self, name: str | None, format: str | None) -> None:
        """Have the header name another backing file; this open image keeps the old one."""
        with self._lock:
            self._check_writable(0, 0)
            self._changing(partial(change_backing, self.meta, name, format))

    def finish(self) -> None:
        """Bring the file fully up to date; what a power cut would leave as leaks is not left."""
        with self._lock:
            # The second time for the counts that fell after the first.
            for _ in range(2):
                if not self.meta.is_clean:
                    self.meta.commit()
        self._file.sync()

    def close(self) -> None:
        try:
            if self._writable and self._prepared:
                self.finish()
        finally:
            self._writable = False
            self._file.close()
            if self.mapping.backing is not None:
                self.mapping.backing.close()

    def _changing(self, change: Callable[[], None]) -> None:
        """Run something that writes; an image found damaged on the way is marked as such."""
        try:
            if not self._prepared:
                self._prepare()
            change()
            self.meta.trim()
        except DamagedImageError as error:
            self.meta.give_up()
            self._failure, self._writable = error, False
            raise

    def _check_writable(self, offset: int, length: int) -> None:
        if self._failure:
            raise self._failure
        check_writable(self, offset, length)

    def _prepare(self) -> None:
        """Before the first change: what we do not keep up to date must not be trusted any more."""
        self.meta.reserve()
        if self.meta.header.autoclear:
            self.meta.write_header(autoclear=0)
        self._prepared = True

    def _split(self, offset: int, length: int) -> tuple[tuple[int, int], range, tuple[int, int]]:
        """A range as bytes before, whole clusters, and bytes after; (offset, length) of bytes.

        The last cluster is whole if the range reaches the end of the disk.
        """
        bits, end = self.meta.g.cluster_bits, offset + length
        first = -(-offset >> bits)
        last = self.meta.g.clusters(end) if end == self.size_bytes else end >> bits
        if last <= first:
            return (offset, length), range(0), (end, 0)
        low, high = first << bits, last << bits
        return (offset, low - offset), range(first, last), (high, max(0, end - high))


def open_qcow2(
    file: HostFile, backing: BlockDevice | None = None, *, writable: bool = False
) -> Qcow2Image:
    """The image in a file, over a backing image that the caller has opened."""
    return Qcow2Image(file, read_header(file), backing, writable=writable)


def check_may_write(header: Header, name: str) -> None:
    """UnsupportedImageError or DamagedImageError if the image must not be written to."""
    if header.version < 3:
        raise UnsupportedImageError(
            f"disk {name} is qcow2 version 2, which is read only; convert it first"
        )
    if header.refcount_order != layout.WRITTEN_REFCOUNT_ORDER:
        raise UnsupportedImageError(
            f"disk {name} has reference counts of {1 << header.refcount_order} bits, of which "
            "only 16 are written; convert it first"
        )
    if header.is_corrupt:
        raise DamagedImageError(
            f"disk {name} is marked as corrupt; run 'hospes disk check --repair all' or open it "
            "for reading only"
        )
    if header.is_dirty:
        raise DamagedImageError(
            f"disk {name} was not closed by a program that postpones its reference counts; run "
            "'hospes disk check --repair all'"
        )

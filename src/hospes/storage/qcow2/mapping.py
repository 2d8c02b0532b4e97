"""Where each guest byte of a qcow2 image lies, and what it holds."""

from collections.abc import Iterator, Sequence
from typing import Final

from hospes.storage.block import BlockDevice, Extent, Kind, take, zeros
from hospes.storage.errors import DamagedImageError, StorageError
from hospes.storage.qcow2 import layout
from hospes.storage.qcow2.compression import CompressionError, decompress
from hospes.storage.qcow2.layout import COMPRESSED, OFFSET_MASK, SUBCLUSTERS
from hospes.storage.qcow2.metadata import Metadata
from hospes.storage.qcow2.tables import Table

UNPACKED_CLUSTERS: Final = 8


class Mapping:
    """Reads an image through its L1 and L2 tables; no locking, no bounds of the disk."""

    def __init__(self, meta: Metadata, backing: BlockDevice | None) -> None:
        self._meta, self._g, self._file = meta, meta.g, meta.file
        self.backing = backing
        self._zero_flag = layout.ZERO if meta.header.version > 2 and not self._g.extended else 0
        self._unpacked: dict[int, bytes] = {}

    def read(self, offset: int, length: int) -> bytes:
        """What the guest sees there; zeros beyond the end of a backing file."""
        parts = [self._content(extent) for extent in self.extents(offset, length)]
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def read_at_once(self, offset: int, buffers: Sequence[memoryview]) -> bool:
        """Fill the buffers if tables and data are in memory; False if not, or anything is odd."""
        length = sum(map(len, buffers))
        if not self._meta.has_l2(offset, length):
            return False
        try:
            extents = list(self.extents(offset, length))
        except DamagedImageError:
            return False
        left = list(buffers)
        return all(self._fill_at_once(extent, take(left, extent.length)) for extent in extents)

    def _fill_at_once(self, extent: Extent, buffers: list[memoryview]) -> bool:
        offset, length, kind, host = extent
        if host is not None:
            return self._file.read_at_once(host, buffers)
        if kind is Kind.COMPRESSED:
            return False
        if kind is Kind.UNALLOCATED and self.backing is not None:
            there = offset + length <= self.backing.size_bytes
            return there and self.backing.read_at_once(offset, buffers)
        for buffer in buffers:
            buffer[:] = zeros(len(buffer))
        return True

    def is_empty(self, offset: int, length: int) -> bool:
        """Whether the range reads as zeros by what the tables say, without looking at any data."""
        behind = self.backing.size_bytes if self.backing else 0
        return all(
            extent.kind is Kind.ZERO
            or (extent.kind is Kind.UNALLOCATED and extent.offset >= behind)
            for extent in self.extents(offset, length)
        )

    def extents(self, offset: int, length: int) -> Iterator[Extent]:
        """Where the range comes from; neighbours of one kind may or may not be joined."""
        end = offset + length
        while offset < end:
            l1_index = offset // self._g.l2_span
            stop = min(end, (l1_index + 1) * self._g.l2_span)
            l2 = self._meta.l2(l1_index) if l1_index < len(self._meta.l1.words) else None
            if l2 is None:
                yield Extent(offset, stop - offset, Kind.UNALLOCATED, None)
            elif self._g.extended:
                yield from self._in_extended_table(l2, offset, stop)
            else:
                yield from self._in_table(l2, offset, stop)
            offset = stop

    def entry(self, cluster: int) -> int:
        """The (first word of the) L2 entry of a guest cluster; 0 without a table."""
        l1_index, index = divmod(cluster, self._g.l2_entries)
        l2 = self._meta.l2(l1_index)
        return l2[index * self._g.entry_words] if l2 else 0

    def kind(self, entry: int) -> Kind:
        """What a standard L2 entry says."""
        if entry & COMPRESSED:
            return Kind.COMPRESSED
        if entry & self._zero_flag:
            return Kind.ZERO
        return Kind.DATA if entry & OFFSET_MASK else Kind.UNALLOCATED

    def read_backing(self, offset: int, length: int) -> bytes:
        """What the range holds where this image does not say."""
        size = self.backing.size_bytes if self.backing else 0
        there = max(0, min(length, size - offset))
        if self.backing is None or not there:
            return zeros(length)
        try:
            data = self.backing.read(offset, there)
        except DamagedImageError as error:
            # Of that image, not of this one.
            raise StorageError(str(error)) from error
        return data if there == length else data + zeros(length - there)

    def _in_table(self, l2: Table, offset: int, stop: int) -> Iterator[Extent]:
        bits, size, words = self._g.cluster_bits, self._g.cluster_bytes, l2.words
        mask = OFFSET_MASK | COMPRESSED | self._zero_flag
        while offset < stop:
            at = (offset >> bits) % self._g.l2_entries
            entry = words[at] & mask
            kind = self.kind(entry)
            step = size if kind is Kind.DATA else 0
            end = (offset >> bits << bits) + size
            if kind is not Kind.COMPRESSED:
                expected, at = entry + step, at + 1
                while end < stop and words[at] & mask == expected:
                    end, at, expected = end + size, at + 1, expected + step
            length = min(end, stop) - offset
            host = self._host(entry, offset) if kind is Kind.DATA else None
            yield Extent(offset, length, kind, host)
            offset += length

    def _in_extended_table(self, l2: Table, offset: int, stop: int) -> Iterator[Extent]:
        size, part = self._g.cluster_bytes, self._g.cluster_bytes // SUBCLUSTERS
        while offset < stop:
            at = 2 * ((offset >> self._g.cluster_bits) % self._g.l2_entries)
            entry, bitmap = l2.words[at], l2.words[at + 1]
            base = offset - offset % size
            end = min(stop, base + size)
            if entry & COMPRESSED:
                yield Extent(offset, end - offset, Kind.COMPRESSED, None)
                offset = end
            while offset < end:
                first = last = (offset - base) // part
                kind = self._subcluster(entry, bitmap, first)
                while last + 1 < SUBCLUSTERS and self._subcluster(entry, bitmap, last + 1) is kind:
                    last += 1
                length = min(end, base + (last + 1) * part) - offset
                host = self._host(entry, offset) if kind is Kind.DATA else None
                yield Extent(offset, length, kind, host)
                offset += length

    def _subcluster(self, entry: int, bitmap: int, number: int) -> Kind:
        allocated, zero = bitmap >> number & 1, bitmap >> (number + SUBCLUSTERS) & 1
        if allocated and (zero or not entry & OFFSET_MASK):
            raise self._meta.damage(f"a subcluster bitmap {bitmap:#x}, which cannot be")
        if zero:
            return Kind.ZERO
        return Kind.DATA if allocated else Kind.UNALLOCATED

    def _host(self, entry: int, offset: int) -> int:
        host, size = entry & OFFSET_MASK, self._g.cluster_bytes
        if host % size:
            raise self._meta.damage(f"data of offset {offset} at {host}, which is no cluster")
        return host + offset % size

    def _content(self, extent: Extent) -> bytes:
        offset, length, kind, host = extent
        if host is not None:
            data = self._file.read(host, length)
            return data if len(data) == length else self._padded(data, host, length)
        if kind is Kind.COMPRESSED:
            start = offset % self._g.cluster_bytes
            return self._unpack(self.entry(offset >> self._g.cluster_bits))[start : start + length]
        if kind is Kind.UNALLOCATED and self.backing is not None:
            return self.read_backing(offset, length)
        return zeros(length)

    def _padded(self, data: bytes, host: int, length: int) -> bytes:
        """Data where the file ends: within a cluster the rest is zero, beyond that it is damage."""
        size = self._g.cluster_bytes
        if host + length > -(-self._file.size() // size) * size:
            raise self._meta.damage(f"data at {host}, beyond the end of the file")
        return data + zeros(length - len(data))

    def _unpack(self, entry: int) -> bytes:
        """The content of a compressed cluster; the last few are remembered."""
        key = entry & ~layout.COPIED
        data = self._unpacked.pop(key, None)
        if data is None:
            host, length = self._g.compressed_place(entry)
            try:
                packed = self._file.read(host, length)
                method = self._meta.header.compression
                data = decompress(method, packed, self._g.cluster_bytes)
            except CompressionError as error:
                raise DamagedImageError(
                    f"disk {self._file.name} has a compressed cluster at {host} that cannot be "
                    f"unpacked ({error}); restore it from a copy"
                ) from error
        self._unpacked[key] = data
        while len(self._unpacked) > UNPACKED_CLUSTERS:
            del self._unpacked[next(iter(self._unpacked))]
        return data

    def forget_unpacked(self) -> None:
        """Compressed clusters may have moved: remember none."""
        self._unpacked.clear()

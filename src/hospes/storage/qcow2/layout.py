"""The numbers of the qcow2 format: masks, limits, and the geometry that follows from a header."""

from dataclasses import dataclass
from functools import cached_property
from typing import Final

MAGIC: Final = b"QFI\xfb"
SECTOR_BYTES: Final = 512
"""What a disk writes whole or not at all; metadata changes are ordered in these units."""

OFFSET_MASK: Final = 0x00FF_FFFF_FFFF_FE00
REFCOUNT_OFFSET_MASK: Final = 0xFFFF_FFFF_FFFF_FE00
L1_RESERVED: Final = 0x7F00_0000_0000_01FF
COPIED: Final = 1 << 63
COMPRESSED: Final = 1 << 62
ZERO: Final = 1

SUBCLUSTERS: Final = 32
ALL_ALLOCATED: Final = 0xFFFF_FFFF
ALL_ZERO: Final = 0xFFFF_FFFF_0000_0000

CLUSTER_BITS_MIN: Final = 9
CLUSTER_BITS_MAX: Final = 21
EXTENDED_CLUSTER_BITS_MIN: Final = 14
L1_MAX_BYTES: Final = 32 << 20
REFCOUNT_TABLE_MAX_BYTES: Final = 8 << 20
BACKING_NAME_MAX_BYTES: Final = 1023
SNAPSHOTS_MAX: Final = 65535

DIRTY: Final = 1 << 0
CORRUPT: Final = 1 << 1
EXTERNAL_DATA: Final = 1 << 2
COMPRESSION_TYPE: Final = 1 << 3
EXTENDED_L2: Final = 1 << 4
KNOWN_INCOMPATIBLE: Final = DIRTY | CORRUPT | EXTERNAL_DATA | COMPRESSION_TYPE | EXTENDED_L2
AUTOCLEAR_BITMAPS: Final = 1 << 0

WRITTEN_REFCOUNT_ORDER: Final = 4


@dataclass(frozen=True)
class Geometry:
    """Sizes that follow from the cluster size, the refcount width and the kind of L2 entries."""

    cluster_bits: int
    refcount_order: int = WRITTEN_REFCOUNT_ORDER
    extended: bool = False

    @cached_property
    def cluster_bytes(self) -> int:
        """The unit of allocation."""
        return 1 << self.cluster_bits

    @cached_property
    def entry_words(self) -> int:
        """64-bit words of an L2 entry."""
        return 2 if self.extended else 1

    @cached_property
    def l2_entries(self) -> int:
        """Guest clusters that one L2 table describes."""
        return self.cluster_bytes // (8 * self.entry_words)

    @cached_property
    def l2_span(self) -> int:
        """Guest bytes that one L2 table describes."""
        return self.l2_entries << self.cluster_bits

    @cached_property
    def block_entries(self) -> int:
        """Host clusters that one refcount block counts."""
        return (self.cluster_bytes * 8) >> self.refcount_order

    @cached_property
    def table_entries(self) -> int:
        """Refcount blocks that one cluster of the refcount table names."""
        return self.cluster_bytes // 8

    @cached_property
    def refcount_max(self) -> int:
        """The largest reference count."""
        return (1 << (1 << self.refcount_order)) - 1

    @cached_property
    def compressed_shift(self) -> int:
        """Bits of the host offset in a compressed cluster's descriptor."""
        return 62 - (self.cluster_bits - 8)

    def clusters(self, size_bytes: int) -> int:
        """Clusters needed for that many bytes."""
        return -(-size_bytes >> self.cluster_bits)

    def l1_entries(self, size_bytes: int) -> int:
        """L1 entries needed for a disk of that size."""
        return -(-size_bytes // self.l2_span)

    def compressed_place(self, entry: int) -> tuple[int, int]:
        """(host offset, length in bytes up to the end of the last sector) of compressed data."""
        descriptor = entry & (COMPRESSED - 1)
        offset = descriptor & ((1 << self.compressed_shift) - 1)
        sectors = (descriptor >> self.compressed_shift) + 1
        return offset, sectors * SECTOR_BYTES - offset % SECTOR_BYTES

    def compressed_entry(self, offset: int, length: int) -> int:
        """The descriptor of compressed data at a host offset."""
        last_sector = (offset + length - 1) // SECTOR_BYTES
        sectors = last_sector - offset // SECTOR_BYTES
        return COMPRESSED | sectors << self.compressed_shift | offset

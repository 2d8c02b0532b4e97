"""The bytes of a new, empty qcow2 image."""

from array import array
from dataclasses import dataclass, replace
from typing import Final

from hospes.storage.errors import StorageError
from hospes.storage.host_file import HostFile
from hospes.storage.qcow2 import layout
from hospes.storage.qcow2.header import (
    BACKING_FORMAT,
    WRITTEN_BYTES,
    Compression,
    Extension,
    Header,
    pack_extensions,
)
from hospes.storage.qcow2.layout import Geometry
from hospes.storage.qcow2.tables import pack

DEFAULT_CLUSTER_BYTES: Final = 1 << 16


@dataclass(frozen=True)
class Qcow2Options:
    """How a new image is laid out."""

    cluster_bytes: int = DEFAULT_CLUSTER_BYTES
    compression: Compression = Compression.ZLIB
    extended: bool = False
    backing: str | None = None
    backing_format: str | None = None


def make_qcow2(file: HostFile, size_bytes: int, options: Qcow2Options) -> None:
    """Write an empty image into an empty file: header, refcount table and blocks, L1 table."""
    geometry = _geometry(options)
    l1_entries = geometry.l1_entries(size_bytes)
    if l1_entries * 8 > layout.L1_MAX_BYTES:
        raise StorageError(
            f"disk {file.name} cannot have {size_bytes} bytes with clusters of "
            f"{options.cluster_bytes} bytes; use larger clusters"
        )
    l1_clusters = max(1, geometry.clusters(l1_entries * 8))
    table_clusters, blocks = _refcount_sizes(geometry, 1 + l1_clusters)
    used = 1 + table_clusters + blocks + l1_clusters
    header = Header(
        version=3,
        cluster_bits=geometry.cluster_bits,
        size_bytes=size_bytes,
        l1_size=l1_entries,
        l1_offset=(used - l1_clusters) << geometry.cluster_bits,
        refcount_table_offset=geometry.cluster_bytes,
        refcount_table_clusters=table_clusters,
    )
    file.write(0, _first_cluster(header, options, file.name))
    table = array("Q", ((1 + table_clusters + n) << geometry.cluster_bits for n in range(blocks)))
    file.write(header.refcount_table_offset, pack(table))
    counts = array("H", bytes(2 * blocks * geometry.block_entries))
    counts[:used] = array("H", [1] * used)
    file.write((1 + table_clusters) << geometry.cluster_bits, pack(counts))
    file.truncate(used << geometry.cluster_bits)


def pack_first_cluster(header: Header, name: str) -> bytes:
    """The header with its extensions and backing file name, as they stand in the file."""
    backing = (header.backing or "").encode()
    extensions = pack_extensions(header.extensions)
    offset = header.header_length + len(extensions)
    too_long = len(backing) > layout.BACKING_NAME_MAX_BYTES
    if too_long or offset + len(backing) > 1 << header.cluster_bits:
        raise StorageError(
            f"disk {name} has no room for a backing file name of {len(backing)} bytes; "
            "use a shorter path"
        )
    placed = replace(header, backing_offset=offset if backing else 0, backing_length=len(backing))
    fields = placed.pack_fields() + bytes([header.compression])
    return fields.ljust(header.header_length, b"\0") + extensions + backing


def _first_cluster(header: Header, options: Qcow2Options, name: str) -> bytes:
    incompatible = 0
    if options.extended:
        incompatible |= layout.EXTENDED_L2
    if options.compression:
        incompatible |= layout.COMPRESSION_TYPE
    extensions: tuple[Extension, ...] = ()
    if options.backing and options.backing_format:
        extensions = (Extension(BACKING_FORMAT, options.backing_format.encode()),)
    described = replace(
        header,
        incompatible=incompatible,
        compression=options.compression,
        header_length=WRITTEN_BYTES,
        extensions=extensions,
        backing=options.backing,
    )
    return pack_first_cluster(described, name)


def _geometry(options: Qcow2Options) -> Geometry:
    size = options.cluster_bytes
    bits = size.bit_length() - 1
    smallest = layout.EXTENDED_CLUSTER_BITS_MIN if options.extended else layout.CLUSTER_BITS_MIN
    if size != 1 << bits or not smallest <= bits <= layout.CLUSTER_BITS_MAX:
        raise StorageError(
            f"clusters of {size} bytes cannot be; choose a power of two from {1 << smallest} to "
            f"{1 << layout.CLUSTER_BITS_MAX}"
        )
    return Geometry(bits, extended=options.extended)


def _refcount_sizes(g: Geometry, other_clusters: int) -> tuple[int, int]:
    """(clusters of the refcount table, refcount blocks) that count themselves and the others."""
    tables = blocks = 1
    while True:
        used = tables + blocks + other_clusters
        needed_blocks = -(-used // g.block_entries)
        needed_tables = g.clusters(needed_blocks * 8)
        if (needed_tables, needed_blocks) == (tables, blocks):
            return tables, blocks
        tables, blocks = max(tables, needed_tables), max(blocks, needed_blocks)

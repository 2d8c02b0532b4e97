"""The qcow2 header and its extensions: parsed with every field checked, and packed again."""

import struct
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Final

from hospes.storage.errors import DamagedImageError, UnsupportedImageError
from hospes.storage.host_file import HostFile
from hospes.storage.qcow2 import layout
from hospes.storage.qcow2.layout import Geometry

V2: Final = struct.Struct(">4sIQIIQIIQQIIQ")
V3: Final = struct.Struct(">QQQII")
V3_BYTES: Final = V2.size + V3.size
WRITTEN_BYTES: Final = 112
_EXTENSION: Final = struct.Struct(">II")

END: Final = 0
BACKING_FORMAT: Final = 0xE2792ACA
BITMAPS: Final = 0x23852875


class Compression(IntEnum):
    """How compressed clusters are compressed."""

    ZLIB = 0
    ZSTD = 1


@dataclass(frozen=True)
class Extension:
    """A header extension; most are only carried along."""

    kind: int
    data: bytes


@dataclass(frozen=True)
class Header:
    """All of a header's fields, version 2 told as if it were 3."""

    version: int
    cluster_bits: int
    size_bytes: int
    l1_size: int
    l1_offset: int
    refcount_table_offset: int
    refcount_table_clusters: int
    backing_offset: int = 0
    backing_length: int = 0
    crypt_method: int = 0
    snapshot_count: int = 0
    snapshots_offset: int = 0
    incompatible: int = 0
    compatible: int = 0
    autoclear: int = 0
    refcount_order: int = layout.WRITTEN_REFCOUNT_ORDER
    header_length: int = WRITTEN_BYTES
    compression: Compression = Compression.ZLIB
    extensions: tuple[Extension, ...] = ()
    backing: str | None = None

    @property
    def geometry(self) -> Geometry:
        """Sizes that follow from the fields."""
        extended = bool(self.incompatible & layout.EXTENDED_L2)
        return Geometry(self.cluster_bits, self.refcount_order, extended)

    @property
    def backing_format(self) -> str | None:
        """The backing file's format, when the header names it."""
        data = self.extension(BACKING_FORMAT)
        text = None if data is None else data.decode("ascii", "replace")
        return text if text is None or text.isprintable() else ascii(text)

    @property
    def is_dirty(self) -> bool:
        """Whether the reference counts may be wrong."""
        return bool(self.incompatible & layout.DIRTY)

    @property
    def is_corrupt(self) -> bool:
        """Whether someone found the image damaged."""
        return bool(self.incompatible & layout.CORRUPT)

    def extension(self, kind: int) -> bytes | None:
        """The data of the first extension of a kind."""
        return next((e.data for e in self.extensions if e.kind == kind), None)

    def pack_fields(self) -> bytes:
        """The fixed fields: 72 bytes, 104 from version 3 on."""
        fields = V2.pack(
            layout.MAGIC,
            self.version,
            self.backing_offset,
            self.backing_length,
            self.cluster_bits,
            self.size_bytes,
            self.crypt_method,
            self.l1_size,
            self.l1_offset,
            self.refcount_table_offset,
            self.refcount_table_clusters,
            self.snapshot_count,
            self.snapshots_offset,
        )
        if self.version == 2:
            return fields
        return fields + V3.pack(
            self.incompatible,
            self.compatible,
            self.autoclear,
            self.refcount_order,
            self.header_length,
        )


def pack_extensions(extensions: tuple[Extension, ...]) -> bytes:
    """The extension area with its end marker."""
    parts = [
        _EXTENSION.pack(e.kind, len(e.data)) + e.data + bytes(-len(e.data) % 8) for e in extensions
    ]
    return b"".join(parts) + _EXTENSION.pack(END, 0)


def read_header(file: HostFile) -> Header:
    """The header of a file; DamagedImageError or UnsupportedImageError if it cannot be used."""
    start = file.read(0, layout.SECTOR_BYTES)
    if len(start) < V2.size or start[:4] != layout.MAGIC:
        raise DamagedImageError(
            f"disk {file.name} is not a qcow2 image; check the path and the format"
        )
    header = _unpack(start, file.name)
    cluster = start
    if len(start) == layout.SECTOR_BYTES < header.geometry.cluster_bytes:
        cluster = file.read(0, min(header.geometry.cluster_bytes, 1 << 16))
    header = replace(
        header,
        extensions=_unpack_extensions(header, cluster, file.name),
        backing=_read_backing(header, file),
    )
    check_places(header, file)
    return header


def _unpack(start: bytes, name: str) -> Header:
    f = V2.unpack_from(start)
    version, cluster_bits = f[1], f[4]
    if version not in (2, 3):
        raise UnsupportedImageError(
            f"disk {name} is qcow2 version {version}; only 2 and 3 can be read"
        )
    if not layout.CLUSTER_BITS_MIN <= cluster_bits <= layout.CLUSTER_BITS_MAX:
        raise UnsupportedImageError(
            f"disk {name} has clusters of 2**{cluster_bits} bytes; only 512 bytes to 2 MiB can "
            "be used"
        )
    header = Header(
        version, cluster_bits, f[5], f[7], f[8], f[9], f[10], f[2], f[3], f[6], f[11], f[12],
        header_length=V2.size,
    )  # fmt: skip
    if version == 3:
        header = _unpack_version_3(header, start, name)
    _refuse_unknown(header, name)
    return header


def _unpack_version_3(header: Header, start: bytes, name: str) -> Header:
    if len(start) < V3_BYTES:
        raise DamagedImageError(f"disk {name} ends within its header; restore it from a copy")
    incompatible, compatible, autoclear, order, length = V3.unpack_from(start, V2.size)
    if order > 6 or length < V3_BYTES or length % 8 or length > 1 << header.cluster_bits:
        raise DamagedImageError(
            f"disk {name} has a header with refcount order {order} and length {length}, which "
            "cannot be; restore it from a copy"
        )
    compression = start[V3_BYTES] if length > V3_BYTES and len(start) > V3_BYTES else 0
    named = bool(incompatible & layout.COMPRESSION_TYPE)
    if compression not in tuple(Compression) or named != (compression != 0):
        raise UnsupportedImageError(
            f"disk {name} has clusters compressed by method {compression}; only zlib and zstd "
            "can be read"
        )
    return replace(
        header,
        incompatible=incompatible,
        compatible=compatible,
        autoclear=autoclear,
        refcount_order=order,
        header_length=length,
        compression=Compression(compression),
    )


def _refuse_unknown(header: Header, name: str) -> None:
    unknown = header.incompatible & ~layout.KNOWN_INCOMPATIBLE
    if unknown:
        bits = ", ".join(str(bit) for bit in range(64) if unknown >> bit & 1)
        raise UnsupportedImageError(
            f"disk {name} uses incompatible features unknown to Hospes (bits {bits}); convert it "
            "with the program that made it"
        )
    if header.incompatible & layout.EXTERNAL_DATA:
        raise UnsupportedImageError(
            f"disk {name} keeps its data in another file, which Hospes does not follow; convert it "
            "with qemu-img"
        )
    if header.crypt_method:
        raise UnsupportedImageError(
            f"disk {name} is encrypted; decrypt it first with qemu-img convert"
        )
    extended = header.incompatible & layout.EXTENDED_L2
    if extended and header.cluster_bits < layout.EXTENDED_CLUSTER_BITS_MIN:
        raise DamagedImageError(
            f"disk {name} has subclusters in clusters of {1 << header.cluster_bits} bytes, which "
            "cannot be; restore it from a copy"
        )


def _unpack_extensions(header: Header, cluster: bytes, name: str) -> tuple[Extension, ...]:
    found: list[Extension] = []
    at = header.header_length
    end = min(len(cluster), header.backing_offset or len(cluster))
    while at + _EXTENSION.size <= end:
        kind, length = _EXTENSION.unpack_from(cluster, at)
        if kind == END:
            break
        at += _EXTENSION.size
        if length > end - at:
            raise DamagedImageError(
                f"disk {name} has a header extension of {length} bytes that does not fit; "
                "restore it from a copy"
            )
        found.append(Extension(kind, cluster[at : at + length]))
        at += length + -length % 8
    return tuple(found)


def _read_backing(header: Header, file: HostFile) -> str | None:
    if not header.backing_offset:
        return None
    length, offset = header.backing_length, header.backing_offset
    fits = offset + length <= 1 << header.cluster_bits
    if length > layout.BACKING_NAME_MAX_BYTES or offset < header.header_length or not fits:
        raise DamagedImageError(
            f"disk {file.name} has a backing file name of {length} bytes at {offset}, which cannot "
            "be; restore it from a copy"
        )
    data = file.read(offset, length)
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise DamagedImageError(
            f"disk {file.name} has a backing file name that is not text; rebase it"
        ) from error
    # A name is shown to the user: nothing in it may steer a terminal.
    if not text.isprintable() or len(data) < length:
        raise DamagedImageError(
            f"disk {file.name} has a backing file name that is not text; rebase it"
        )
    return text or None


def check_places(header: Header, file: HostFile) -> None:
    """DamagedImageError unless the tables lie in the file and are large enough for the disk."""
    g, size = header.geometry, file.size()
    l1_bytes = header.l1_size * 8
    table_bytes = header.refcount_table_clusters << g.cluster_bits
    _check_table("L1 table", header.l1_offset, l1_bytes, layout.L1_MAX_BYTES, g, size, file.name)
    _check_table(
        "refcount table", header.refcount_table_offset, table_bytes,
        layout.REFCOUNT_TABLE_MAX_BYTES, g, size, file.name,
    )  # fmt: skip
    if header.l1_size < g.l1_entries(header.size_bytes):
        raise DamagedImageError(
            f"disk {file.name} has an L1 table of {header.l1_size} entries, too few for its "
            f"{header.size_bytes} bytes; restore it from a copy"
        )
    if header.snapshot_count > layout.SNAPSHOTS_MAX:
        raise DamagedImageError(
            f"disk {file.name} claims {header.snapshot_count} snapshots; restore it from a copy"
        )


def _check_table(
    what: str, offset: int, length: int, limit: int, g: Geometry, file_size: int, name: str
) -> None:
    misplaced = offset % g.cluster_bytes or (length and not offset)
    if misplaced or length > limit or offset + length > file_size:
        raise DamagedImageError(
            f"disk {name} has a {what} of {length} bytes at {offset}, which does not fit the file; "
            "restore it from a copy"
        )

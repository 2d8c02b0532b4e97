"""Changing which backing file a qcow2 header names, readable at every moment in between.

A disk writes a sector whole or not at all. If header, extensions and name fit one sector, they are
written at once. Else the name goes to a free place first, then the first sector switches to it with
an extension area that ends within the sector, then the rest of the extensions is put back.
"""

from dataclasses import replace

from hospes.storage.errors import StorageError
from hospes.storage.qcow2.header import (
    BACKING_FORMAT,
    Extension,
    Header,
    pack_extensions,
    read_header,
)
from hospes.storage.qcow2.layout import BACKING_NAME_MAX_BYTES, SECTOR_BYTES
from hospes.storage.qcow2.metadata import Metadata


def change_backing(meta: Metadata, name: str | None, format: str | None) -> None:
    """Name another backing file, or none, keeping all other extensions."""
    header, file = meta.header, meta.file
    text = (name or "").encode()
    named = (Extension(BACKING_FORMAT, format.encode()),) if name and format else ()
    others = tuple(e for e in header.extensions if e.kind != BACKING_FORMAT)
    area = pack_extensions(named + others)
    meta.commit()
    place = _place(header, len(area), len(text), file.name)
    changed = replace(header, backing_offset=place if text else 0, backing_length=len(text))
    fields = changed.pack_fields()
    fields += file.read(len(fields), header.header_length - len(fields))
    end = len(fields) + len(area)
    if max(place + len(text), end, _end(header)) <= SECTOR_BYTES:
        meta.write_first((fields + area).ljust(place, b"\0") + text)
    else:
        if text:
            file.write(place, text)
        if end > SECTOR_BYTES:
            meta.write_first(fields + pack_extensions(named))
            file.write(SECTOR_BYTES, (fields + area)[SECTOR_BYTES:])
        meta.write_first((fields + area)[:SECTOR_BYTES])
    meta.header = read_header(file)


def _end(header: Header) -> int:
    """Where the header's extensions and backing file name end."""
    extensions = header.header_length + len(pack_extensions(header.extensions))
    return max(extensions, header.backing_offset + header.backing_length)


def _place(header: Header, area: int, length: int, name: str) -> int:
    """Where a new name can be written while the old header is still in force."""
    cluster = 1 << header.cluster_bits
    new_end = header.header_length + area
    if max(new_end + length, _end(header)) <= SECTOR_BYTES:
        return new_end
    old_end = header.header_length + len(pack_extensions(header.extensions))
    low, high = header.backing_offset, header.backing_offset + header.backing_length
    place = max(new_end, old_end)
    if place < high and low < place + length:
        place = high
    if length > BACKING_NAME_MAX_BYTES or place + length > cluster:
        raise StorageError(
            f"disk {name} has no room for a backing file name of {length} bytes; use a shorter path"
        )
    return place

"""Where a disk's content lies, through all images it is based on."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from hospes.storage.block import BlockDevice, Extent, Kind


class Piece(NamedTuple):
    """An extent and the image it comes from; depth 0 is the topmost image.

    What no image holds is UNALLOCATED, at the depth of the last one asked.
    """

    extent: Extent
    depth: int
    device: BlockDevice


@dataclass(frozen=True)
class MapEntry:
    """A range of the disk and where its content comes from."""

    offset: int
    length: int
    kind: Kind
    depth: int
    file: str
    host_offset: int | None


def content(device: BlockDevice, offset: int, length: int, depth: int = 0) -> Iterator[Piece]:
    """The pieces of a range, in order and without gaps."""
    backing = device.backing
    for extent in device.extents(offset, length):
        if extent.kind is not Kind.UNALLOCATED or backing is None:
            yield Piece(extent, depth, device)
            continue
        there = max(0, min(extent.length, backing.size_bytes - extent.offset))
        if there:
            yield from content(backing, extent.offset, there, depth + 1)
        if there < extent.length:
            rest = Extent(extent.offset + there, extent.length - there, Kind.UNALLOCATED, None)
            yield Piece(rest, depth, device)


def map_image(device: BlockDevice) -> Iterator[MapEntry]:
    """The whole disk, neighbours of one origin joined."""
    last: MapEntry | None = None
    for extent, depth, source in content(device, 0, device.size_bytes):
        entry = MapEntry(*extent[:3], depth, source.name, extent.host_offset)
        if last is None:
            last = entry
        elif _continues(last, entry):
            length = last.length + entry.length
            last = MapEntry(last.offset, length, last.kind, last.depth, last.file, last.host_offset)
        else:
            yield last
            last = entry
    if last is not None:
        yield last


def _continues(last: MapEntry, entry: MapEntry) -> bool:
    if (last.kind, last.depth) != (entry.kind, entry.depth):
        return False
    expected = None if last.host_offset is None else last.host_offset + last.length
    return entry.host_offset == expected

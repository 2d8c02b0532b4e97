"""One request to a virtio disk (virtio 1.2, section 5.2.6): what it asks, and carrying it out."""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from hospes.base.errors import HospesError
from hospes.devices.backends import BlockBackend
from hospes.devices.virtio.queue import Chain, QueueState

SECTOR_BYTES: Final = 512
ID_BYTES: Final = 20
SEGMENTS_MAX: Final = 16
REQUEST_BYTES_MAX: Final = 64 << 20
"""Larger requests fail; firmware reads a whole kernel at once, Linux no more than 4 MiB."""
DISCARD_SECTORS_MAX: Final = (1 << 30) // SECTOR_BYTES
ZERO_SECTORS_MAX: Final = (64 << 20) // SECTOR_BYTES

IN, OUT, FLUSH, GET_ID, DISCARD, WRITE_ZEROES = 0, 1, 4, 8, 11, 13
OK, IOERR, UNSUPP = 0, 1, 2
UNMAP: Final = 1

HEADER_BYTES: Final = 16
HEADER: Final = struct.Struct("<IIQ")
_SEGMENT: Final = struct.Struct("<QII")
_NEEDED: Final = MappingProxyType({DISCARD: 1 << 13, WRITE_ZEROES: 1 << 14})
_CHANGING: Final = frozenset({OUT, DISCARD, WRITE_ZEROES})


@dataclass(eq=False, slots=True)
class BlockRequest:
    """A request copied out of its ring, and in the end its status and what is read."""

    queue: int
    state: QueueState
    chain: Chain
    kind: int
    sector: int
    data: bytes = b""
    status: int = IOERR
    answer: bytes = b""

    @property
    def data_bytes(self) -> int:
        """How much data the driver gives."""
        return self.chain.readable_bytes - HEADER_BYTES

    @property
    def room_bytes(self) -> int:
        """How much data the driver has room for."""
        return self.chain.writable_bytes - 1

    @property
    def takes_data(self) -> bool:
        """Whether the driver's data is wanted: not if there is more than may be."""
        if self.kind == OUT:
            return self.data_bytes <= REQUEST_BYTES_MAX
        return self.kind in _CHANGING and self.data_bytes <= SEGMENTS_MAX * _SEGMENT.size

    @property
    def held_bytes(self) -> int:
        """The most memory that is held for it until it is answered."""
        reading = self.room_bytes if self.kind == IN else 0
        return len(self.data) + (reading if reading <= REQUEST_BYTES_MAX else 0)

    @property
    def offset(self) -> int:
        """Where on the disk, in bytes."""
        return self.sector * SECTOR_BYTES


@dataclass(frozen=True)
class Terms:
    """What driver and device agreed on; `durable`: a write is done only when it is flushed."""

    features: int
    serial: bytes
    durable: bool


def carry_out(
    request: BlockRequest, disk: BlockBackend, terms: Terms, report: Callable[[str], None]
) -> None:
    """Do it, and note status and answer; an error of the disk is reported as its sentence."""
    work = _WORK.get(request.kind)
    needed = _NEEDED.get(request.kind, 0)
    if work is None or needed & ~terms.features:
        request.status = UNSUPP
        return
    if request.kind in _CHANGING and disk.read_only:
        return
    try:
        request.status = work(request, disk, terms)
        if request.kind in _CHANGING and terms.durable and request.status == OK:
            request.status = IOERR
            disk.flush()
            request.status = OK
    except HospesError as error:
        report(str(error))


def is_inside(disk: BlockBackend, offset: int, length: int) -> bool:
    """Whether the range consists of whole sectors that the disk has."""
    return offset + length <= disk.size_bytes // SECTOR_BYTES * SECTOR_BYTES


def _read(request: BlockRequest, disk: BlockBackend, terms: Terms) -> int:
    length = request.room_bytes
    if length % SECTOR_BYTES or length > REQUEST_BYTES_MAX:
        return IOERR
    if not is_inside(disk, request.offset, length):
        return IOERR
    request.answer = disk.read(request.offset, length)
    return OK


def _write(request: BlockRequest, disk: BlockBackend, terms: Terms) -> int:
    length = request.data_bytes
    if length % SECTOR_BYTES or length != len(request.data):
        return IOERR
    if not is_inside(disk, request.offset, length):
        return IOERR
    disk.write(request.offset, request.data)
    return OK


def _flush(request: BlockRequest, disk: BlockBackend, terms: Terms) -> int:
    disk.flush()
    return OK


def _identify(request: BlockRequest, disk: BlockBackend, terms: Terms) -> int:
    request.answer = terms.serial[:ID_BYTES].ljust(ID_BYTES, b"\0")[: request.room_bytes]
    return OK


def _discard(request: BlockRequest, disk: BlockBackend, terms: Terms) -> int:
    """All segments are checked before the first is done."""
    return _each_segment(request, disk, 0, DISCARD_SECTORS_MAX)


def _zero(request: BlockRequest, disk: BlockBackend, terms: Terms) -> int:
    """All segments are checked before the first is done."""
    return _each_segment(request, disk, UNMAP, ZERO_SECTORS_MAX)


def _each_segment(request: BlockRequest, disk: BlockBackend, flags_known: int, limit: int) -> int:
    if not request.data or len(request.data) % _SEGMENT.size:
        return IOERR
    segments = list(_SEGMENT.iter_unpack(request.data))
    if any(flags & ~flags_known for _, _, flags in segments):
        return UNSUPP
    for sector, count, _ in segments:
        if count > limit or not is_inside(disk, sector * SECTOR_BYTES, count * SECTOR_BYTES):
            return IOERR
    for sector, count, flags in segments:
        offset, length = sector * SECTOR_BYTES, count * SECTOR_BYTES
        if request.kind == DISCARD:
            disk.discard(offset, length)
        else:
            disk.write_zeroes(offset, length, unmap=bool(flags & UNMAP))
    return OK


_WORK: Final = MappingProxyType(
    {
        IN: _read,
        OUT: _write,
        FLUSH: _flush,
        GET_ID: _identify,
        DISCARD: _discard,
        WRITE_ZEROES: _zero,
    }
)

"""The header in front of every frame on a cable: virtio_net_hdr (virtio 1.2, section 5.1.6)."""

import struct
from enum import IntFlag
from typing import Final, NamedTuple

from hospes.base.errors import GuestError

VNET_BYTES: Final = 12
NEEDS_CSUM: Final = 1
DATA_VALID: Final = 2
GSO_NONE, GSO_TCPV4, GSO_UDP, GSO_TCPV6, GSO_UDP_L4 = 0, 1, 3, 4, 5
GSO_ECN: Final = 0x80
FRAME_MAX_BYTES: Final = VNET_BYTES + 18 + 40 + 65535
"""The header, Ethernet with a VLAN tag, and the largest IPv6 packet without a jumbo payload."""

_HEADER: Final = struct.Struct("<BBHHHHH")
PLAIN: Final = _HEADER.pack(0, GSO_NONE, 0, 0, 0, 0, 1)
"""A frame with complete checksums that is to be sent as it is."""


class Offloads(IntFlag):
    """What a card's driver takes: partial checksums, and TCP segments larger than the MTU."""

    CSUM = 1
    TSO4 = 2
    TSO6 = 4


class VnetHeader(NamedTuple):
    """The fields, counted from the Ethernet header; num_buffers is the card's affair."""

    flags: int = 0
    gso_type: int = GSO_NONE
    hdr_len: int = 0
    gso_size: int = 0
    csum_start: int = 0
    csum_offset: int = 0
    num_buffers: int = 1

    @classmethod
    def parse(cls, frame: bytes) -> "VnetHeader":
        """The header of a frame; GuestError if the frame is too short to have one."""
        if len(frame) < VNET_BYTES:
            raise GuestError(f"a frame of {len(frame)} bytes has no virtio_net_hdr")
        return cls(*_HEADER.unpack_from(frame))

    def pack(self) -> bytes:
        """The 12 bytes."""
        return _HEADER.pack(*self)

"""The packets of a virtio socket device (virtio 1.2, section 5.10.6)."""

import struct
from enum import IntEnum, IntFlag
from typing import Final, NamedTuple, Self

HEADER: Final = struct.Struct("<QQIIIHHIII")
HOST_CID: Final = 2
COUNT_MASK: Final = 0xFFFF_FFFF
"""Counts of bytes are free-running and of 32 bits."""

STREAM, SEQPACKET = 1, 2
"""What a socket is, in `type`."""
EOM: Final = 1
"""Of a packet's flags: a message ends with it. The other, EOR, is of no meaning to a host."""


class Operation(IntEnum):
    """What a packet is for, in `op`."""

    REQUEST = 1
    RESPONSE = 2
    RST = 3
    SHUTDOWN = 4
    RW = 5
    CREDIT_UPDATE = 6
    CREDIT_REQUEST = 7


class Shutdown(IntFlag):
    """What the sender of a SHUTDOWN will not do any more, in its flags."""

    RECEIVE = 1
    SEND = 2


class Packet(NamedTuple):
    """A header, field by field."""

    src_cid: int
    dst_cid: int
    src_port: int
    dst_port: int
    length: int
    kind: int
    operation: int
    flags: int = 0
    buf_alloc: int = 0
    fwd_cnt: int = 0

    @classmethod
    def unpack(cls, data: bytes) -> Self:
        """The header at the beginning of a packet, which has to be there."""
        return cls._make(HEADER.unpack_from(data))

    def pack(self) -> bytes:
        """As it goes over a queue."""
        return HEADER.pack(*self)


def refusal(packet: Packet) -> bytes:
    """The RST that answers a packet which belongs to nothing."""
    return Packet(
        packet.dst_cid, packet.src_cid, packet.dst_port, packet.src_port, 0, packet.kind,
        Operation.RST,
    ).pack()  # fmt: skip

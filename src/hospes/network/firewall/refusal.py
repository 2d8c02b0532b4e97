"""The answer to who is refused: an ICMP error, or a reset for a connection of TCP."""

import struct
from typing import Final

from hospes.network import ethernet, icmp, ipv4, ipv6
from hospes.network.firewall.packets import TCP_FLAGS_AT, Link, is_error
from hospes.network.icmp import Unreachable
from hospes.network.offload import complete
from hospes.network.packet import ICMP, ICMPV6, TCP, IpPacket
from hospes.network.tcp_segment import Wire
from hospes.network.vnet import PLAIN

_FIN, _SYN, _RST, _ACK = 1, 2, 4, 16
_MASK: Final = 0xFFFF_FFFF


def refusal(packet: IpPacket, frame: bytes, link: Link) -> bytes | None:
    """The frame that tells a packet's sender; None if nobody is to be told (RFC 1122, 3.2.2).

    It comes from where the packet was going. Linux is told of an error at once by a reset, but by
    ICMP only with its second attempt, for the first is still being made.
    """
    target, source = frame[ethernet.DESTINATION], frame[ethernet.SOURCE]
    if not (ethernet.is_unicast(target) and ethernet.is_unicast(source)):
        return None
    if not (_is_station(packet.source) and _is_station(packet.destination)):
        return None
    if packet.protocol == TCP:
        flags = packet.frame[packet.start + TCP_FLAGS_AT]
        if flags & _RST:
            return None
        return _tagged(_reset(packet, flags, source + target), link.tags)
    if is_error(packet):
        return None
    return _tagged(_prohibited(packet, source + target), link.tags)


def _is_station(address: bytes) -> bool:
    """Whether it may be that of a single host."""
    group = address[0] >= 0xE0 if len(address) == 4 else address[0] == 0xFF
    return any(address) and not group


def _prohibited(packet: IpPacket, macs: bytes) -> bytes:
    source, target = packet.destination, packet.source
    error = icmp.unreachable(Unreachable.PROHIBITED, packet, source)
    if packet.is_ipv4:
        head = ipv4.header(source, target, ICMP, len(error))
        return b"".join((PLAIN, macs, ethernet.IPV4, head, error))
    head = ipv6.header(source, target, ICMPV6, len(error))
    return b"".join((PLAIN, macs, ethernet.IPV6, head, error))


def _reset(packet: IpPacket, flags: int, macs: bytes) -> bytes:
    """RFC 9293, section 3.10.7.1: as of a host that knows of no connection."""
    head = packet.frame[packet.start : packet.start + 20]
    port, own, sequence, acknowledged, offset = struct.unpack_from(">HHIIB", head)
    wire = Wire(macs, packet.destination, packet.source, (own, port))
    if flags & _ACK:
        return complete(wire.frame(acknowledged, 0, _RST, 0))
    length = max(packet.length - (offset >> 4) * 4, 0) + bool(flags & _SYN) + bool(flags & _FIN)
    return complete(wire.frame(0, (sequence + length) & _MASK, _RST | _ACK, 0))


def _tagged(frame: bytes, tags: bytes) -> bytes:
    """On the VLAN that the packet came from."""
    if not tags:
        return frame
    at = ethernet.TYPE.start
    return b"".join((frame[:at], tags, frame[at:]))

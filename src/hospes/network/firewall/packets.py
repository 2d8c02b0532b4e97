"""What a firewall reads in a frame: its connection's key, whatever stands in front of it."""

from typing import Final, NamedTuple

from hospes.base.errors import GuestError
from hospes.network import ethernet, icmp, ipv4, ipv6
from hospes.network.packet import ICMP, ICMPV6, TCP, UDP, IpPacket
from hospes.network.vnet import VNET_BYTES

TCP_BYTES, UDP_BYTES = 20, 8
TCP_FLAGS_AT: Final = 13
VLAN_TYPES: Final = frozenset({b"\x81\x00", b"\x88\xa8", b"\x91\x00"})
"""A tag of a VLAN, and the outer one of two, as IEEE 802.1Q has it and as some had it before."""
TAGS_MAX: Final = 2
TYPE_AT: Final = VNET_BYTES + 12
_ERRORS4: Final = frozenset({3, 11, 12})
_ERRORS6: Final = frozenset({1, 2, 3, 4})
_ASKS, _ANSWERS = b"?", b"!"


class Link(NamedTuple):
    """An Ethernet frame: what it carries, where that begins, and the VLAN tags before it."""

    kind: bytes
    at: int
    tags: bytes


class Transport(NamedTuple):
    """Of one packet: its ports, 0 if it has none, and the keys of its connection.

    `key` is that of packets like this, `back` that of the answers; `answerable` says whether any
    are to be expected, as they are not to messages of ICMP but for an echo's request.
    """

    source_port: int
    port: int
    key: bytes
    back: bytes
    answerable: bool = True


def quick_key(frame: bytes) -> bytes:
    """The key of a packet of TCP or UDP with nothing unusual about it; empty for all others."""
    kind = frame[24:26]
    if kind == ethernet.IPV4:
        if len(frame) < 54 or frame[26] != 0x45 or frame[33] or frame[32] & 0x3F:
            return b""
        protocol = frame[35]
        if (protocol == TCP and len(frame) >= 66) or protocol == UDP:
            return frame[35:36] + frame[38:50]
    elif kind == ethernet.IPV6 and len(frame) >= 74:
        protocol = frame[32]
        if (protocol == TCP and len(frame) >= 86) or protocol == UDP:
            return frame[32:33] + frame[34:70]
    return b""


def quick_flags(frame: bytes) -> int:
    """The flags of a segment that has a `quick_key`."""
    return frame[59] if frame[25] == 0 else frame[79]


def link_of(frame: bytes) -> Link:
    """Past the tags of VLANs; GuestError if it is cut off or they are more than any host reads."""
    at = TYPE_AT
    for _ in range(TAGS_MAX):
        if frame[at : at + 2] not in VLAN_TYPES:
            break
        at += 4
    if len(frame) < at + 2:
        raise GuestError(f"a frame of {len(frame)} bytes")
    kind = frame[at : at + 2]
    if kind in VLAN_TYPES:
        raise GuestError(f"a frame with more than {TAGS_MAX} tags")
    return Link(kind, at + 2, frame[TYPE_AT:at])


def packet_of(frame: bytes, link: Link) -> IpPacket | None:
    """The IP packet in a frame, None if it has another kind; GuestError if it is malformed."""
    if link.kind == ethernet.IPV4:
        return ipv4.parse(frame, link.at)
    if link.kind == ethernet.IPV6:
        return ipv6.parse(frame, link.at)
    return None


def transport_of(packet: IpPacket, tags: bytes) -> Transport:
    """Of a whole packet; GuestError if it is cut off.

    Of IPv6, too, if what stood behind a fragment's header is another header and not the content,
    which would hide there.
    """
    protocol, at = packet.protocol, packet.start
    if not packet.is_ipv4 and protocol in ipv6.EXTENSIONS:
        raise GuestError("an IPv6 extension header behind a fragment's")
    head, pair = bytes((protocol,)), (packet.source, packet.destination)
    there, back = b"".join(pair), b"".join(reversed(pair))
    if protocol in (TCP, UDP):
        if packet.length < (TCP_BYTES if protocol == TCP else UDP_BYTES):
            raise GuestError(f"a header of protocol {protocol} is cut off")
        ports = packet.frame[at : at + 4]
        return Transport(
            int.from_bytes(ports[:2], "big"), int.from_bytes(ports[2:], "big"),
            head + there + ports + tags, head + back + ports[2:] + ports[:2] + tags,
        )  # fmt: skip
    if protocol == (ICMP if packet.is_ipv4 else ICMPV6):
        if packet.length < icmp.HEADER_BYTES:
            raise GuestError("an ICMP message is cut off")
        kind, number = packet.frame[at], packet.frame[at + 4 : at + 6]
        asks = kind == (icmp.ECHO4 if packet.is_ipv4 else icmp.ECHO6)
        one, other = (_ASKS, _ANSWERS) if asks else (_ANSWERS, _ASKS)
        key, reply = head + there + number + one + tags, head + back + number + other + tags
        is_echo = asks or kind == (icmp.ECHO_REPLY4 if packet.is_ipv4 else icmp.ECHO_REPLY6)
        return Transport(0, 0, key if is_echo else b"", reply, asks)
    return Transport(0, 0, head + there + tags, head + back + tags)


def message_type(packet: IpPacket) -> int:
    """Of ICMP in either version; -1 for all else."""
    if packet.protocol == (ICMP if packet.is_ipv4 else ICMPV6) and packet.length:
        return packet.frame[packet.start]
    return -1


def is_error(packet: IpPacket) -> bool:
    """Whether it tells that another packet went nowhere."""
    return message_type(packet) in (_ERRORS4 if packet.is_ipv4 else _ERRORS6)


def blamed_key(error: IpPacket, tags: bytes) -> bytes:
    """The key of the packet that an ICMP error is about; empty if it cannot be told.

    An error is for who has sent that packet, so one for another host is about none.
    """
    frame, at = error.frame, error.start + icmp.HEADER_BYTES
    size = 4 if error.is_ipv4 else 16
    head = ipv4.HEADER_BYTES if error.is_ipv4 else ipv6.HEADER_BYTES
    if error.end < at + head + 8 or frame[at] >> 4 != (4 if error.is_ipv4 else 6):
        return b""
    if error.is_ipv4:
        if int.from_bytes(frame[at + 6 : at + 8], "big") & ipv4.OFFSET_MASK:
            return b""
        protocol, source_at, start = frame[at + 9], at + 12, at + (frame[at] & 15) * 4
    else:
        protocol, source_at, start = frame[at + 6], at + 8, at + head
    source = frame[source_at : source_at + size]
    if source != error.destination or start + 8 > error.end:
        return b""
    return _quoted_key(frame, protocol, frame[source_at : source_at + 2 * size], start) + tags


def _quoted_key(frame: bytes, protocol: int, addresses: bytes, start: int) -> bytes:
    head = bytes((protocol,)) + addresses
    if protocol in (TCP, UDP):
        return head + frame[start : start + 4]
    echo = icmp.ECHO4 if protocol == ICMP else icmp.ECHO6
    if protocol in (ICMP, ICMPV6):
        asks = frame[start] == echo
        return head + frame[start + 4 : start + 6] + (_ASKS if asks else _ANSWERS)
    return head


def payload_of(packet: IpPacket) -> bytes:
    """What a datagram of UDP carries."""
    return bytes(packet.payload[UDP_BYTES:])




def flags_of(packet: IpPacket) -> int:
    """Of a whole segment of TCP; 0 for all else."""
    return packet.frame[packet.start + TCP_FLAGS_AT] if packet.protocol == TCP else 0

"""TCP segments (RFC 9293, section 3.1): parsed, and built as frames that offloads may cut up."""

import struct
from typing import Final, NamedTuple

from hospes.base.errors import GuestError
from hospes.network import ethernet, ipv4, ipv6
from hospes.network.checksum import MODULUS, Data, ones_sum, pseudo_header
from hospes.network.packet import HOP_LIMIT, TCP, IpPacket
from hospes.network.vnet import GSO_NONE, GSO_TCPV4, GSO_TCPV6, NEEDS_CSUM

FIN, SYN, RST, PSH, ACK, URG = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20
HEADER_BYTES: Final = 20
CSUM_OFFSET: Final = 16
MSS_DEFAULT: Final = 536
"""RFC 9293, section 3.7.1: of a guest that names none."""
SCALE_MAX: Final = 14
_END, _NOP, _MSS, _SCALE = 0, 1, 2, 3
_HEADER: Final = struct.Struct(">HHIIBBHHH")
_VNET: Final = struct.Struct("<BBHHHHH")
_IPV4_AND_TCP: Final = struct.Struct(">IHHBBH8sHHIIBBHHH")
_IPV6_AND_TCP: Final = struct.Struct(">IHBB32sHHIIBBHHH")
SEQUENCE_MASK: Final = 0xFFFF_FFFF


def after(a: int, b: int) -> int:
    """By how much sequence number a is beyond b: negative when it comes before (modulo 2**32)."""
    return ((a - b + 0x8000_0000) & SEQUENCE_MASK) - 0x8000_0000


class Options(NamedTuple):
    """What is understood of a SYN's options; None when absent."""

    mss: int | None = None
    scale: int | None = None


class Segment(NamedTuple):
    """One segment; `window` is as sent, not scaled. `length` counts data only."""

    source_port: int
    destination_port: int
    sequence: int
    acknowledgment: int
    flags: int
    window: int
    options: bytes
    data: memoryview

    @property
    def length(self) -> int:
        """Sequence numbers it takes, SYN and FIN included (SEG.LEN)."""
        return len(self.data) + (self.flags & SYN != 0) + (self.flags & FIN)


def parse(packet: IpPacket, *, vouched: bool) -> Segment:
    """The segment in a packet; with `vouched`, its checksum is not looked at.

    GuestError when it is cut off or its checksum is wrong.
    """
    start, frame = packet.start, packet.frame
    if packet.end - start < HEADER_BYTES:
        raise GuestError(f"a TCP segment of {packet.length} bytes")
    source, destination, sequence, acknowledgment, words, flags, window, _, _ = (
        _HEADER.unpack_from(frame, start)
    )
    data_at = start + (words >> 4) * 4
    if not start + HEADER_BYTES <= data_at <= packet.end:
        raise GuestError(f"a TCP header says {(words >> 4) * 4} of {packet.length} bytes")
    if not vouched:
        initial = pseudo_header(packet.source, packet.destination, TCP, packet.length)
        if ones_sum(packet.payload, initial) != 0xFFFF:
            raise GuestError("a TCP segment has a wrong checksum")
    options = frame[start + HEADER_BYTES : data_at]
    data = memoryview(frame)[data_at : packet.end]
    return Segment(source, destination, sequence, acknowledgment, flags, window, options, data)


def parse_options(options: bytes) -> Options:
    """Maximum segment size and window scale (RFC 7323); what is malformed is as if absent."""
    mss = scale = None
    at = 0
    while at < len(options) and options[at] != _END:
        if options[at] == _NOP:
            at += 1
            continue
        if at + 1 >= len(options) or options[at + 1] < 2:
            break
        size = options[at + 1]
        value = options[at + 2 : at + size]
        if options[at] == _MSS and size == 4 == len(value) + 2:
            mss = int.from_bytes(value, "big")
        elif options[at] == _SCALE and size == 3 == len(value) + 2:
            scale = min(value[0], SCALE_MAX)
        at += size
    return Options(mss, scale)


def build_options(mss: int, scale: int | None) -> bytes:
    """The options of a SYN."""
    options = struct.pack(">BBH", _MSS, 4, mss)
    return options if scale is None else options + bytes((_NOP, _SCALE, 3, scale))


class Wire:
    """Builds the frames of one connection to the guest, with partial checksums.

    The fixed parts of the headers and of their sums are worked out once.
    """

    def __init__(
        self,
        macs: bytes,
        source: bytes,
        destination: bytes,
        ports: tuple[int, int],
    ) -> None:
        """`macs` is the guest's MAC address and then ours; source is the distant end."""
        self._ports = ports
        self._addresses = source + destination
        self._is_ipv4 = len(source) == 4
        self._ethernet = macs + (ethernet.IPV4 if self._is_ipv4 else ethernet.IPV6)
        self._pseudo = pseudo_header(source, destination, TCP, 0)
        self._ip_sum = 0
        if self._is_ipv4:
            bare = ipv4.header(source, destination, TCP, 0)[:10] + self._addresses
            self._ip_sum = ones_sum(bare) - ipv4.HEADER_BYTES
        self.header_bytes = HEADER_BYTES + (
            ipv4.HEADER_BYTES if self._is_ipv4 else ipv6.HEADER_BYTES
        )

    def readdress(self, macs: bytes) -> None:
        """Send to another MAC address from here on."""
        self._ethernet = macs + self._ethernet[-2:]

    def frame(
        self,
        sequence: int,
        acknowledgment: int,
        flags: int,
        window: int,
        *,
        options: bytes = b"",
        data: Data = b"",
        mss: int = 0,
    ) -> bytes:
        """A frame with this segment; data beyond `mss` makes it a super-segment."""
        length = HEADER_BYTES + len(options) + len(data)
        partial = (self._pseudo + length) % MODULUS
        tcp = (
            *self._ports, sequence, acknowledgment, (5 + len(options) // 4) << 4, flags, window,
            partial, 0,
        )  # fmt: skip
        gso = GSO_NONE
        if self._is_ipv4:
            total = ipv4.HEADER_BYTES + length
            ip_sum = (self._ip_sum + total) % MODULUS ^ 0xFFFF
            top = _IPV4_AND_TCP.pack(
                0x4500_0000 | total, 0, ipv4.DONT_FRAGMENT, HOP_LIMIT, TCP, ip_sum,
                self._addresses, *tcp,
            )  # fmt: skip
        else:
            top = _IPV6_AND_TCP.pack(6 << 28, length, TCP, HOP_LIMIT, self._addresses, *tcp)
        if len(data) > mss:
            gso = GSO_TCPV4 if self._is_ipv4 else GSO_TCPV6
        start = ethernet.ETHERNET_BYTES + self.header_bytes - HEADER_BYTES
        vnet = _VNET.pack(
            NEEDS_CSUM, gso, start + HEADER_BYTES + len(options), mss if gso else 0, start,
            CSUM_OFFSET, 1,
        )  # fmt: skip
        return b"".join((vnet, self._ethernet, top, options, data))

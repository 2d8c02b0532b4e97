"""A guest's side of the cable by hand: frames made and read without the code under test."""

import struct
from dataclasses import dataclass

from hospes.network.plan import Plan

GUEST_MAC = bytes.fromhex("525400123456")
GUEST4, GATEWAY4, DNS4 = bytes((10, 0, 2, 15)), bytes((10, 0, 2, 2)), bytes((10, 0, 2, 3))
GUEST6 = bytes.fromhex("fd000000000000000000000000000015")
GATEWAY6 = bytes.fromhex("fd000000000000000000000000000002")
WORLD4 = bytes((93, 184, 216, 34))
WORLD6 = bytes.fromhex("20010db8000000000000000000000001")
OUR_MAC = Plan().mac
PLAIN = struct.pack("<BBHHHHH", 0, 0, 0, 0, 0, 0, 0)
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16


def fold(data: bytes) -> int:
    """The Internet checksum, word by word."""
    data += bytes(len(data) & 1)
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def pseudo(source: bytes, destination: bytes, protocol: int, length: int) -> bytes:
    if len(source) == 4:
        return source + destination + struct.pack(">BBH", 0, protocol, length)
    return source + destination + struct.pack(">II", length, protocol)


def ethernet(kind: int, content: bytes, destination: bytes = OUR_MAC) -> bytes:
    return PLAIN + destination + GUEST_MAC + kind.to_bytes(2, "big") + content


def ip(source: bytes, destination: bytes, protocol: int, data: bytes, *, more: int = 0) -> bytes:
    """A frame; `more` is IPv4's flags and fragment offset."""
    if len(source) == 6:
        raise ValueError("a MAC address")
    if len(source) == 16:
        header = struct.pack(">IHBB", 6 << 28, len(data), protocol, 255) + source + destination
        return ethernet(0x86DD, header + data)
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(data), 7, more, 64, protocol, 0)
    value = fold(head + source + destination)
    head = head[:10] + value.to_bytes(2, "big") + source + destination
    return ethernet(0x0800, head + data)


def sealed(source: bytes, destination: bytes, protocol: int, data: bytes, at: int) -> bytes:
    """The data with its checksum at an offset."""
    value = fold(pseudo(source, destination, protocol, len(data)) + data)
    return data[:at] + value.to_bytes(2, "big") + data[at + 2 :]


def udp(
    source: tuple[bytes, int], destination: tuple[bytes, int], data: bytes
) -> bytes:
    bare = struct.pack(">HHHH", source[1], destination[1], 8 + len(data), 0) + data
    return ip(source[0], destination[0], 17, sealed(source[0], destination[0], 17, bare, 6))


def tcp(
    source: tuple[bytes, int],
    destination: tuple[bytes, int],
    sequence: int,
    acknowledgment: int,
    flags: int,
    *,
    window: int = 65535,
    data: bytes = b"",
    options: bytes = b"",
) -> bytes:
    offset = (5 + len(options) // 4) << 4
    bare = struct.pack(
        ">HHIIBBHHH", source[1], destination[1], sequence & 0xFFFF_FFFF,
        acknowledgment & 0xFFFF_FFFF, offset, flags, window, 0, 0,
    ) + options + data  # fmt: skip
    return ip(source[0], destination[0], 6, sealed(source[0], destination[0], 6, bare, 16))


def icmp4(kind: int, code: int, rest: bytes) -> bytes:
    bare = bytes((kind, code, 0, 0)) + rest
    return bare[:2] + fold(bare).to_bytes(2, "big") + bare[4:]


def icmp6(source: bytes, destination: bytes, kind: int, code: int, rest: bytes) -> bytes:
    return sealed(source, destination, 58, bytes((kind, code, 0, 0)) + rest, 2)


@dataclass
class Seen:
    """A frame for the guest, taken apart; `valid` says that its sums are right or partial."""

    destination_mac: bytes
    kind: int
    source: bytes = b""
    destination: bytes = b""
    protocol: int = 0
    payload: bytes = b""
    gso_size: int = 0
    valid: bool = True

    @property
    def ports(self) -> tuple[int, int]:
        return struct.unpack_from(">HH", self.payload)

    @property
    def udp_data(self) -> bytes:
        return self.payload[8:]

    @property
    def tcp(self) -> tuple[int, int, int, int, bytes]:
        """Sequence, acknowledgment, flags, window, data."""
        sequence, acknowledgment, offset, flags, window = struct.unpack_from(
            ">IIBBH", self.payload, 4
        )
        return sequence, acknowledgment, flags, window, self.payload[(offset >> 4) * 4 :]


CHECKSUM_AT = {6: 16, 17: 6, 1: 2, 58: 2}


def see(frame: bytes) -> Seen:
    flags, _, _, gso_size, start, offset, _ = struct.unpack_from("<BBHHHHH", frame)
    seen = Seen(frame[12:18], int.from_bytes(frame[24:26], "big"), gso_size=gso_size)
    packet = frame[26:]
    if seen.kind == 0x0800:
        total = int.from_bytes(packet[2:4], "big")
        seen.valid = fold(packet[:20]) == 0 and total == len(packet)
        seen.source, seen.destination, seen.protocol = packet[12:16], packet[16:20], packet[9]
        seen.payload = packet[20:total]
    elif seen.kind == 0x86DD:
        total = int.from_bytes(packet[4:6], "big")
        seen.valid = total == len(packet) - 40
        seen.source, seen.destination, seen.protocol = packet[8:24], packet[24:40], packet[6]
        seen.payload = packet[40:]
    else:
        seen.payload = packet
        return seen
    top = pseudo(seen.source, seen.destination, seen.protocol, len(seen.payload))
    if flags & 1:
        at = CHECKSUM_AT[seen.protocol]
        seen.valid &= offset == at and start == len(frame) - 12 - len(seen.payload)
        partial = int.from_bytes(seen.payload[at : at + 2], "big")
        seen.valid &= partial % 0xFFFF == (fold(top) ^ 0xFFFF) % 0xFFFF
    elif seen.protocol in CHECKSUM_AT and not (seen.kind == 0x0800 and packet[6] & 0x3F):
        if seen.protocol == 1:
            top = b""
        seen.valid &= fold(top + seen.payload) == 0
    return seen

"""The other end of a guest's cable: a host that answers ARP, pings, TFTP and two ports of TCP.

Frames of TCP are long ones with partial checksums, both ways. Nothing is ever sent again, so that
a frame which is lost or damaged on the way leaves a stream that does not end.
"""

import hashlib
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from hospes.devices.backends import Offload

MAC, ADDRESS = bytes.fromhex("020000000002"), bytes((10, 0, 2, 2))
SOURCE_PORT, SINK_PORT, TFTP_PORT, TFTP_DATA_PORT = 9000, 9001, 69, 4069
ARP, IPV4 = 0x0806, 0x0800
ICMP, TCP, UDP = 1, 6, 17
FIN, SYN, RST, ACK = 1, 2, 4, 16
SEGMENT_BYTES, LONG_BYTES, SCALE = 1460, 60_000, 7
HEADER = struct.Struct("<BBHHHHH")
TCP_HEADER = struct.Struct(">HHIIBBHHH")


def ones_sum(data: bytes) -> int:
    """The Internet checksum's sum, not inverted (RFC 1071)."""
    padded = data + bytes(len(data) % 2)
    total = sum(struct.unpack(f">{len(padded) // 2}H", padded))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def pseudo(source: bytes, target: bytes, protocol: int, length: int) -> int:
    return ones_sum(source + target + struct.pack(">HH", protocol, length))


@dataclass
class Connection:
    """One of TCP: what is still to be sent, and how far both sides are."""

    outgoing: bytes = b""
    sent: int = 0             # sequence numbers, from 0 on
    acknowledged: int = 0
    expected: int = 0         # the next one from the guest
    window: int = 0
    scale: int = 0
    over: bool = False        # the guest sends no more
    finished: bool = False    # nor do we
    received: "hashlib._Hash" = field(default_factory=hashlib.sha256)


class Peer:
    """A network backend; `data` is what SOURCE_PORT gives, and TFTP for any name."""

    def __init__(self, data: bytes, ring: Callable[[], None]) -> None:
        self.data, self.ring = data, ring
        self.link_up = True
        self.offloads: list[int] = []
        self.queue: list[bytes] = []
        self.connections: dict[tuple[int, int], Connection] = {}
        self.digests: list[str] = []
        self.kinds: set[tuple[int, int]] = set()      # flags and gso_type of frames sent
        self.longest = 0
        self.guest = b""
        self.uploaded = bytearray()
        self.closed = False

    @property
    def waiting(self) -> bool:
        return bool(self.queue)

    def accept(self, offloads: int) -> None:
        self.offloads.append(offloads)

    def receive(self, limit: int) -> list[bytes]:
        taken, self.queue = self.queue[:limit], self.queue[limit:]
        return taken

    def send(self, frames: Sequence[bytes]) -> None:
        for frame in frames:
            self.take(frame)
        if self.queue:
            self.ring()

    def close(self) -> None:
        self.closed = True

    def plug(self, up: bool) -> None:
        self.link_up = up
        self.ring()

    def take(self, frame: bytes) -> None:
        self.longest = max(self.longest, len(frame))
        self.kinds.add((frame[0], frame[1]))
        body = frame[26:]
        (kind,) = struct.unpack_from(">H", frame, 24)
        if kind == ARP and body[24:28] == ADDRESS and body[7] == 1:
            self.guest = body[8:14]
            answer = body[:7] + b"\x02" + MAC + ADDRESS + body[8:18]
            self.put(ARP, answer)
        elif kind == IPV4:
            self.take_packet(frame[:12], body)

    def take_packet(self, header: bytes, packet: bytes) -> None:
        assert ones_sum(packet[:20]) == 0xFFFF
        (length,) = struct.unpack_from(">H", packet, 2)
        source, target, payload = packet[12:16], packet[16:20], packet[20:length]
        if target != ADDRESS:
            return
        if packet[9] == ICMP and payload[0] == 8:
            reply = b"\0\0\0\0" + payload[4:]
            total = (~ones_sum(reply) & 0xFFFF).to_bytes(2, "big")
            self.put_packet(ICMP, source, reply[:2] + total + reply[4:])
            return
        if packet[9] not in (TCP, UDP):
            return
        # With a partial checksum only the pseudo header's sum is there (virtio 1.2, 5.1.6.2).
        claimed = pseudo(source, target, packet[9], len(payload))
        if header[0] & 1:
            start, offset = struct.unpack_from("<HH", header, 6)
            assert (start, offset) == (34, 16 if packet[9] == TCP else 6)
            assert struct.unpack_from(">H", payload, offset)[0] == claimed
        else:
            assert ones_sum(claimed.to_bytes(2, "big") + payload) == 0xFFFF
        if packet[9] == TCP:
            self.take_segment(source, payload)
        else:
            self.take_datagram(source, payload)

    def take_datagram(self, source: bytes, payload: bytes) -> None:
        """TFTP (RFC 1350, 2348), 1,400 bytes a block."""
        port, target = struct.unpack_from(">HH", payload)
        operation, block = struct.unpack_from(">HH", payload, 8)
        if target == TFTP_PORT:
            if operation in (1, 2):
                self.put_datagram(source, port, b"\0\x06blksize\x001400\0")
        elif operation == 3:
            self.uploaded += payload[12:]
            self.put_datagram(source, port, struct.pack(">HH", 4, block))
        elif operation == 4 and 1400 * block <= len(self.data):
            piece = self.data[1400 * block : 1400 * (block + 1)]
            self.put_datagram(source, port, struct.pack(">HH", 3, block + 1) + piece)

    def put_datagram(self, target: bytes, port: int, data: bytes) -> None:
        head = struct.pack(">HHHH", TFTP_DATA_PORT, port, 8 + len(data), 0)
        total = pseudo(ADDRESS, target, UDP, 8 + len(data)).to_bytes(2, "big")
        check = ~ones_sum(total + head + data) & 0xFFFF or 0xFFFF
        self.put_packet(UDP, target, head[:6] + check.to_bytes(2, "big") + data)

    def take_segment(self, source: bytes, payload: bytes) -> None:
        port, target, number, ack, size, flags, window, _, _ = TCP_HEADER.unpack_from(payload)
        key = port, target
        if flags & SYN and target in (SOURCE_PORT, SINK_PORT):
            outgoing = self.data if target == SOURCE_PORT else b""
            link = self.connections[key] = Connection(outgoing, expected=number + 1)
            options = payload[20 : 4 * (size >> 4)]
            link.scale = options[options.index(b"\x03\x03") + 2]
            self.put_segment(source, key, link, SYN | ACK, b"")
            link.sent = 1
            return
        link = self.connections.get(key, Connection())
        data = payload[4 * (size >> 4) :]
        if flags & RST or key not in self.connections:
            self.connections.pop(key, None)
            return
        link.acknowledged, link.window = ack, window << link.scale
        if data or flags & FIN:
            assert number == link.expected, "something was lost"
            link.expected += len(data) + bool(flags & FIN)
            link.received.update(data)
            link.over = bool(flags & FIN)
            self.put_segment(source, key, link, ACK, b"")
        if link.over and target == SINK_PORT and not link.finished:
            self.digests.append(link.received.hexdigest())
        self.push(source, key, link)

    def push(self, source: bytes, key: tuple[int, int], link: Connection) -> None:
        """Send what the guest's window has room for, and then the end."""
        while True:
            at = link.sent - 1
            room = link.acknowledged + link.window - link.sent
            piece = link.outgoing[at : at + min(room, LONG_BYTES)] if room > 0 else b""
            if not piece:
                break
            self.put_segment(source, key, link, ACK, piece)
            link.sent += len(piece)
        done = link.sent > len(link.outgoing)
        if done and not link.finished and (key[1] == SOURCE_PORT or link.over):
            link.finished = True
            self.put_segment(source, key, link, ACK | FIN, b"")
            link.sent += 1

    def put_segment(
        self, target: bytes, key: tuple[int, int], link: Connection, flags: int, data: bytes
    ) -> None:
        options = struct.pack(">BBHBBBB", 2, 4, SEGMENT_BYTES, 1, 3, 3, SCALE)
        options = options if flags & SYN else b""
        size = 20 + len(options)
        partial = pseudo(ADDRESS, target, TCP, size + len(data))
        head = TCP_HEADER.pack(
            key[1], key[0], link.sent, link.expected & 0xFFFF_FFFF, size << 2, flags, 0xFFFF,
            partial, 0,
        )  # fmt: skip
        long = len(data) > SEGMENT_BYTES
        header = HEADER.pack(1, int(long), 34 + size, long * SEGMENT_BYTES, 34, 16, 0)
        self.put_packet(TCP, target, head + options + data, header)

    def put_packet(
        self, protocol: int, target: bytes, payload: bytes, header: bytes = bytes(12)
    ) -> None:
        head = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 0, 0x4000, 64, protocol, 0,
                           ADDRESS, target)  # fmt: skip
        check = (~ones_sum(head) & 0xFFFF).to_bytes(2, "big")
        self.put(IPV4, head[:10] + check + head[12:] + payload, header)

    def put(self, kind: int, body: bytes, header: bytes = bytes(12)) -> None:
        ethernet = self.guest + MAC + kind.to_bytes(2, "big") + body
        if header[0]:
            assert self.offloads[-1] == Offload.CHECKSUM | Offload.TSO4 | Offload.TSO6
        self.queue.append(header + ethernet + bytes(max(0, 60 - len(ethernet))))

"""Captures, read by a parser of the test's own."""

import io
import struct

from tests.network.frames import GATEWAY4, GUEST4, see, udp

from hospes.base.clock import ManualClock
from hospes.network.pcap import Capture
from hospes.network.tcp_segment import Wire

WALL_NS = 1_700_000_000_123_456_789


class Cable:
    """A back end that keeps what it gets."""

    waiting, link_up = True, True

    def __init__(self, frames: list[bytes]) -> None:
        self.frames, self.sent, self.offloads = frames, list[bytes](), 0

    def accept(self, offloads: int) -> None:
        self.offloads = offloads

    def send(self, frames) -> None:
        self.sent += frames

    def receive(self, limit: int) -> list[bytes]:
        taken, self.frames = self.frames[:limit], self.frames[limit:]
        return taken


def packets(data: bytes) -> list[tuple[int, int, bytes]]:
    """Time in nanoseconds, original length and what was kept."""
    magic, major, minor, _, _, _, link = struct.unpack_from("<IHHiIII", data)
    assert (magic, major, minor, link) == (0xA1B23C4D, 2, 4, 1)
    found, at = [], 24
    while at < len(data):
        seconds, ns, kept, length = struct.unpack_from("<IIII", data, at)
        found.append((seconds * 10**9 + ns, length, data[at + 16 : at + 16 + kept]))
        at += 16 + kept
    return found


def test_both_ways_with_sums_complete() -> None:
    wire = Wire(bytes(12), GATEWAY4, GUEST4, (80, 4000))
    whole = wire.frame(1, 2, 16, 3, data=bytes(range(250)) * 20, mss=1460)
    inner, out, clock = Cable([whole]), io.BytesIO(), ManualClock(0, WALL_NS)
    capture = Capture(inner, out, clock=clock)
    frame = udp((GUEST4, 1), (GATEWAY4, 2), b"data")
    capture.send([frame, b"short"])
    clock.advance(1)
    assert capture.receive(10) == [whole]
    assert capture.receive(10) == []
    capture.accept(7)
    assert (inner.sent, inner.offloads, capture.link_up, capture.waiting) == (
        [frame, b"short"], 7, True, True,
    )  # fmt: skip
    first, malformed, second = packets(out.getvalue())
    assert first == (WALL_NS, len(frame) - 12, frame[12:])
    assert malformed == (WALL_NS, 0, b"")
    assert (second[0], second[1]) == (WALL_NS + 1, len(whole) - 12)
    assert see(bytes(12) + second[2]).valid


def test_long_packets_are_cut_and_the_end_is_the_end() -> None:
    out, inner = io.BytesIO(), Cable([])
    capture = Capture(inner, out, clock=ManualClock(), snap_bytes=64)
    frame = udp((GUEST4, 1), (GATEWAY4, 2), bytes(1000))
    capture.send([frame])
    capture.stop()
    capture.send([frame])
    assert packets(out.getvalue()) == [(0, len(frame) - 12, frame[12 : 12 + 64])]
    assert len(inner.sent) == 2


def test_a_full_disk_ends_the_capture_only() -> None:
    class Full(io.BytesIO):
        limit = 1000

        def write(self, data) -> int:
            if self.tell() > self.limit:
                raise OSError(28, "No space left on device")
            return super().write(data)

    inner = Cable([])
    capture = Capture(inner, Full())
    for _ in range(20):
        capture.send([udp((GUEST4, 1), (GATEWAY4, 2), bytes(200))])
    assert len(inner.sent) == 20
    assert capture.error is not None

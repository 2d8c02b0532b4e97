"""Captures of a cable for Wireshark and tcpdump: the pcap file format, times in nanoseconds."""

import struct
import threading
from collections.abc import Sequence
from typing import BinaryIO, Final, Protocol

from hospes.base.clock import Clock, HostClock
from hospes.base.errors import GuestError
from hospes.network.offload import complete
from hospes.network.vnet import VNET_BYTES

MAGIC_NS: Final = 0xA1B2_3C4D
VERSION: Final = (2, 4)
ETHERNET: Final = 1
SNAP_BYTES: Final = 262144
_FILE: Final = struct.Struct("<IHHiIII")
_PACKET: Final = struct.Struct("<IIII")


class Backend(Protocol):
    """What a network card sends to and receives from."""

    @property
    def waiting(self) -> bool: ...

    @property
    def link_up(self) -> bool: ...

    def accept(self, offloads: int, /) -> None: ...

    def send(self, frames: Sequence[bytes], /) -> None: ...

    def receive(self, limit: int, /) -> list[bytes]: ...


class PcapWriter:
    """Writes frames to an open file, which stays the caller's; at most snap_bytes of each.

    The draft of the format is draft-ietf-opsawg-pcap. A super-segment is one packet, as it is when
    a card with offloads is captured. Errors of the file are OSErrors.
    """

    def __init__(self, out: BinaryIO, clock: Clock, snap_bytes: int = SNAP_BYTES) -> None:
        self._out, self._clock, self._snap_bytes = out, clock, snap_bytes
        out.write(_FILE.pack(MAGIC_NS, *VERSION, 0, 0, snap_bytes, ETHERNET))

    def write(self, frames: Sequence[bytes]) -> None:
        """Frames with their virtio headers, as of now."""
        seconds, ns = divmod(self._clock.wall_ns(), 1_000_000_000)
        parts: list[bytes] = []
        for frame in frames:
            packet = _completed(frame)[VNET_BYTES:]
            kept = packet[: self._snap_bytes]
            parts += (_PACKET.pack(seconds & 0xFFFF_FFFF, ns, len(kept), len(packet)), kept)
        self._out.write(b"".join(parts))


def _completed(frame: bytes) -> bytes:
    """With its checksum, so that a reader finds no fault; what is malformed stays as it is."""
    try:
        return complete(frame)
    except GuestError:
        return frame


class Capture:
    """A back end in front of another that writes down what passes, both ways.

    A file that cannot be written any more ends the capture, not the traffic; `error` says why.
    """

    def __init__(
        self,
        inner: Backend,
        out: BinaryIO,
        *,
        clock: Clock | None = None,
        snap_bytes: int = SNAP_BYTES,
    ) -> None:
        self._inner, self._lock = inner, threading.Lock()
        self._writer: PcapWriter | None = PcapWriter(out, clock or HostClock(), snap_bytes)
        self.error: OSError | None = None

    @property
    def waiting(self) -> bool:
        """Whether a frame is there for the guest."""
        return self._inner.waiting

    @property
    def link_up(self) -> bool:
        """Whether the cable is plugged in."""
        return self._inner.link_up

    def accept(self, offloads: int) -> None:
        """What the guest's driver takes."""
        self._inner.accept(offloads)

    def send(self, frames: Sequence[bytes]) -> None:
        """Frames of the guest."""
        self._write(frames)
        self._inner.send(frames)

    def receive(self, limit: int) -> list[bytes]:
        """Frames for the guest."""
        frames = self._inner.receive(limit)
        if frames:
            self._write(frames)
        return frames

    def stop(self) -> None:
        """Write no more; the file can be closed."""
        with self._lock:
            self._writer = None

    def _write(self, frames: Sequence[bytes]) -> None:
        with self._lock:
            if self._writer is None:
                return
            try:
                self._writer.write(frames)
            except OSError as error:
                self.error, self._writer = error, None

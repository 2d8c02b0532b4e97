"""A network card's driver in Python, for either ring format, and a network in memory."""

import struct
from collections.abc import Sequence
from itertools import pairwise

from tests.devices.conftest import Ram
from tests.devices.virtio.model import ModelPacked, ModelRing, ModelSplit

from hospes.devices.virtio.function import (
    EVENT_IDX,
    RING_PACKED,
    RING_RESET,
    VERSION_1,
)
from hospes.devices.virtio.mmio import VirtioMmio
from hospes.devices.virtio.net import VirtioNet

MAC = bytes.fromhex("020000000001")
PEER = bytes.fromhex("020000000002")
BROADCAST = b"\xff" * 6
RAM_BYTES = 48 << 20
REGION_BYTES = 4 << 20
RING_BYTES = 0x2_0000
BUFFERS = 0x40_0000
MODELS = [ModelSplit, ModelPacked]


class Network:
    """A back end that keeps what the guest sends."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.queue: list[bytes] = []
        self.accepted: list[int] = []
        self.link_up = True

    @property
    def waiting(self) -> bool:
        return bool(self.queue)

    def send(self, frames: Sequence[bytes]) -> None:
        self.sent += frames

    def receive(self, limit: int) -> list[bytes]:
        taken, self.queue = self.queue[:limit], self.queue[limit:]
        return taken

    def accept(self, offloads: int) -> None:
        self.accepted.append(offloads)


class NetDriver:
    """A started card; queue n's buffers are the (gpa, length) in `posted[n]`, by request."""

    def __init__(
        self,
        line,
        model: type[ModelRing] = ModelSplit,
        *,
        features: int | None = None,
        pairs: int = 1,
        size: int = 64,
        mtu: int | None = None,
    ) -> None:
        self.ram, self.network, self.line = Ram(size=RAM_BYTES), Network(), line
        self.model, self.size = model, size
        self.device = VirtioNet(self.ram, self.network, MAC, pairs=pairs, mtu=mtu)
        self.slot = VirtioMmio(line, self.device)
        self.told: list[int] = []
        self.changes = 0
        self.listen()
        self.restart(self.device.own_features if features is None else features)

    def listen(self) -> None:
        """Hear the interrupts by queue, in place of the slot's line."""

        def changed() -> None:
            self.changes += 1

        self.device.interrupt_queue = self.told.append
        self.device.interrupt_config = changed

    def restart(self, own_features: int) -> None:
        self.slot.write(0x70, 4, 0)
        features = own_features | VERSION_1 | EVENT_IDX | RING_RESET
        features |= self.model.packed * RING_PACKED
        for offset, value in ((0x70, 3), (0x24, 0), (0x20, features & 0xFFFF_FFFF), (0x24, 1),
                              (0x20, features >> 32), (0x70, 11)):  # fmt: skip
            self.slot.write(offset, 4, value)
        self.rings: dict[int, ModelRing] = {}
        self.places: dict[int, int] = {}
        self.posted: dict[int, dict[int, list[tuple[int, int]]]] = {}
        for number in range(len(self.device.queues)):
            self.lay_out(number)
        self.slot.write(0x70, 4, 15)

    def lay_out(self, number: int) -> None:
        base = self.ram.base + RING_BYTES * number
        ring = self.rings[number] = self.model(self.ram, base, self.size, True)
        self.posted[number] = {}
        self.slot.write(0x30, 4, number)
        self.slot.write(0x38, 4, self.size)
        for offset, at in zip((0x80, 0x90, 0xA0), (ring.desc, ring.driver, ring.device),
                              strict=True):  # fmt: skip
            self.slot.write(offset, 4, at)
            self.slot.write(offset + 4, 4, 0)
        self.slot.write(0x44, 4, 1)
        ring.ask_after(0)

    def reset_queue(self, number: int) -> None:
        self.slot.write(0x30, 4, number)
        self.slot.write(0xC0, 4, 1)
        self.lay_out(number)

    def kick(self, number: int) -> None:
        if self.rings[number].kick():
            self.slot.write(0x50, 4, number)

    def buffer(self, place: int) -> int:
        return self.ram.base + BUFFERS + place

    def room_for(self, length: int, queue: int) -> int:
        """Where so many bytes are free: behind those last used in the queue's region."""
        at = self.places.get(queue, 0)
        at = 0 if at + length > REGION_BYTES else at
        self.places[queue] = at + length
        return self.buffer(queue * REGION_BYTES + at)

    def post(self, lengths: Sequence[Sequence[int]], queue: int = 0, kick: bool = True) -> None:
        """Receive buffers of these parts, somewhere behind each other."""
        ring, posted = self.rings[queue], self.posted[queue]
        for parts in lengths:
            at, places = self.room_for(sum(parts), queue), []
            for length in parts:
                places.append((at, length))
                at += length
            posted[ring.offer([], places, len(places) > 1)] = places
        if kick:
            self.kick(queue)

    def received(self, queue: int = 0) -> list[bytes]:
        """Frames that have come, in order, each put together from its buffers."""
        ring, frames = self.rings[queue], []
        used = ring.collect()
        ring.ask_after(0)
        while used:
            number, written = used.pop(0)
            frame = self.content(queue, number, written)
            (count,) = struct.unpack_from("<H", frame, 10)
            for _ in range(count - 1):
                frame += self.content(queue, *used.pop(0))
            frames.append(frame)
        return frames

    def content(self, queue: int, number: int, written: int) -> bytes:
        parts = self.posted[queue].pop(number)
        return b"".join(self.ram.read(*part) for part in parts)[:written]

    def send(self, frame: bytes, *cuts: int, queue: int = 1) -> None:
        """A frame in parts, cut at these places."""
        at = self.room_for(len(frame), queue)
        self.ram.write(at, frame)
        edges = [0, *cuts, len(frame)]
        parts = [(at + a, b - a) for a, b in pairwise(edges)]
        self.rings[queue].offer(parts, [], len(parts) > 1)
        self.kick(queue)
        self.rings[queue].collect()
        self.rings[queue].ask_after(0)

    def command(self, kind: int, number: int, data: bytes = b"") -> int:
        """The answer to a command, 255 without one."""
        queue = self.device._control_queue
        at = self.room_for(1 << 19, queue)
        self.ram.write(at, bytes((kind, number)) + data)
        self.ram.write(at + (1 << 18), b"\xff")
        parts = [(at, 2), (at + 2, len(data))] if data else [(at, 2)]
        self.rings[queue].offer(parts, [(at + (1 << 18), 1)], True)
        self.kick(queue)
        assert len(self.rings[queue].collect()) == 1
        return self.ram.read(at + (1 << 18), 1)[0]


def ethernet(target: bytes = MAC, body: bytes = b"", kind: int = 0x88B5) -> bytes:
    """A frame without a virtio header."""
    return target + PEER + kind.to_bytes(2, "big") + body.ljust(46, b"\0")


def plain(target: bytes = MAC, body: bytes = b"", kind: int = 0x88B5) -> bytes:
    """A frame with a header that says nothing."""
    return bytes(12) + ethernet(target, body, kind)

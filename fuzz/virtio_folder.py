"""Fuzz target: a shared folder, messages of 9P that are nearly right over rings that go wrong."""

import os
import random
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

from fuzz.harness import RAM_BASE, RAM_BYTES, Line, Ram, access, damage, main, odd_number
from fuzz.virtio import restart_queue, scribble, set_up
from fuzz.virtio_block import Executor, offer_packed, offer_split

from hospes.base.clock import ManualClock
from hospes.devices.bus import Bus
from hospes.devices.virtio.folder import (
    IN_FLIGHT_BYTES_MAX,
    IN_FLIGHT_MAX,
    MESSAGE_BYTES_MAX,
    VirtioFolder,
)
from hospes.devices.virtio.function import RING_PACKED
from hospes.devices.virtio.mmio import VirtioMmio
from hospes.folders.host_tree import HostTree
from hospes.folders.ownership import Owners
from hospes.folders.request import (
    NUMBERS,
    Attach,
    Clunk,
    Create,
    Flush,
    Open,
    Remove,
    Version,
    Walk,
    Write,
    encode,
)
from hospes.folders.server import Server

SLOT = 0x1000_1000
BEGINNING = (Version(65536, b"9P2000.L"), Attach(0, 0xFFFF_FFFF, b"", b"", 0))
RARE = {Version, Remove, Flush}
KINDS = [kind for kind in NUMBERS for _ in range(1 if kind in RARE else 20)]
KINDS += [kind for kind in (Walk, Walk, Create, Open, Clunk, Write) for _ in range(40)]
NAMES = (
    *(b"a", b"b", b"dir") * 3, b"link", b"..", b".", b"", b"/", b"../secret", b"a/b", b"\0",
    b"n" * 300,
)  # fmt: skip
ATTRIBUTES = (b"user.x", b"security.capability", b"user.hospes.guest", b"system.x")
NUMBER_BITS = {"offset": 64, "size": 64, "start": 64, "length": 64, "wanted": 64}
VALUES = {
    "fid": (0, 1, 2, 3, 4, 5), "new_fid": (1, 2, 3, 4, 5), "directory": (0, 1, 2),
    "new_directory": (0, 1, 2), "uid": (0, 1000, 0xFFFF_FFFF), "gid": (0, 5), "kind": (0, 1, 2, 3),
    "flags": (0, 1, 2, 0o1002, 0o200, 0x200), "offset": (0, 0, 1, 4096), "size": (0, 1, 5, 4096),
    "limit": (1, 100, 4096, 1 << 20), "mode": (0o644, 0o755, 0o20644, 0o10644, 0o140644, 0o4755),
    "valid": tuple(range(512)), "start": (0, 1), "length": (0, 1), "msize": (8192, 1 << 30, 100),
    "process": (1, 2), "old_tag": (0, 1, 2, 3),
}  # fmt: skip


def case(chance: random.Random) -> None:
    """A driver that is set up properly, a client that begins well, and then both go wrong."""
    with tempfile.TemporaryDirectory(prefix="hospes-fuzz-") as name:
        outside = Path(name)
        folder = outside / "folder"
        (folder / "dir").mkdir(parents=True)
        (folder / "link").symlink_to("../secret")
        (outside / "secret").write_text("secret")
        sentences: list[str] = []
        tree = HostTree(
            folder, Owners(0, 0, os.geteuid(), frozenset((os.getegid(),))),
            read_only=chance.random() < 0.1, report=sentences.append,
            descriptors=chance.choice((6, 6, 64, 8192)),
        )  # fmt: skip
        with closing(Server(tree)) as server:
            (talk if chance.random() < 0.3 else chat)(chance, server)
        assert not sentences
        assert (outside / "secret").read_text() == "secret"
        assert sorted(os.listdir(outside)) == ["folder", "secret"]


def chat(chance: random.Random, server: Server) -> None:
    """A client without a machine, which gets further."""
    for request in BEGINNING:
        server.answer(encode(request, 1), 4096)
    for _ in range(chance.randrange(1, 300)):
        message = some_message(chance)
        room = chance.choice((11, 100, 4096, 70_000, 70_000))
        answer = server.answer_at_once(message, room) if len(message) > 6 else None
        answer = server.answer(message, room) if answer is None else answer
        assert len(answer) == int.from_bytes(answer[:4], "little") <= room
        if chance.random() < 0.01:
            server.load(server.save())


def talk(chance: random.Random, server: Server) -> None:
    """One machine's life."""
    bus, ram, executor = Bus(), Ram(), Executor(chance)
    clock = ManualClock()
    packed = chance.random() < 0.7
    device = VirtioFolder(ram, server, executor, "volume0", clock, packed=packed)
    # On some hosts everything takes long.
    device._slow_left = chance.choice((0, 1 << 30))
    bus.map("folder", SLOT, VirtioMmio(Line(), device))
    for _ in range(chance.randrange(1, 3)):
        set_up(chance, bus, SLOT, 0)
        begin(chance, bus, ram, device, executor)
        for _ in range(chance.randrange(1, 60)):
            if chance.random() < 0.02:
                scribble(chance, ram, 0, device, 0)
            else:
                ask(chance, ram, device, some_message(chance))
            bus.write(SLOT + 0x50, 4, 0)
            assert len(device._begun) <= IN_FLIGHT_MAX
            assert device._begun_bytes <= IN_FLIGHT_BYTES_MAX + 2 * MESSAGE_BYTES_MAX
            if chance.random() < 0.7:
                executor.run(chance.randrange(1, 9))
                bus.tick()
            if chance.random() < 0.03:
                bus.drain()
                device.held = device.held
            if chance.random() < 0.02:
                restart_queue(chance, bus, SLOT, 0)
            if chance.random() < 0.05:
                access(chance, bus, SLOT, chance.randrange(0x120))
        if chance.random() < 0.5:
            bus.write(SLOT + 0x70, 4, 0)
    bus.drain()
    assert (device._begun, device._begun_bytes, device._orphans) == (set(), 0, 0)
    assert not device._flushes


def begin(
    chance: random.Random, bus: Bus, ram: Ram, device: VirtioFolder, executor: Executor
) -> None:
    """What every client says first."""
    for request in BEGINNING:
        ask(chance, ram, device, encode(request, 1), sound=True)
        bus.write(SLOT + 0x50, 4, 0)
        executor.wait()
        bus.tick()


def some_message(chance: random.Random) -> bytes:
    """A request, now and then not quite."""
    kind: Any = chance.choice(KINDS)
    fields = [field(chance, name, of) for name, of in kind.__annotations__.items()]
    message = encode(kind(*fields), chance.randrange(4))
    if chance.random() < 0.1:
        message = damage(chance, message)
    return message


def field(chance: random.Random, name: str, of: Any) -> Any:
    """A value for a request's field."""
    if of is bytes and name != "data":
        if chance.random() < 0.8:
            return chance.choice(ATTRIBUTES if name == "name" and chance.random() < 0.1 else NAMES)
        return chance.randbytes(20)
    if of is bytes:
        return chance.randbytes(chance.choice((0, 1, 5, 4096)))
    if of is not int:
        return tuple(chance.choice(NAMES) for _ in range(chance.choice((0, 1, 1, 1, 2, 16))))
    bits = 8 if name == "kind" else 16 if name == "old_tag" else NUMBER_BITS.get(name, 32)
    if name in VALUES and chance.random() < 0.95:
        return chance.choice(VALUES[name])
    return odd_number(chance, bits) & ((1 << bits) - 1)


def ask(
    chance: random.Random, ram: Ram, device: VirtioFolder, message: bytes, *, sound: bool = False
) -> None:
    """A message with room for its answer."""
    at = RAM_BASE + RAM_BYTES // 2 + 0x2000 * chance.randrange(16)
    ram.write(at, message)
    room = chance.choice((4096, 8000, 8000, 11)) if not sound else 4096
    room = 10 if chance.random() < 0.005 else room
    cut = chance.randrange(len(message) + 1) if not sound else len(message)
    parts = [(at, cut, 1), (at + cut, len(message) - cut, 1), (at + 0x1000, room, 2)]
    if device.driver_features & RING_PACKED:
        offer_packed(chance, ram, RAM_BASE, parts, device.queues[0].next_avail)
    else:
        offer_split(chance, ram, RAM_BASE, parts)


if __name__ == "__main__":
    main(case)

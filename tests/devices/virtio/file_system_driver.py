"""A driver of the file system device with rings of either format, and a folder that waits."""

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from tests.devices.virtio.model import ModelPacked, ModelRing, ModelSplit

from hospes.devices.virtio.file_system import VirtioFileSystem
from hospes.devices.virtio.function import EVENT_IDX, RING_PACKED, RING_RESET, VERSION_1

MODELS = {"split": ModelSplit, "packed": ModelPacked}
SIZE = 256
URGENT, OTHERS = 0, 1
MESSAGES, ANSWERS = 0x2_0000, 0x6_0000
UNTOUCHED = 0xEE


@dataclass
class Asked:
    """What the folder has been asked."""

    queue: int
    parts: list[bytes]
    room: int
    answered: Callable[[bytes], None]

    @property
    def unique(self) -> int:
        return struct.unpack_from("<Q", b"".join(self.parts), 8)[0]


class Folder:
    """Answers when it is told to; after a reset, what was asked before is in `old`."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.old: list[Asked] = []
        self.resets = self.waits = 0

    def ask(
        self, queue: int, parts: Sequence[memoryview], room: int, answered: Callable[[bytes], None]
    ) -> None:
        self.asked.append(Asked(queue, [bytes(part) for part in parts], room, answered))

    def reset(self) -> None:
        self.resets += 1
        self.old, self.asked = self.old + self.asked, []

    def wait(self) -> None:
        self.waits += 1
        self.answer_all()
        self.end_old()

    def answer(self, n: int = 0, answer: bytes = b"answer") -> None:
        asked = self.asked.pop(n)
        asked.answered(answer[: asked.room])

    def answer_all(self) -> None:
        while self.asked:
            self.answer()

    def end_old(self) -> None:
        while self.old:
            self.old.pop().answered(b"too late")


def message(unique: int, body: bytes = b"") -> bytes:
    return struct.pack("<IIQQIIIHH", 40 + len(body), 3, unique, 1, 0, 0, 0, 0, 0) + body


class Bench:
    """A folder's device with a driver that has the rings of one format."""

    def __init__(self, ram, line, driver, device: VirtioFileSystem, folder: Folder, kind: str):
        self.ram, self.line, self.reg, self.agree = ram, line, driver.reg, driver.agree
        self.folder, self.device, self.slot = folder, device, driver.slot
        self.model = MODELS[kind]
        self.rings: list[ModelRing] = []

    def start(self) -> None:
        """With empty rings."""
        features = VERSION_1 | EVENT_IDX | RING_RESET | RING_PACKED * self.model.packed
        self.agree(features)
        self.rings = [self.lay_out(queue) for queue in (URGENT, OTHERS)]
        self.reg(0x70, 15)
        assert self.device.running

    def lay_out(self, queue: int) -> ModelRing:
        ring = self.model(self.ram, self.ram.base + 0x1_0000 * queue, SIZE, True)
        self.reg(0x30, queue)
        self.reg(0x38, SIZE)
        for offset, at in ((0x80, ring.desc), (0x90, ring.driver), (0xA0, ring.device)):
            self.reg(offset, at)
            self.reg(offset + 4, 0)
        self.reg(0x44, 1)
        return ring

    def restart_queue(self, queue: int) -> None:
        """Reset it alone, and lay it out anew."""
        self.reg(0x30, queue)
        self.reg(0xC0, 1)
        self.rings[queue] = self.lay_out(queue)

    def offer(
        self, unique: int, body: bytes = b"", cuts: Sequence[int] = (40,),
        rooms: Sequence[int] = (64,), queue: int = OTHERS, indirect: bool = False,
    ) -> int:  # fmt: skip
        """A message cut into parts, with room for its answer; tell the device if it listens."""
        at, data = self.message_gpa(unique), message(unique, body)
        self.ram.write(at, data)
        self.ram.write(at - MESSAGES + ANSWERS, bytes((UNTOUCHED,)) * 0x1000)
        edges = [0, *(cut for cut in cuts if cut < len(data)), len(data)]
        readable = [(at + a, b - a) for a, b in pairwise(edges)]
        return self.offer_parts(readable, self.places(unique, rooms), queue, indirect)

    def offer_parts(self, readable, writable, queue: int = OTHERS, indirect: bool = False) -> int:
        ring = self.rings[queue]
        number = ring.offer(readable, writable, indirect)
        ring.ask_after(0)
        if ring.kick():
            self.reg(0x50, queue)
        return number

    def message_gpa(self, unique: int) -> int:
        return self.ram.base + MESSAGES + 0x1000 * (unique % 64)

    def places(self, unique: int, rooms: Sequence[int]) -> list[tuple[int, int]]:
        """For an answer, backwards in memory with gaps between."""
        at = self.ram.base + ANSWERS + 0x1000 * (unique % 64)
        return [(at + 0x300 * (len(rooms) - n), room) for n, room in enumerate(rooms)]

    def answer(self, unique: int, rooms: Sequence[int] = (64,)) -> bytes:
        """What was written to its places, and nowhere around them."""
        whole = [self.ram.read(*place) for place in self.places(unique, rooms)]
        found = b"".join(whole).rstrip(bytes((UNTOUCHED,)))
        page = self.ram.read(self.ram.base + ANSWERS + 0x1000 * (unique % 64), 0x1000)
        assert page.count(UNTOUCHED) == len(page) - len(found)
        return found

    def used(self, queue: int = OTHERS) -> list[tuple[int, int]]:
        return self.rings[queue].collect()

    def told(self) -> bool:
        """Whether there was an interrupt for used buffers, which is acknowledged."""
        pending = self.reg(0x60)
        self.reg(0x64, pending)
        return bool(pending & 1)

    @property
    def asked(self) -> list[int]:
        return [asked.unique for asked in self.folder.asked]

"""The driver's side of both ring formats, written from the specification, with numbers that never
wrap: positions are counted from the start, and only what goes to memory is cut to size."""

import random
import struct

NEXT, WRITE, INDIRECT = 1, 2, 4
AVAIL, USED = 1 << 7, 1 << 15
Part = tuple[int, int]


class ModelRing:
    """What both have in common; `table_gpa(id)` is where a request's indirect table goes."""

    def __init__(self, ram, base: int, size: int, event_index: bool) -> None:
        self.ram, self.size, self.event_index = ram, size, event_index
        self.desc, self.driver, self.device = base, base + 0x2000, base + 0x4000
        self.tables = base + 0x6000
        self.offered = self.offered_before = self.seen = 0
        self.pending: dict[int, int] = {}
        ram.write(base, bytes(0x6000))

    def table_gpa(self, number: int) -> int:
        return self.tables + 16 * 8 * number

    def poke(self, gpa: int, layout: str, *values: int) -> None:
        self.ram.write(gpa, struct.pack("<" + layout, *values))

    def peek(self, gpa: int, layout: str) -> tuple:
        return struct.unpack("<" + layout, self.ram.read(gpa, struct.calcsize("<" + layout)))

    def marked(self, readable: list[Part], writable: list[Part]) -> list[tuple[int, int, int]]:
        return [(*part, 0) for part in readable] + [(*part, WRITE) for part in writable]

    def kick(self) -> bool:
        """Whether what was offered since the last time is to be told to the device."""
        before, self.offered_before = self.offered_before, self.offered
        return self.offered > before and self.device_listens(before, self.offered)


class ModelSplit(ModelRing):
    packed = False

    def __init__(self, ram, base: int, size: int, event_index: bool) -> None:
        super().__init__(ram, base, size, event_index)
        self.free = list(range(size))
        self.taken: dict[int, list[int]] = {}

    def begin_at(self, position: int) -> None:
        self.offered = self.offered_before = self.seen = position
        self.poke(self.driver + 2, "H", position & 0xFFFF)
        self.poke(self.device + 2, "H", position & 0xFFFF)

    def room(self) -> int:
        return len(self.free)

    def offer(self, readable: list[Part], writable: list[Part], indirect: bool) -> int:
        parts = self.marked(readable, writable)
        random.Random(self.offered).shuffle(self.free)
        taken = [self.free.pop() for _ in range(1 if indirect else len(parts))]
        head = taken[0]
        if indirect:
            table = self.table_gpa(head)
            order = [0, *random.Random(head).sample(range(1, len(parts)), len(parts) - 1)]
            self.chain(table, order, parts)
            self.poke(self.desc + 16 * head, "QIHH", table, 16 * len(parts), INDIRECT, 0xFFFF)
        else:
            self.chain(self.desc, taken, parts)
        self.poke(self.driver + 4 + 2 * (self.offered % self.size), "H", head)
        self.offered += 1
        self.poke(self.driver + 2, "H", self.offered & 0xFFFF)
        self.pending[head] = len(taken)
        self.taken[head] = taken
        return head

    def chain(self, table: int, order: list[int], parts: list[tuple[int, int, int]]) -> None:
        for at, following, (gpa, length, flags) in zip(
            order, [*order[1:], None], parts, strict=True
        ):
            more = 0 if following is None else NEXT
            self.poke(table + 16 * at, "QIHH", gpa, length, flags | more, following or 0)

    def collect(self) -> list[tuple[int, int]]:
        (index,) = self.peek(self.device + 2, "H")
        got = []
        while self.seen & 0xFFFF != index:
            head, written = self.peek(self.device + 4 + 8 * (self.seen % self.size), "II")
            self.free += self.taken[head]
            del self.pending[head]
            self.seen += 1
            got.append((head, written))
        return got

    def ask_after(self, count: int) -> int:
        """Ask to be told when `count` more are back; the position that must be passed."""
        self.poke(self.driver + 4 + 2 * self.size, "H", (self.seen + count) & 0xFFFF)
        return self.seen + count

    def ask(self, wanted: bool) -> None:
        self.poke(self.driver, "H", not wanted)

    def device_listens(self, before: int, now: int) -> bool:
        if not self.event_index:
            return True
        (event,) = self.peek(self.device + 4 + 8 * self.size, "H")
        return (now - event - 1) & 0xFFFF < now - before


class ModelPacked(ModelRing):
    packed = True

    def __init__(self, ram, base: int, size: int, event_index: bool) -> None:
        super().__init__(ram, base, size, event_index)
        self.ids = list(range(size))

    def room(self) -> int:
        return min(self.size - sum(self.pending.values()), len(self.ids))

    def wrap(self, position: int) -> bool:
        return position // self.size % 2 == 0

    def offer(self, readable: list[Part], writable: list[Part], indirect: bool) -> int:
        parts = self.marked(readable, writable)
        number = self.ids.pop(len(self.ids) // 2)
        if indirect:
            for at, (gpa, length, flags) in enumerate(parts):
                self.poke(self.table_gpa(number) + 16 * at, "QIHH", gpa, length, 0xAAAA, flags)
            parts = [(self.table_gpa(number), 16 * len(parts), INDIRECT)]
        # The first descriptor's flags go last: until then the device must see nothing.
        for step in reversed(range(len(parts))):
            gpa, length, flags = parts[step]
            position = self.offered + step
            flags |= AVAIL if self.wrap(position) else USED
            if step < len(parts) - 1:
                flags |= NEXT
            named = number if step == len(parts) - 1 else 0xBBBB
            self.poke(self.desc + 16 * (position % self.size), "QIHH", gpa, length, named, flags)
        self.offered += len(parts)
        self.pending[number] = len(parts)
        return number

    def collect(self) -> list[tuple[int, int]]:
        got = []
        while True:
            at = self.desc + 16 * (self.seen % self.size)
            _, length, number, flags = self.peek(at, "QIHH")
            wrap = self.wrap(self.seen)
            if bool(flags & AVAIL) != wrap or bool(flags & USED) != wrap or not self.pending:
                return got
            assert bool(flags & WRITE) == bool(length)
            self.seen += self.pending.pop(number)
            self.ids.append(number)
            got.append((number, length))

    def event(self, position: int) -> int:
        return position % self.size | self.wrap(position) << 15

    def ask_after(self, count: int) -> int:
        self.poke(self.driver, "HH", self.event(self.seen + count), 2)
        return self.seen + count

    def ask(self, wanted: bool) -> None:
        self.poke(self.driver, "HH", 0, not wanted)

    def device_listens(self, before: int, now: int) -> bool:
        event, flags = self.peek(self.device, "HH")
        if flags == 0:
            return True
        assert (flags, self.event_index) == (2, True)
        return any(self.event(position) == event for position in range(before, now))

"""The block device against a driver, a disk in memory and an executor that waits to be told."""

import struct
from collections.abc import Callable, Sequence

import pytest

from hospes.base.errors import GuestError, HospesError
from hospes.devices.virtio.block import DISCARD, FLUSH, MQ, RO, WRITE_ZEROES, VirtioBlock
from hospes.devices.virtio.block_request import REQUEST_BYTES_MAX
from hospes.devices.virtio.function import RING_RESET
from hospes.devices.virtio.mmio import VirtioMmio

NEXT, WRITE = 1, 2
OK, IOERR, UNSUPP, UNTOUCHED = 0, 1, 2, 0xEE
ALL = 1 << 32 | FLUSH | DISCARD | WRITE_ZEROES
SIZE = 64 * 512


class MemoryDisk:
    def __init__(self, read_only: bool = False) -> None:
        self.data = bytearray(range(256)) * (SIZE // 256)
        self.size_bytes, self.read_only = SIZE, read_only
        self.log: list[tuple] = []
        self.error: Exception | None = None
        self.in_memory = False
        self.asked_at_once: list[tuple[int, int]] = []

    def note(self, *what) -> None:
        self.log.append(what)
        if self.error:
            raise self.error

    def read(self, offset: int, length: int) -> bytes:
        self.note("read", offset, length)
        return bytes(self.data[offset : offset + length])

    def read_at_once(self, offset: int, buffers: Sequence[memoryview]) -> bool:
        self.asked_at_once.append((offset, sum(map(len, buffers))))
        if not self.in_memory:
            return False
        for buffer in buffers:
            buffer[:] = self.data[offset : offset + len(buffer)]
            offset += len(buffer)
        return True

    def write(self, offset: int, data: bytes) -> None:
        self.note("write", offset, len(data))
        self.data[offset : offset + len(data)] = data

    def flush(self) -> None:
        self.note("flush")

    def discard(self, offset: int, length: int) -> None:
        self.note("discard", offset, length)

    def write_zeroes(self, offset: int, length: int, *, unmap: bool) -> None:
        self.note("zero", offset, length, unmap)


class Later:
    """Jobs wait until `run`."""

    def __init__(self) -> None:
        self.jobs: list[Callable[[], None]] = []
        self.messages: list[str] = []

    def submit(self, job: Callable[[], None]) -> None:
        self.jobs.append(job)

    def report(self, message: str) -> None:
        self.messages.append(message)

    def wait(self) -> None:
        self.run()

    def run(self) -> None:
        jobs, self.jobs = self.jobs, []
        for job in jobs:
            job()


class Bench:
    """A disk in a slot with its driver; request n uses descriptors from 3 * n on."""

    def __init__(self, ram, line, make_driver, disk: MemoryDisk, queues: int = 1) -> None:
        self.ram, self.line, self.disk, self.later = ram, line, disk, Later()
        self.device = VirtioBlock(ram, disk, self.later, "serial-1", queues=queues)
        self.slot = VirtioMmio(line, self.device)
        self.driver = make_driver(self.slot, 64)

    def start(self, features: int = ALL) -> None:
        """With empty rings."""
        self.ram.write(self.ram.base + 0x2000, bytes(0x2000))
        self.driver.start(features, queues=1)

    def offer(self, kind: int, sector: int = 0, data: bytes = b"", room: int = 0, n: int = 0):
        at = self.driver.buffer(2 * n)
        self.ram.write(at, struct.pack("<IIQ", kind, 0, sector) + data)
        self.ram.write(at + 0x1000, b"\xEE" * (room + 1))
        self.driver.describe(0, 2 * n, at, 16 + len(data), NEXT, 2 * n + 1)
        self.driver.describe(0, 2 * n + 1, at + 0x1000, room + 1, WRITE)
        self.driver.offer(0, 2 * n)

    def finish(self) -> None:
        self.later.run()
        assert self.slot.due_in_ns() == (0 if self.device._done else None)
        self.slot.tick()

    def result(self, room: int = 0, n: int = 0) -> tuple[int, bytes]:
        got = self.ram.read(self.driver.buffer(2 * n) + 0x1000, room + 1)
        return got[-1], got[:-1]

    def ask(self, kind: int, sector: int = 0, data: bytes = b"", room: int = 0):
        self.offer(kind, sector, data, room)
        self.finish()
        return self.result(room)


@pytest.fixture
def bench(ram, wire, make_driver) -> Bench:
    made = Bench(ram, wire, make_driver, MemoryDisk())
    made.start()
    return made


def test_read(bench: Bench) -> None:
    bench.offer(0, 1, room=1024)
    assert bench.result(1024)[0] == UNTOUCHED
    assert bench.driver.used(0) == []
    bench.finish()
    assert bench.result(1024) == (OK, bytes(range(256)) * 4)
    assert bench.driver.used(0) == [(0, 1025)]
    assert bench.line.level


def test_write_and_flush_in_order(bench: Bench) -> None:
    bench.offer(1, 2, b"A" * 512, n=0)
    bench.offer(4, n=1)
    bench.offer(0, 2, room=512, n=2)
    bench.finish()
    assert bench.disk.log == [("write", 1024, 512), ("flush",), ("read", 1024, 512)]
    assert [bench.result(n=n)[0] for n in (0, 1)] == [OK, OK]
    assert bench.result(512, n=2) == (OK, b"A" * 512)
    assert bench.driver.used(0) == [(0, 1), (2, 1), (4, 513)]


def test_data_is_copied_before_the_driver_goes_on(bench: Bench) -> None:
    bench.offer(1, 0, b"A" * 512)
    bench.ram.write(bench.driver.buffer() + 16, b"B" * 512)
    bench.finish()
    assert bench.disk.data[:512] == b"A" * 512


def test_without_the_flush_feature_writes_are_durable(ram, wire, make_driver) -> None:
    bench = Bench(ram, wire, make_driver, MemoryDisk())
    bench.start(1 << 32)
    assert bench.ask(1, 0, b"A" * 512)[0] == OK
    assert bench.disk.log == [("write", 0, 512), ("flush",)]


def test_the_serial(bench: Bench) -> None:
    assert bench.ask(8, room=20) == (OK, b"serial-1".ljust(20, b"\0"))


def segments(*parts: tuple[int, int, int]) -> bytes:
    return b"".join(struct.pack("<QII", *part) for part in parts)


def test_discard_and_write_zeroes(bench: Bench) -> None:
    assert bench.ask(11, data=segments((1, 2, 0), (8, 4, 0)))[0] == OK
    assert bench.ask(13, data=segments((3, 1, 0)))[0] == OK
    assert bench.ask(13, data=segments((4, 1, 1)))[0] == OK
    assert bench.disk.log == [
        ("discard", 512, 1024), ("discard", 4096, 2048),
        ("zero", 1536, 512, False), ("zero", 2048, 512, True),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "sector", "data", "room", "status"),
    [
        (0, 64, b"", 512, IOERR),
        (0, 63, b"", 1024, IOERR),
        (0, (1 << 64) - 1, b"", 512, IOERR),
        (0, 0, b"", 511, IOERR),
        (1, 64, bytes(512), 0, IOERR),
        (1, 0, bytes(100), 0, IOERR),
        (11, 0, segments((0, 1, 1)), 0, UNSUPP),
        (13, 0, segments((0, 1, 2)), 0, UNSUPP),
        (11, 0, segments((0, 1, 0), (64, 1, 0)), 0, IOERR),
        (11, 0, b"", 0, IOERR),
        (11, 0, bytes(15), 0, IOERR),
        (13, 0, segments(*[(0, 1, 0)] * 17), 0, IOERR),
        (14, 0, b"", 0, UNSUPP),
        (0xFFFF_FFFF, 0, b"", 0, UNSUPP),
    ],
)
def test_requests_that_cannot_be(bench: Bench, kind, sector, data, room, status) -> None:
    before = bytes(bench.disk.data)
    assert bench.ask(kind, sector, data, room)[0] == status
    assert (bench.disk.log, bench.disk.data) == ([], before)
    assert bench.ask(8, room=20)[0] == OK


def test_more_than_a_request_may_hold(bench: Bench) -> None:
    at, driver = bench.driver.buffer(), bench.driver
    bench.ram.write(at, struct.pack("<IIQ", 1, 0, 0))
    driver.describe(0, 0, at, 16, NEXT, 1)
    driver.describe(0, 1, at, REQUEST_BYTES_MAX + 512, NEXT, 2)
    driver.describe(0, 2, at + 0x1000, 1, WRITE)
    driver.offer(0, 0)
    bench.finish()
    assert bench.result()[0] == IOERR


def test_a_read_only_disk(ram, wire, make_driver) -> None:
    bench = Bench(ram, wire, make_driver, MemoryDisk(read_only=True))
    assert bench.device.features & (RO | DISCARD | WRITE_ZEROES) == RO
    bench.start(1 << 32 | RO | FLUSH)
    assert bench.ask(1, 0, b"A" * 512)[0] == IOERR
    assert bench.ask(11, data=segments((0, 1, 0)))[0] == UNSUPP
    assert bench.ask(0, 0, room=512)[0] == OK
    assert bench.ask(4)[0] == OK


def test_an_error_of_the_disk_is_told_to_guest_and_user(bench: Bench) -> None:
    bench.disk.error = HospesError("disk d cannot be written: it is full")
    assert bench.ask(1, 0, b"A" * 512)[0] == IOERR
    assert bench.ask(0, 0, room=512)[0] == IOERR
    assert bench.ask(4)[0] == IOERR
    assert bench.driver.used(0) == [(0, 1), (0, 0), (0, 1)]
    assert bench.later.messages == ["disk d cannot be written: it is full"] * 3
    bench.disk.error = None
    assert bench.ask(1, 0, b"A" * 512)[0] == OK


def test_a_mistake_of_ours_still_answers_the_guest(bench: Bench) -> None:
    bench.disk.error = ZeroDivisionError()
    bench.offer(4)
    with pytest.raises(ZeroDivisionError):
        bench.later.run()
    bench.slot.tick()
    assert bench.result()[0] == IOERR


def test_a_reset_drops_what_is_in_flight(bench: Bench) -> None:
    bench.offer(0, 0, room=512)
    bench.driver.reg(0x70, 0)
    bench.finish()
    assert bench.result(512)[0] == UNTOUCHED
    assert not bench.line.level
    bench.start()
    bench.offer(1, 1, b"A" * 512, n=1)
    bench.driver.reg(0x70, 0)
    bench.start()
    bench.offer(8, room=20, n=2)
    assert len(bench.later.jobs) == 1
    bench.finish()
    assert ("write", 512, 512) not in bench.disk.log
    assert bench.result(n=1)[0] == UNTOUCHED
    assert bench.driver.used(0) == []
    bench.finish()
    assert bench.driver.used(0) == [(4, 21)]
    assert (bench.device._begun, bench.device._begun_bytes) == (set(), 0)


def test_what_a_reset_interrupts_ends_before_anything_new_begins(bench: Bench) -> None:
    bench.offer(1, 0, b"A" * 512)
    [job] = bench.later.jobs
    bench.later.jobs.clear()
    write = bench.disk.write

    def slow(offset: int, data: bytes) -> None:
        bench.driver.reg(0x70, 0)
        bench.start()
        bench.offer(1, 0, b"B" * 512, n=1)
        bench.slot.tick()
        assert not bench.later.jobs
        write(offset, data)

    bench.disk.write = slow
    job()
    bench.disk.write = write
    bench.slot.tick()
    assert bench.driver.used(0) == []
    bench.finish()
    assert bench.driver.used(0) == [(2, 1)]
    assert bench.disk.data[:512] == b"B" * 512


def test_a_queue_taken_back_drops_what_is_in_flight(bench: Bench) -> None:
    bench.offer(0, 0, room=512)
    bench.driver.reg(0x30, 0)
    bench.driver.reg(0x44, 0)
    bench.finish()
    assert bench.result(512)[0] == UNTOUCHED
    assert bench.disk.log == []


def test_a_flood_waits_in_the_ring(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(VirtioBlock, "in_flight_bytes_max", 1024)
    for n in range(5):
        bench.offer(1, n, bytes([n]) * 512, n=n)
    assert len(bench.later.jobs) == 2
    for _ in range(3):
        bench.finish()
    assert [bench.disk.data[512 * n] for n in range(5)] == [0, 1, 2, 3, 4]
    assert len(bench.driver.used(0)) == 5
    monkeypatch.setattr(VirtioBlock, "in_flight_max", 0)
    bench.offer(4)
    assert not bench.later.jobs


def test_a_request_without_room_for_its_status(bench: Bench) -> None:
    bench.driver.describe(0, 0, bench.driver.buffer(), 16)
    with pytest.raises(GuestError, match="status"):
        bench.driver.offer(0, 0)
    assert bench.slot.read(0x70, 4) & 64


def test_a_buffer_outside_memory_stops_the_device(bench: Bench) -> None:
    bench.ram.write(bench.driver.buffer(), struct.pack("<IIQ", 0, 0, 0))
    bench.driver.describe(0, 0, bench.driver.buffer(), 16, NEXT, 1)
    bench.driver.describe(0, 1, 0x10, 513, WRITE)
    with pytest.raises(GuestError):
        bench.driver.offer(0, 0)
    assert bench.slot.read(0x70, 4) & 64


def test_a_read_of_what_the_host_has_is_answered_at_once(bench: Bench) -> None:
    bench.disk.in_memory = True
    bench.offer(0, 1, room=1024)
    assert bench.result(1024) == (OK, bytes(range(256)) * 4)
    assert bench.driver.used(0) == [(0, 1025)]
    assert bench.line.level
    assert (bench.later.jobs, bench.slot.due_in_ns()) == ([], None)


def test_a_step_reads_only_so_much_at_once(bench: Bench, monkeypatch) -> None:
    monkeypatch.setattr(VirtioBlock, "at_once_max", 1024)
    bench.disk.in_memory = True
    for n in range(3):
        at = bench.driver.buffer(2 * n)
        bench.ram.write(at, struct.pack("<IIQ", 0, 0, n))
        bench.driver.describe(0, 2 * n, at, 16, NEXT, 2 * n + 1)
        bench.driver.describe(0, 2 * n + 1, at + 0x1000, 513, WRITE)
        bench.driver.offer(0, 2 * n, notify=n == 2)
    assert bench.disk.asked_at_once == [(0, 512), (512, 512)]
    assert len(bench.driver.used(0)) == 2
    bench.finish()
    assert bench.driver.used(0) == [(4, 513)]


@pytest.mark.parametrize(("sector", "room"), [(0, 0), (0, 511), (64, 512), (1 << 60, 512)])
def test_what_cannot_be_read_is_not_read_at_once(bench: Bench, sector, room) -> None:
    bench.disk.in_memory = True
    bench.offer(0, sector, room=room)
    assert bench.disk.asked_at_once == []


def test_small_writes_are_done_together_and_told_once(bench: Bench) -> None:
    for n in range(12):
        bench.offer(1, n, bytes([n]) * 512, n=n) if n == 11 else quietly(bench, n)
    assert [len(job.args[0]) for job in bench.later.jobs] == [8, 4]
    told = bench.line.changes
    bench.finish()
    assert bench.line.changes == told + 1
    assert len(bench.driver.used(0)) == 12
    assert [bench.disk.data[512 * n] for n in range(12)] == list(range(12))


def quietly(bench: Bench, n: int) -> None:
    """Offer a write without ringing the bell."""
    notify, bench.slot.function.notify = bench.slot.function.notify, lambda index: None
    bench.offer(1, n, bytes([n]) * 512, n=n)
    bench.slot.function.notify = notify


def test_a_mistake_of_ours_within_a_job_answers_the_whole_job(bench: Bench) -> None:
    bench.disk.error = ZeroDivisionError()
    quietly(bench, 0)
    bench.offer(1, 1, b"A" * 512, n=1)
    with pytest.raises(ZeroDivisionError):
        bench.later.run()
    bench.slot.tick()
    assert [bench.result(n=n)[0] for n in (0, 1)] == [IOERR, IOERR]


def test_a_queues_reset_leaves_what_waits_in_the_other_one(ram, wire, make_driver) -> None:
    bench = Bench(ram, wire, make_driver, MemoryDisk(), queues=2)
    bench.start(ALL | RING_RESET)
    bench.device.in_flight_max = 1
    bench.offer(4, n=0)
    bench.offer(4, n=1)
    assert len(bench.later.jobs) == 1
    bench.driver.reg(0x30, 1)
    bench.driver.reg(0xC0, 1)
    for n in range(2):
        bench.finish()
        assert bench.driver.used(0) == [(2 * n, 1)]


def test_one_step_takes_no_more_than_the_queue_is_long(bench: Bench) -> None:
    bench.disk.in_memory = True
    queue = bench.device.queue(0)
    bench.offer(0, 0, room=512)
    again = queue.peek

    def endless():
        queue.state.next_avail = queue.state.next_avail - 1 & 0xFFFF
        queue._offered = queue.state.next_avail + 1 & 0xFFFF
        return again()

    queue.peek = endless
    bench.driver.reg(0x50, 0)
    assert len(bench.disk.asked_at_once) == 1 + 64
    assert bench.slot.due_in_ns() == 0
    bench.slot.tick()
    assert len(bench.disk.asked_at_once) == 1 + 2 * 64


def test_draining_waits_for_what_is_under_way(bench: Bench, monkeypatch) -> None:
    monkeypatch.setattr(VirtioBlock, "in_flight_bytes_max", 512)
    bench.offer(1, 0, b"A" * 512)
    bench.offer(1, 1, b"B" * 512, n=1)
    bench.slot.drain()
    assert bench.driver.used(0) == [(0, 1)]
    assert (bench.device._begun, bench.later.jobs) == (set(), [])
    bench.slot.drain()
    assert bench.slot.due_in_ns() == 0
    bench.slot.tick()
    bench.finish()
    assert bench.driver.used(0) == [(2, 1)]


def test_requests_of_all_queues(ram, wire, make_driver) -> None:
    bench = Bench(ram, wire, make_driver, MemoryDisk())
    bench.device = VirtioBlock(ram, bench.disk, bench.later, queues=3)
    bench.slot = bench.driver.slot = VirtioMmio(wire, bench.device)
    told: list[int] = []
    bench.device.interrupt_queue = told.append
    assert bench.slot.read(0x122, 2) == 3
    bench.driver.start(ALL | MQ, queues=3)
    for queue in range(3):
        at = bench.driver.buffer(8 + 2 * queue)
        ram.write(at, struct.pack("<IIQ", 0, 0, queue))
        bench.driver.describe(queue, 0, at, 16, NEXT, 1)
        bench.driver.describe(queue, 1, at + 0x1000, 513, WRITE)
        bench.driver.offer(queue, 0)
    bench.finish()
    assert [bench.driver.used(queue) for queue in range(3)] == [[(0, 513)]] * 3
    assert told == [0, 1, 2]


def test_configuration(bench: Bench) -> None:
    assert bench.slot.read(0x100, 8) == 64
    assert bench.slot.read(0x10C, 4) == 254
    assert bench.slot.read(0x114, 4) == 512
    assert bench.slot.read(0x118, 1) == 3
    assert bench.slot.read(0x122, 2) == 1
    assert bench.slot.read(0x128, 4) == 16
    assert bench.slot.read(0x138, 1) == 1
    assert len(bench.device.config()) == 72
    bench.slot.write(0x100, 4, 1)
    assert bench.slot.read(0x100, 8) == 64

"""The file system device on both ring formats, and a folder that answers when the test says so."""

import struct
import threading
from collections.abc import Callable

import pytest
from tests.devices.virtio.file_system_driver import (
    MODELS,
    OTHERS,
    SIZE,
    URGENT,
    Asked,
    Bench,
    Folder,
    message,
)

from hospes.base.errors import GuestError
from hospes.devices.virtio.file_system import (
    HEADER_BYTES,
    IN_FLIGHT_BYTES_MAX,
    IN_FLIGHT_MAX,
    MESSAGE_BYTES_MAX,
    VirtioFileSystem,
)
from hospes.devices.virtio.mmio import VirtioMmio

NEEDS_RESET = 64


@pytest.fixture(params=MODELS)
def bench(request: pytest.FixtureRequest, ram, wire, make_driver) -> Bench:
    folder = Folder()
    device = VirtioFileSystem(ram, folder, "volume0")
    driver = make_driver(VirtioMmio(wire, device))
    made = Bench(ram, wire, driver, device, folder, request.param)
    made.start()
    return made


def test_what_a_driver_reads_of_it(bench: Bench) -> None:
    assert bench.reg(0x008) == 26
    assert bench.device.config() == b"volume0" + bytes(29) + struct.pack("<I", 1)
    assert bench.slot.read(0x124, 4) == 1
    for queue, size in ((0, SIZE), (1, SIZE), (2, 0)):
        bench.reg(0x30, queue)
        assert bench.reg(0x34) == size


def test_a_tag_may_fill_its_place(ram) -> None:
    config = VirtioFileSystem(ram, Folder(), "t" * 36).config()
    assert config == b"t" * 36 + struct.pack("<I", 1)


@pytest.mark.parametrize("queue", [URGENT, OTHERS])
@pytest.mark.parametrize("indirect", [False, True])
def test_a_message_and_its_answer(bench: Bench, queue: int, indirect: bool) -> None:
    body = bytes(range(200))
    number = bench.offer(7, body, (16, 40, 41, 100), (16, 3, 0, 64), queue, indirect)
    (asked,) = bench.folder.asked
    whole = message(7, body)
    assert (asked.queue, asked.room) == (queue, 83)
    assert asked.parts == [whole[:16], whole[16:40], whole[40:41], whole[41:100], whole[100:]]
    assert (bench.used(queue), bench.told(), bench.slot.due_in_ns()) == ([], False, None)
    answer = bytes(range(100, 130))
    bench.folder.answer(0, answer)
    assert bench.used(queue) == []
    assert bench.slot.due_in_ns() == 0
    bench.slot.tick()
    assert bench.used(queue) == [(number, 30)]
    assert bench.answer(7, (16, 3, 0, 64)) == answer
    assert bench.told()
    assert bench.slot.due_in_ns() is None
    bench.slot.tick()
    assert (bench.used(queue), bench.told()) == ([], False)


def test_parts_may_be_empty(bench: Bench) -> None:
    at = bench.message_gpa(1)
    bench.ram.write(at, message(1, b"body"))
    readable = [(at, 0), (at, 40), (at + 40, 0), (at + 40, 4)]
    number = bench.offer_parts(readable, [(at + 0x800, 0), (at + 0x900, 6)])
    whole = message(1, b"body")
    assert bench.folder.asked[0].parts == [b"", whole[:40], b"", b"body"]
    bench.folder.answer()
    bench.slot.tick()
    assert bench.used() == [(number, 6)]
    assert bench.ram.read(at + 0x900, 6) == b"answer"


@pytest.mark.parametrize("answer", [b"", b"there is no room for this"])
def test_a_message_without_room_for_an_answer(bench: Bench, answer: bytes) -> None:
    number = bench.offer(2, bytes(8), rooms=(), queue=URGENT)
    asked = bench.folder.asked.pop()
    assert (asked.room, asked.queue) == (0, URGENT)
    asked.answered(answer)
    bench.slot.tick()
    assert bench.used(URGENT) == [(number, 0)]


def test_an_answer_longer_than_its_room_is_cut(bench: Bench) -> None:
    number = bench.offer(1, rooms=(16, 4))
    bench.folder.asked.pop().answered(bytes(range(30)))
    bench.slot.tick()
    assert bench.used() == [(number, 20)]
    assert bench.answer(1, (16, 4)) == bytes(range(20))


def test_answers_come_in_any_order(bench: Bench) -> None:
    urgent = bench.offer(9, queue=URGENT)
    numbers = [bench.offer(n) for n in range(3)]
    bench.folder.answer(3)
    bench.folder.answer(1)
    bench.slot.tick()
    assert bench.used() == [(numbers[2], 6), (numbers[0], 6)]
    bench.folder.answer(1)
    bench.folder.answer(0)
    bench.slot.tick()
    assert (bench.used(), bench.used(URGENT)) == ([(numbers[1], 6)], [(urgent, 6)])


def test_answers_come_from_other_threads(bench: Bench) -> None:
    numbers = [bench.offer(n) for n in range(40)]
    asked, bench.folder.asked = bench.folder.asked, []

    def answer(some: list[Asked]) -> None:
        for one in some:
            one.answered(struct.pack("<Q", one.unique))

    threads = [threading.Thread(target=answer, args=(asked[n::4],)) for n in range(4)]
    for thread in threads:
        thread.start()
    got: list[tuple[int, int]] = []
    while any(thread.is_alive() for thread in threads):
        bench.slot.tick()
        got += bench.used()
    bench.slot.tick()
    got += bench.used()
    assert sorted(got) == sorted((number, 8) for number in numbers)
    assert [bench.answer(n) for n in range(40)] == [struct.pack("<Q", n) for n in range(40)]


def test_a_folder_may_answer_at_once(bench: Bench) -> None:
    def ask(queue: int, parts, room: int, answered: Callable[[bytes], None]) -> None:
        answered(b"now")

    bench.folder.ask = ask
    number = bench.offer(1)
    assert (bench.used(), bench.slot.due_in_ns()) == ([], 0)
    bench.slot.tick()
    assert bench.used() == [(number, 3)]


def test_one_more_waits_in_its_ring(bench: Bench) -> None:
    urgent = bench.offer(100, queue=URGENT)
    numbers = [bench.offer(n) for n in range(IN_FLIGHT_MAX + 5)]
    assert bench.asked == [100, *range(IN_FLIGHT_MAX - 1)]
    assert bench.slot.due_in_ns() is None
    bench.folder.answer(0)
    bench.folder.answer(0)
    bench.slot.tick()
    assert bench.slot.due_in_ns() is None
    assert bench.asked == list(range(1, IN_FLIGHT_MAX + 1))
    used = bench.used()
    while bench.folder.asked:
        bench.folder.answer()
        bench.slot.tick()
        used += bench.used()
    assert (used, bench.used(URGENT)) == ([(number, 6) for number in numbers], [(urgent, 6)])
    # The device listens again.
    bench.offer(5)
    assert bench.asked == [5]


def test_bytes_under_way_are_bounded(bench: Bench) -> None:
    room = MESSAGE_BYTES_MAX - HEADER_BYTES
    for n in range(20):
        bench.offer(n, rooms=(room,))
    most = -(-IN_FLIGHT_BYTES_MAX // MESSAGE_BYTES_MAX)
    assert bench.asked == list(range(most))
    count = 0
    while bench.folder.asked:
        assert len(bench.folder.asked) <= most
        bench.folder.answer()
        bench.slot.tick()
        count += 1
    assert count == 20
    assert bench.device._begun_bytes == 0


def test_the_longest_and_the_shortest_message(bench: Bench) -> None:
    bench.offer(1)
    bench.offer(2, rooms=(MESSAGE_BYTES_MAX - HEADER_BYTES,))
    at = bench.message_gpa(3)
    bench.ram.write(at, message(3))
    bench.offer_parts([(at, 0x8_0000)], [(at, MESSAGE_BYTES_MAX - 0x8_0000)])
    assert bench.asked == [1, 2, 3]
    assert not bench.device.status & NEEDS_RESET


@pytest.mark.parametrize(
    ("length", "room"),
    [(HEADER_BYTES - 1, 64), (0, 64), (HEADER_BYTES, MESSAGE_BYTES_MAX - HEADER_BYTES + 1),
     (MESSAGE_BYTES_MAX + 1, 0), (0xFFFF_FFFF, 0), (HEADER_BYTES, 0xFFFF_FFFF)],
)  # fmt: skip
def test_what_is_no_message_stops_the_device(bench: Bench, length: int, room: int) -> None:
    bench.offer(5)
    with pytest.raises(GuestError, match=f"a message of {length} bytes .* room for {room}"):
        bench.offer_parts([(bench.message_gpa(1), length)], [(bench.message_gpa(2), room)])
    assert bench.reg(0x70) & NEEDS_RESET
    assert bench.asked == [5]
    # The driver gets nothing until it has reset the device, and then all is as ever.
    bench.folder.answer()
    bench.slot.tick()
    assert bench.used() == []
    bench.reg(0x70, 0)
    bench.start()
    number = bench.offer(6)
    bench.folder.answer()
    bench.slot.tick()
    assert bench.used() == [(number, 6)]


def test_a_message_outside_memory(bench: Bench) -> None:
    with pytest.raises(GuestError, match="not RAM"):
        bench.offer_parts([(0x1000, 50)], [(bench.message_gpa(2), 50)])
    assert bench.reg(0x70) & NEEDS_RESET
    assert (bench.asked, bench.device._begun) == ([], set())


@pytest.mark.parametrize("finish", ["tick", "drain"])
def test_an_answer_outside_memory(bench: Bench, finish: str) -> None:
    at = bench.message_gpa(1)
    bench.ram.write(at, message(1))
    bench.offer_parts([(at, 40)], [(0x1000, 50)])
    bench.folder.answer()
    bench.offer(2)
    with pytest.raises(GuestError, match="not RAM"):
        getattr(bench.slot, finish)()
    assert bench.reg(0x70) & NEEDS_RESET
    bench.folder.answer_all()
    bench.slot.tick()
    assert (bench.used(), bench.device._begun) == ([], set())


def test_a_reset_forgets_what_is_under_way(bench: Bench) -> None:
    resets = bench.folder.resets
    bench.offer(1)
    bench.offer(2, queue=URGENT)
    bench.folder.answer(0)
    bench.reg(0x70, 0)
    assert bench.folder.resets == resets + 1
    bench.start()
    numbers = bench.offer(3), bench.offer(4, queue=URGENT)
    bench.slot.tick()
    # Until the folder has done with the old ones, new ones stay in their rings.
    assert bench.asked == []
    bench.folder.end_old()
    assert bench.slot.due_in_ns() == 0
    bench.slot.tick()
    assert sorted(bench.asked) == [3, 4]
    assert (bench.used(), bench.used(URGENT), bench.told()) == ([], [], False)
    bench.folder.answer_all()
    bench.slot.tick()
    assert (bench.used(), bench.used(URGENT)) == ([(numbers[0], 6)], [(numbers[1], 6)])
    assert [bench.answer(n) for n in range(1, 5)] == [b"", b"", b"answer", b"answer"]
    assert bench.folder.resets == resets + 1


def test_a_reset_with_nothing_under_way(bench: Bench) -> None:
    bench.reg(0x70, 0)
    assert bench.slot.due_in_ns() is None
    bench.start()
    bench.offer(1)
    assert bench.asked == [1]


def test_resets_one_after_the_other(bench: Bench) -> None:
    for n in range(3):
        bench.offer(n)
        bench.reg(0x70, 0)
        bench.start()
    # Only the first went to the folder: the others would have waited for its end.
    assert [asked.unique for asked in bench.folder.old] == [0]
    bench.offer(7)
    bench.folder.end_old()
    bench.slot.tick()
    assert bench.asked == [7]
    assert bench.used() == []


def test_a_queues_reset_forgets_its_messages(bench: Bench) -> None:
    resets = bench.folder.resets
    bench.offer(1)
    urgent = bench.offer(2, queue=URGENT)
    bench.restart_queue(OTHERS)
    assert bench.folder.resets == resets + 1
    number = bench.offer(3)
    assert bench.asked == []
    bench.folder.end_old()
    bench.slot.tick()
    # The other queue's message has ended too, and that is told.
    assert bench.used(URGENT) == [(urgent, 8)]
    assert (bench.asked, bench.used()) == ([3], [])
    bench.folder.answer()
    bench.slot.tick()
    assert bench.used() == [(number, 6)]


def test_a_queues_reset_leaves_what_waits_in_the_other_one(bench: Bench) -> None:
    numbers = [bench.offer(n) for n in range(IN_FLIGHT_MAX + 1)]
    assert len(bench.asked) == IN_FLIGHT_MAX
    bench.restart_queue(URGENT)
    bench.folder.end_old()
    bench.slot.tick()
    bench.slot.tick()
    assert bench.asked == [IN_FLIGHT_MAX]
    bench.folder.answer_all()
    bench.slot.tick()
    used = bench.used()
    assert sorted(number for number, _ in used) == sorted(numbers)


def test_a_pause_waits_for_the_folder(bench: Bench) -> None:
    bench.slot.drain()
    assert bench.folder.waits == 0
    numbers = [bench.offer(n) for n in range(IN_FLIGHT_MAX + 2)]
    bench.slot.drain()
    assert bench.folder.waits == 1
    assert bench.used() == [(number, 6) for number in numbers[:IN_FLIGHT_MAX]]
    assert (bench.device._begun, bench.asked, bench.told()) == (set(), [], True)
    # What is left in the ring is for the time after the pause.
    assert bench.slot.due_in_ns() == 0
    bench.slot.tick()
    assert bench.asked == [IN_FLIGHT_MAX, IN_FLIGHT_MAX + 1]


def test_a_pause_ends_what_was_before_a_reset(bench: Bench) -> None:
    bench.offer(1)
    bench.reg(0x70, 0)
    bench.slot.drain()
    assert (bench.device._begun, bench.device._orphans) == (set(), 0)
    bench.start()
    bench.offer(2)
    assert (bench.asked, bench.used()) == ([2], [])

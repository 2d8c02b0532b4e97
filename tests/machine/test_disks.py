"""Disks of a machine: opened, locked, kept over a reboot, closed whatever happens."""

import struct
import threading
import time
from pathlib import Path

import pytest
from tests.devices.virtio.conftest import Driver
from tests.machine.bare import bare_machine

from hospes.base.errors import HospesError
from hospes.machine.disks import THREADS_MAX, Disks, DiskThreads, open_disk
from hospes.machine.machine import Machine
from hospes.spec.disk import DiskFormat, DiskSpec, VirtioBus
from hospes.storage.chain import Surroundings
from hospes.storage.create import create_image


def nothing() -> None:
    """A bell nobody hears."""


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "data.qcow2"
    create_image(path, 1 << 20)
    return path


def test_every_job_rings_and_errors_are_kept(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("HOSPES_CACHE", str(tmp_path))
    done: list[object] = []
    threads = DiskThreads("d", lambda: done.append("ring"), done.append)

    def fail() -> None:
        done.append(threading.current_thread().name)
        raise ZeroDivisionError

    for job in (lambda: done.append(1), fail, lambda: done.append(2)):
        threads.submit(job)
        threads.wait()
    threads.close()
    assert sorted(map(str, done)) == ["1", "2", "d", "ring", "ring", "ring"]
    assert list((tmp_path / "log").glob("crash-*"))


def test_jobs_run_side_by_side_and_are_waited_for() -> None:
    together = threading.Barrier(THREADS_MAX)
    threads = DiskThreads("d", nothing, print)
    for _ in range(3 * THREADS_MAX):
        threads.submit(lambda: together.wait(10) and None)
    threads.wait()
    assert together.n_waiting == 0
    assert not together.broken
    gate = threading.Event()
    threads.submit(gate.wait)
    waiter = threading.Thread(target=threads.wait)
    waiter.start()
    waiter.join(0.05)
    assert waiter.is_alive()
    gate.set()
    waiter.join(10)
    assert not waiter.is_alive()
    threads.close()


def test_a_disk_is_locked_while_it_is_open(image: Path) -> None:
    disks = Disks([DiskSpec(image)], nothing)
    with pytest.raises(HospesError, match="in use by another machine"):
        Disks([DiskSpec(image)], nothing)
    disks.close()
    disks.close()
    Disks([DiskSpec(image, read_only=True)], nothing).close()


def test_one_that_cannot_be_opened_closes_the_others(image: Path, tmp_path: Path) -> None:
    for bad in (tmp_path / "absent.raw", tmp_path / "odd.img"):
        with pytest.raises(HospesError) as caught:
            Disks([DiskSpec(image), DiskSpec(bad)], nothing)
        assert "\n" not in str(caught.value)
        Disks([DiskSpec(image)], nothing).close()


def test_what_was_begun_is_finished_at_the_end(image: Path) -> None:
    disks = Disks([DiskSpec(image)], nothing)
    [disk] = disks.all
    for n in range(8):
        disk.executor.submit(lambda n=n: disk.device.write(n << 16, bytes([n]) * 512))
    disks.close()
    device = open_disk(DiskSpec(image, read_only=True))
    assert [device.read(n << 16, 512)[0] for n in range(8)] == list(range(8))
    device.close()


def test_each_sentence_is_kept_once() -> None:
    disks = Disks([DiskSpec(size_bytes=512)], nothing)
    for text in ("a", "b", "a"):
        disks.all[0].executor.report(text)
    disks.close()
    assert disks.remarks == ["a", "b"]


@pytest.mark.parametrize("kind", [None, DiskFormat.QCOW2])
def test_a_new_disk_leaves_nothing_behind(tmp_path: Path, monkeypatch, kind) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    device = open_disk(DiskSpec(size_bytes=1 << 20, format=kind))
    assert list(tmp_path.iterdir()) == []
    device.write(512, b"A" * 512)
    assert (device.size_bytes, device.read(512, 512)) == (1 << 20, b"A" * 512)
    device.close()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "absent"))
    with pytest.raises(HospesError, match="TMPDIR"):
        open_disk(DiskSpec(size_bytes=1 << 20))


@pytest.mark.parametrize("ending", [Machine.pause, Machine.close])
def test_a_pause_and_the_end_wait_for_the_disk(image: Path, ending) -> None:
    with bare_machine("j .", disks=(DiskSpec(image, bus=VirtioBus.MMIO),)) as machine:
        memory, gate = machine._powered.memory, threading.Event()
        [disk] = machine._disks.all
        write, written = disk.device.write, []

        def slow(offset: int, data: bytes) -> None:
            gate.wait()
            write(offset, data)
            written.append(offset)

        disk.device.write = slow
        slots = {mapping.name: mapping.device for mapping in machine._powered.board.bus.mappings}
        driver = Driver(slots["virtio-disk0"], memory)
        driver.start(queues=1)
        memory.write(driver.buffer(), struct.pack("<IIQ", 1, 0, 3) + b"A" * 512 + b"\xEE")
        driver.describe(0, 0, driver.buffer(), 16 + 512, 1, 1)
        driver.describe(0, 1, driver.buffer() + 528, 1, 2)
        driver.offer(0, 0)
        machine.start()
        asker = threading.Thread(target=ending, args=(machine,))
        asker.start()
        asker.join(0.2)
        assert asker.is_alive()
        gate.set()
        asker.join(10)
        assert written == [3 * 512]
        if ending is Machine.pause:
            assert driver.used(0) == [(0, 1)]
            assert memory.read(driver.buffer() + 528, 1) == b"\0"


def test_a_disk_begins_as_its_base(
    image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.setenv("TMPDIR", str(elsewhere))
    original = open_disk(DiskSpec(image))
    original.write(512, b"A" * 512)
    original.close()
    before = image.read_bytes()
    first, second = (open_disk(DiskSpec(base=image)) for _ in range(2))
    assert first.read(512, 512) == b"A" * 512
    first.write(512, b"B" * 512)
    assert second.read(512, 512) == b"A" * 512
    for device in (first, second):
        device.close()
    assert image.read_bytes() == before
    assert list(elsewhere.iterdir()) == []


def test_a_kept_disk_may_be_based_elsewhere(image: Path, tmp_path: Path) -> None:
    kept = tmp_path / "machine" / "disk.qcow2"
    kept.parent.mkdir()
    create_image(kept, None, backing=image, around=Surroundings(places=(image.parent,)))
    open_disk(DiskSpec(kept, base=image)).close()
    with pytest.raises(HospesError, match="which is not in"):
        open_disk(DiskSpec(kept))


FIRST_SLOTS = {
    VirtioBus.MMIO: ("0x10001008\n lw t1, 0(t0)", 2),
    None: ("0x30018002\n lbu t1, 0(t0)", 0x42),
}
DEVICE_ID = """
    li t0, {address}
    slli t1, t1, 16
    li t0, TEST
    li t2, FAIL
    or t1, t1, t2
    sw t1, 0(t0)
    j .
"""


@pytest.mark.parametrize("bus", FIRST_SLOTS)
def test_a_disk_is_in_the_first_free_slot(image: Path, bus: VirtioBus | None) -> None:
    address, number = FIRST_SLOTS[bus]
    source = DEVICE_ID.replace("{address}", address)
    with bare_machine(source, disks=(DiskSpec(image, bus=bus),)) as machine:
        assert machine.run().exit_code == number
    Disks([DiskSpec(image)], nothing).close()


def test_the_disk_stays_locked_over_a_reset(image: Path) -> None:
    source = "li t0, TEST\nli t1, RESET\nsw t1, (t0)\nj ."
    with bare_machine(source, disks=(DiskSpec(image),)) as machine:
        machine.start()
        while machine.restarts < 2:
            assert machine.ending is None
        with pytest.raises(HospesError, match="in use"):
            open_disk(DiskSpec(image))
    Disks([DiskSpec(image)], nothing).close()


def test_a_machine_that_cannot_be_built_lets_go(image: Path) -> None:
    with pytest.raises(HospesError, match=r"does not fit|memory"):
        bare_machine(".zero 9000000\nnop", disks=(DiskSpec(image),))
    Disks([DiskSpec(image)], nothing).close()


def test_a_backing_file_may_lie_in_an_allowed_place(tmp_path: Path) -> None:
    for name in ("bases", "mine"):
        (tmp_path / name).mkdir()
    base, mine = tmp_path / "bases/base.qcow2", tmp_path / "mine/disk.qcow2"
    create_image(base, 1 << 20)
    around = Surroundings(places=(tmp_path / "bases",))
    create_image(mine, None, backing=base, around=around)
    with pytest.raises(HospesError, match="allow its directory with --allow"):
        open_disk(DiskSpec(mine))
    open_disk(DiskSpec(mine), around.places).close()


def test_what_was_begun_is_done_before_a_disk_is_looked_at(image: Path) -> None:
    disks = Disks([DiskSpec(image)], nothing)
    device = disks.all[0].device
    disks.all[0].executor.submit(lambda: (time.sleep(0.1), device.write(0, b"done")))
    [found] = disks.settled()
    assert found.read(0, 4) == b"done"
    disks.close()


def test_a_remark_is_passed_on_once() -> None:
    heard: list[str] = []
    disks = Disks([], nothing, on_remark=heard.append)
    for message in ("full", "full", "gone"):
        disks.report(message)
    assert heard == disks.remarks == ["full", "gone"]

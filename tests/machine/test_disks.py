"""Disks of a machine: opened, locked, kept over a reboot, closed whatever happens."""

import threading
from pathlib import Path

import pytest
from tests.machine.bare import bare_machine

from hospes.base.errors import HospesError
from hospes.machine.disks import Disks, DiskThread, open_disk
from hospes.spec.disk import DiskFormat, DiskSpec
from hospes.storage.chain import Surroundings
from hospes.storage.create import create_image


def nothing() -> None:
    """A bell nobody hears."""


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "data.qcow2"
    create_image(path, 1 << 20)
    return path


def test_jobs_run_in_order_and_ring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOSPES_CACHE", str(tmp_path))
    done: list[object] = []
    thread = DiskThread("d", lambda: done.append("ring"), done.append)

    def fail() -> None:
        done.append(threading.current_thread().name)
        raise ZeroDivisionError

    for job in (lambda: done.append(1), fail, lambda: done.append(2)):
        thread.submit(job)
    thread.close()
    assert done == [1, "ring", "d", "ring", 2, "ring"]
    assert list((tmp_path / "log").glob("crash-*"))


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
        disk.thread.submit(lambda n=n: disk.device.write(n << 16, bytes([n]) * 512))
    disks.close()
    device = open_disk(DiskSpec(image, read_only=True))
    assert [device.read(n << 16, 512)[0] for n in range(8)] == list(range(8))
    device.close()


def test_each_sentence_is_kept_once() -> None:
    disks = Disks([DiskSpec(size_bytes=512)], nothing)
    for text in ("a", "b", "a"):
        disks.all[0].thread.report(text)
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


THIRD_SLOT = """
    li t0, 0x10003008
    lw t1, 0(t0)
    slli t1, t1, 16
    li t0, TEST
    li t2, FAIL
    or t1, t1, t2
    sw t1, 0(t0)
    j .
"""


def test_a_disk_is_in_the_first_free_slot(image: Path) -> None:
    with bare_machine(THIRD_SLOT, disks=(DiskSpec(image),)) as machine:
        assert machine.run().exit_code == 2
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

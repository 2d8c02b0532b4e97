"""Power cuts at any moment: the image stays consistent and holds every flushed write.

Histories begin with a new image or an old one with snapshots, compressed clusters or subclusters.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.storage.history import SECTOR, some_data, some_range
from tests.storage.memory_files import MemoryDisk, MemoryFile
from tests.storage.power import CutFile, Promise
from tests.storage.qemu import needs_qemu, qemu_check

from fuzz import qcow2 as fuzz
from hospes.storage.errors import StorageError
from hospes.storage.qcow2.check import check_qcow2
from hospes.storage.qcow2.image import Qcow2Image, open_qcow2
from hospes.storage.qcow2.making import Qcow2Options, make_qcow2
from hospes.storage.raw import RawImage

STEPS = 40
CUTS = 40
CLUSTERS = (512, 512, 1024, 4096)


@dataclass
class Run:
    """A finished history: the log of the file, what it began with and what the guest may find."""

    start: bytes
    disk: MemoryDisk
    promise: Promise
    base: MemoryFile | None


def play(seed: int, *, ignores_syncs: bool = False) -> Run:
    """A random history of whole sectors, half of the time in two sessions."""
    chance = random.Random(seed)
    file, base = new_image(chance) if seed % 3 else old_image(chance)
    start = bytes(file.data)
    file.disk = MemoryDisk(ignores_syncs=ignores_syncs)
    image = reopen(file, base)
    promise = Promise(image.read(0, image.size_bytes))
    for number in range(STEPS):
        request(chance, image, file.disk, promise)
        if number == STEPS // 2 and seed % 2:
            image.close()
            promise.flushed(len(file.disk.log))
            image = reopen(file, base)
    image.close()
    return Run(start, file.disk, promise, base)


def new_image(chance: random.Random) -> tuple[MemoryFile, MemoryFile | None]:
    """An empty image, every other time on a backing file."""
    size = SECTOR * chance.randrange(100, 700)
    base = MemoryFile("base", chance.randbytes(size // 2)) if chance.random() < 0.5 else None
    file = MemoryFile("image")
    options = Qcow2Options(chance.choice(CLUSTERS), backing="base" if base else None)
    make_qcow2(file, size, options)
    return file, base


def old_image(chance: random.Random) -> tuple[MemoryFile, MemoryFile | None]:
    """One of the fuzz target's seeds, which have a bit of everything."""
    number = chance.randrange(len(fuzz.SEEDS))
    base = MemoryFile("base", b"base" * 100_000) if fuzz.SEEDS[number].backing else None
    return MemoryFile("image", fuzz.seed(number)), base


def request(chance: random.Random, image: Qcow2Image, disk: MemoryDisk, promise: Promise) -> None:
    """One request of whole sectors, with what it promises."""
    began = len(disk.log)
    offset, length = some_range(chance, image.size_bytes, SECTOR)
    kind = chance.choices(("write", "discard", "zero", "flush", "resize"), (50, 10, 15, 20, 5))[0]
    if kind == "flush":
        image.flush()
        promise.flushed(len(disk.log))
    elif kind == "resize":
        old = image.size_bytes
        size = SECTOR * chance.choice([n for n in range(50, 800) if n != old // SECTOR])
        if image.header.snapshot_count:
            size = old + SECTOR * chance.randrange(1, 200)
        image.resize(size)
        promise.resized(began, size)
        promise.wrote(began, old, bytes(max(0, size - old)))
        promise.flushed(len(disk.log))
    else:
        if kind == "write":
            image.write(offset, some_data(chance, length))
        elif kind == "zero":
            image.write_zeroes(offset, length, unmap=chance.random() < 0.5)
        else:
            image.discard(offset, length)
        promise.wrote(began, offset, image.read(offset, length))


def reopen(file: MemoryFile, base: MemoryFile | None, *, writable: bool = True) -> Qcow2Image:
    backing = RawImage(base, writable=False) if base else None
    return open_qcow2(file, backing, writable=writable)


def cuts(run: Run, count: int, chance: random.Random) -> Iterator[tuple[int, MemoryFile]]:
    """Cuts at random moments, in order: (entries of the log before it, what is left)."""
    cut_file, done = CutFile(run.start), 0
    for cut in sorted(chance.randrange(len(run.disk.log) + 1) for _ in range(count)):
        while done < cut:
            cut_file.follow(run.disk.log[done])
            done += 1
        yield cut, MemoryFile("image", cut_file.after_cut(chance))


def problem(run: Run, cut: int, left: MemoryFile) -> str:
    """What is wrong with an image after a cut, or nothing."""
    try:
        report = check_qcow2(left)
        if report.corruptions:
            return report.problems[0]
        image = reopen(left, run.base, writable=False)
        if image.size_bytes not in run.promise.sizes(cut):
            return f"size {image.size_bytes}, not {run.promise.sizes(cut)}"
        broken = list(run.promise.broken(cut, image.read(0, image.size_bytes)))
    except StorageError as error:
        return str(error)
    return f"sectors {broken}" if broken else ""


def survive(seeds: range, cuts_each: int) -> None:
    for seed in seeds:
        run, chance = play(seed), random.Random(~seed)
        for cut, left in cuts(run, cuts_each, chance):
            assert not problem(run, cut, left), (seed, cut, problem(run, cut, left))
            goes_on(chance, left, run.base)


def goes_on(chance: random.Random, left: MemoryFile, base: MemoryFile | None) -> None:
    """The image that is left can be written to and stays consistent."""
    if chance.random() < 0.2:
        image = reopen(left, base)
        offset, length = some_range(chance, image.size_bytes)
        data = chance.randbytes(length)
        image.write(offset, data)
        image.close()
        assert check_qcow2(left).corruptions == 0
        assert reopen(left, base).read(offset, length) == data


def test_1000_power_cuts() -> None:
    survive(range(1000 // CUTS), CUTS)


@pytest.mark.soak
def test_10000_power_cuts() -> None:
    survive(range(1000, 1000 + 10000 // CUTS), CUTS)


def failures(seeds: range, *, ignores_syncs: bool) -> int:
    count = 0
    for seed in seeds:
        run = play(seed, ignores_syncs=ignores_syncs)
        count += sum(
            bool(problem(run, cut, left)) for cut, left in cuts(run, CUTS, random.Random(seed))
        )
    return count


def test_the_harness_fails_when_flushes_are_ignored() -> None:
    assert failures(range(3), ignores_syncs=True) > 20


@pytest.mark.parametrize("kept", [1, 2])
def test_the_harness_fails_when_a_barrier_is_missing(
    kept: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every other barrier left out, so that a flush has one too few."""
    syncs = 0
    real = MemoryFile.sync

    def sync(self: MemoryFile) -> None:
        nonlocal syncs
        syncs += 1
        if syncs % 2 == kept % 2:
            real(self)

    monkeypatch.setattr(MemoryFile, "sync", sync)
    assert failures(range(4), ignores_syncs=False) > 0


@needs_qemu
def test_qemu_finds_no_corruption_after_cuts(tmp_path: Path) -> None:
    path = tmp_path / "left.qcow2"
    for seed in range(0, 24, 2):
        run, chance = play(seed), random.Random(seed)
        for _, left in cuts(run, 2, chance):
            path.write_bytes(left.data)
            for name in ("base", "base.raw"):
                (tmp_path / name).write_bytes(run.base.data if run.base else b"")
            found = qemu_check(path)
            assert (found.get("corruptions", 0), found["check-errors"]) == (0, 0), (seed, found)

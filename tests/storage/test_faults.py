"""The host fails at every single operation in turn: the old state or the new, never a mixture."""

import copy
import errno
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.storage.memory_files import SECTOR, Faults, MemoryFiles

from hospes.spec.disk import DiskFormat
from hospes.storage.block import BlockDevice
from hospes.storage.chain import Surroundings, open_image
from hospes.storage.check import check_image
from hospes.storage.commit import commit_image
from hospes.storage.convert import convert_image
from hospes.storage.create import create_image
from hospes.storage.errors import HostFileError
from hospes.storage.qcow2.making import Qcow2Options
from hospes.storage.rebase import rebase_image

BASE, TOP, NEW = Path("/disks/base.qcow2"), Path("/disks/top.qcow2"), Path("/disks/new.qcow2")
OPTIONS = Qcow2Options(512)
SIZE = 96 * 1024

Action = Callable[[Surroundings], object]

FAULTS = pytest.mark.parametrize(
    ("number", "half"), [(errno.EIO, False), (errno.EIO, True), (errno.ENOSPC, True)]
)


def prepared() -> MemoryFiles:
    """An image over another, both with data and holes."""
    files = MemoryFiles()
    around = Surroundings(files)
    create_image(BASE, SIZE, options=OPTIONS, around=around)
    with_writes(BASE, around, ((0, b"b" * 50_000), (70_000, b"c" * 20_000)))
    create_image(TOP, None, backing=BASE, options=OPTIONS, around=around)
    with_writes(TOP, around, ((10_000, b"t" * 5000), (60_000, b"u" * 20_000)))
    return files


def with_writes(path: Path, around: Surroundings, writes: tuple[tuple[int, bytes], ...]) -> None:
    image = open_image(path, writable=True, around=around)
    for offset, data in writes:
        image.write(offset, data)
    image.close()


@dataclass
class Outcome:
    """What was left after an operation failed, or (error is None) went through."""

    files: MemoryFiles
    error: HostFileError | None

    @property
    def around(self) -> Surroundings:
        return Surroundings(self.files)

    def content(self, path: Path = TOP) -> bytes:
        """The disk as another process would now find it; sound, but for leaks."""
        assert check_image(path, around=self.around).corruptions == 0
        image = open_image(path, around=self.around)
        try:
            return image.read(0, image.size_bytes)
        finally:
            image.close()


def outcomes(action: Action, number: int, half: bool) -> Iterator[Outcome]:
    """The action with its first, second, … operation failing, until none is left to fail."""
    start = prepared()
    for at in range(10_000):
        files = copy.deepcopy(start)
        files.disk.faults = Faults(at, number, half=half)
        error: HostFileError | None = None
        try:
            action(Surroundings(files))
        except HostFileError as caught:
            error = caught
        reached = files.disk.faults.count > at
        files.disk.faults = Faults()
        for file in files.named.values():
            file.users.clear()
            file.broken = 0
        yield Outcome(files, error)
        if not reached:
            assert error is None
            return
    raise AssertionError("no end of operations")


@FAULTS
@pytest.mark.parametrize("format", DiskFormat)
def test_create(format: DiskFormat, number: int, half: bool) -> None:
    def action(around: Surroundings) -> None:
        create_image(NEW, SIZE, format, options=OPTIONS, around=around)

    for outcome in outcomes(action, number, half):
        assert (outcome.error is None) == (NEW in outcome.files.named)
        assert not outcome.files.unpublished
        if outcome.error is None and format is DiskFormat.QCOW2:
            assert outcome.content(NEW) == bytes(SIZE)


@FAULTS
@pytest.mark.parametrize("compressed", [False, True])
def test_convert(compressed: bool, number: int, half: bool) -> None:
    expected = Outcome(prepared(), None).content()

    def action(around: Surroundings) -> None:
        convert_image(TOP, NEW, compressed=compressed, options=OPTIONS, around=around)

    for outcome in outcomes(action, number, half):
        assert (outcome.error is None) == (NEW in outcome.files.named)
        assert not outcome.files.unpublished
        assert outcome.content() == expected
        if outcome.error is None:
            assert outcome.content(NEW) == expected


WRITES = [
    pytest.param(20_000, 3000, id="over the backing image"),
    pytest.param(11_264, 1024, id="in place"),
    pytest.param(9000, 3000, id="both"),
    pytest.param(0, SIZE, id="everything"),
]


@FAULTS
@pytest.mark.parametrize(("offset", "length"), WRITES)
def test_write(offset: int, length: int, number: int, half: bool) -> None:
    """The guest sees the old or the new; after a cut each sector is one or the other.

    What is written in place in several runs, or fails half done, is one or the other by sector.
    """
    old = Outcome(prepared(), None).content()
    data = bytes(range(1, 251)) * (length // 250 + 1)
    new = old[:offset] + data[:length] + old[offset + length :]
    seen: list[bytes] = []

    def action(around: Surroundings) -> None:
        image = open_image(TOP, writable=True, around=around)
        try:
            image.write(offset, data[:length])
            image.flush()
        finally:
            seen.append(image.read(0, SIZE))

    in_place = offset < 15_000 and offset + length > 10_000
    for outcome in outcomes(action, number, half):
        if in_place and (half or length == SIZE):
            assert by_sector(seen[-1], old, new)
        else:
            assert seen[-1] in (old, new)
        assert by_sector(outcome.content(), old, new)
        if outcome.error is None:
            assert outcome.content() == new


def by_sector(found: bytes, old: bytes, new: bytes) -> bool:
    return all(
        found[at : at + SECTOR] in (old[at : at + SECTOR], new[at : at + SECTOR])
        for at in range(0, len(found), SECTOR)
    )


@FAULTS
def test_a_failed_write_can_be_repeated(number: int, half: bool) -> None:
    """The guest tries again once the host has room; nothing was lost in between."""
    old = Outcome(prepared(), None).content()
    new = b"n" * SIZE

    def action(around: Surroundings) -> None:
        image = open_image(TOP, writable=True, around=around)
        try:
            insist(image, lambda: image.write(0, new))
            insist(image, image.flush)
        finally:
            image.close()

    for outcome in outcomes(action, number, half):
        content = outcome.content()
        assert content == new if outcome.error is None else by_sector(content, old, new)


def insist(image: BlockDevice, request: Callable[[], None]) -> None:
    """A sync that failed fails for good; everything else works the next time."""
    try:
        request()
    except HostFileError:
        assert len(image.read(0, SIZE)) == SIZE
        request()


@FAULTS
@pytest.mark.parametrize("size", [SIZE // 2 - 512, SIZE * 2, 40 << 20])
def test_resize(size: int, number: int, half: bool) -> None:
    old = Outcome(prepared(), None).content()
    new = old[:size].ljust(size, b"\0")

    def action(around: Surroundings) -> None:
        image = open_image(TOP, writable=True, around=around)
        image.resize(size)
        image.close()

    for outcome in outcomes(action, number, half):
        content = outcome.content()
        assert content in (old, new)
        assert outcome.error is not None or content == new
        image = open_image(TOP, writable=True, around=outcome.around)
        image.resize(len(content) + SIZE)
        assert image.read(len(content), SIZE) == bytes(SIZE)
        image.close()


@FAULTS
def test_commit(number: int, half: bool) -> None:
    """Whatever fails, the image shows what it showed."""
    old = Outcome(prepared(), None).content()

    def action(around: Surroundings) -> None:
        commit_image(TOP, around=around)

    for outcome in outcomes(action, number, half):
        assert outcome.content() == old
        if outcome.error is None:
            assert outcome.content(BASE) == old
        commit_image(TOP, around=outcome.around)
        assert outcome.content(BASE) == old


@FAULTS
@pytest.mark.parametrize("backing", [None, NEW])
def test_rebase(backing: Path | None, number: int, half: bool) -> None:
    old = Outcome(prepared(), None).content()

    def action(around: Surroundings) -> None:
        rebase_image(TOP, backing, around=around)

    for outcome in outcomes(with_new(action), number, half):
        assert outcome.content() == old


def with_new(action: Action) -> Action:
    """The action on files that have another image to be based on, made without faults."""

    def prepare(around: Surroundings) -> None:
        files = around.files
        assert isinstance(files, MemoryFiles)
        faults, files.disk.faults = files.disk.faults, Faults()
        create_image(NEW, SIZE, options=OPTIONS, around=around)
        with_writes(NEW, around, ((40_000, b"z" * 30_000),))
        files.disk.faults = faults
        action(around)

    return prepare

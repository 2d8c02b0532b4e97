"""A qcow2 image against a model, and against QEMU in both directions, over random histories."""

import random
import threading
from pathlib import Path

import pytest
from tests.storage.history import SECTOR, Model, some_data, step
from tests.storage.memory_files import MemoryFile
from tests.storage.qemu import assert_sound, needs_qemu, qemu_img, qemu_io, qemu_read

from hospes.storage.block import BlockDevice
from hospes.storage.chain import open_image
from hospes.storage.errors import OutOfRangeError, ReadOnlyImageError
from hospes.storage.qcow2 import layout
from hospes.storage.qcow2.check import check_qcow2
from hospes.storage.qcow2.image import Qcow2Image, open_qcow2
from hospes.storage.qcow2.making import Qcow2Options, make_qcow2
from hospes.storage.raw import RawImage

KINDS = [(512, False), (4096, False), (1 << 16, False), (1 << 21, False), (1 << 14, True)]


def made(size: int, cluster_bytes: int = 1 << 16, base: MemoryFile | None = None) -> Qcow2Image:
    """A new image in memory, open for writing."""
    file = MemoryFile("image")
    make_qcow2(file, size, Qcow2Options(cluster_bytes, backing="base" if base else None))
    return opened(file, base)


def opened(file: MemoryFile, base: MemoryFile | None = None) -> Qcow2Image:
    return open_qcow2(file, RawImage(base, writable=False) if base else None, writable=True)


@pytest.mark.parametrize(("cluster_bytes", "extended"), KINDS)
@pytest.mark.parametrize("seed", range(3))
def test_random_histories(cluster_bytes: int, extended: bool, seed: int) -> None:
    """What is read is what was written, and no cluster is lost or counted wrongly."""
    chance = random.Random(seed)
    size = SECTOR * chance.randrange(1, 3000)
    base = MemoryFile("base", chance.randbytes(size // 2)) if seed else None
    file = MemoryFile("image")
    options = Qcow2Options(cluster_bytes, extended=extended, backing="base" if base else None)
    make_qcow2(file, size, options)
    model = Model(bytearray(base.data if base else b"").ljust(size, b"\0"))
    for _ in range(4):
        image = opened(file, base)
        for _ in range(40):
            step(chance, image, model)
        image.close()
        report = check_qcow2(file)
        assert (report.corruptions, report.leaks) == (0, 0), report
    assert opened(file, base).read(0, len(model.content)) == model.content


@needs_qemu
@pytest.mark.parametrize(("cluster_bytes", "extended"), KINDS)
def test_qemu_reads_what_we_wrote(cluster_bytes: int, extended: bool, tmp_path: Path) -> None:
    chance = random.Random(cluster_bytes)
    for based in (False, True):
        base, top = tmp_path / f"base{based}.raw", tmp_path / f"top{based}.qcow2"
        base.write_bytes(chance.randbytes(300_032))
        named = Qcow2Options(backing=base.name, backing_format="raw") if based else Qcow2Options()
        file = MemoryFile("top")
        options = Qcow2Options(cluster_bytes, named.compression, extended, named.backing,
                               named.backing_format)  # fmt: skip
        make_qcow2(file, 1 << 20, options)
        top.write_bytes(file.data)
        model = Model(bytearray(base.read_bytes() if based else b"").ljust(1 << 20, b"\0"))
        play(top, model, chance, 60)
        assert_sound(top)
        assert qemu_read(top) == model.content


def play(path: Path, model: Model, chance: random.Random, steps: int) -> None:
    """A history on an image in a real file."""
    image: BlockDevice = open_image(path, writable=True)
    for _ in range(steps):
        step(chance, image, model)
    image.close()


@needs_qemu
@pytest.mark.parametrize(
    "options",
    ["cluster_size=512", "cluster_size=4k", "cluster_size=64k", "cluster_size=16k,extended_l2=on"],
)
def test_taking_turns_with_qemu(options: str, tmp_path: Path) -> None:
    """Each goes on where the other stopped, on one image over another."""
    chance = random.Random(options)
    base, top = tmp_path / "base.qcow2", tmp_path / "top.qcow2"
    qemu_img("create", "-f", "qcow2", base, "1M")
    qemu_io(base, "write -P 17 0 300k", "write -P 18 600k 100k")
    qemu_img("create", "-f", "qcow2", "-o", options, "-b", base.name, "-F", "qcow2", top, "1280k")
    model = Model(bytearray(qemu_read(top)))
    for _ in range(3):
        qemu_io(top, *(qemu_step(chance, model) for _ in range(15)))
        play(top, model, chance, 15)
        size = len(model.content)
        assert_sound(top)
        assert qemu_read(top) == model.content
        image = open_image(top)
        assert image.read(0, size) == model.content
        image.close()


def qemu_step(chance: random.Random, model: Model) -> str:
    """One request for qemu-io, told to the model."""
    size = len(model.content)
    length = min(size, SECTOR * chance.choice((1, 8, 100, 300)))
    offset = SECTOR * chance.randrange((size - length) // SECTOR + 1)
    pattern = chance.randrange(1, 256)
    zero = chance.random() < 0.3
    model.content[offset : offset + length] = bytes([0 if zero else pattern]) * length
    return f"write -z -u {offset} {length}" if zero else f"write -P {pattern} {offset} {length}"


def test_a_new_image_reads_as_zeros_and_stays_small() -> None:
    image = made(1 << 40)
    assert image.read((1 << 40) - 100_000, 100_000) == bytes(100_000)
    assert len(image.file.read(0, 1 << 20)) == 4 << 16
    image.write(123_456_789_012, b"x" * 1000)
    image.flush()
    assert image.file.size() < 7 << 16


def test_requests_outside_of_the_disk_are_refused() -> None:
    image = made(1 << 20)
    for offset, length in ((-1, 1), (0, (1 << 20) + 1), (1 << 20, 1), (0, -1)):
        with pytest.raises(OutOfRangeError, match=r"outside of image"):
            image.read(offset, length)
    with pytest.raises(OutOfRangeError):
        image.write((1 << 20) - 1, b"xy")
    with pytest.raises(OutOfRangeError):
        image.discard(0, 2 << 20)


def test_an_image_opened_for_reading_refuses_changes() -> None:
    file = MemoryFile("image")
    make_qcow2(file, 1 << 20, Qcow2Options())
    image, before = open_qcow2(file), bytes(file.data)
    assert image.read_only
    for change in (
        lambda: image.write(0, b"x"),
        lambda: image.discard(0, 1 << 20),
        lambda: image.write_zeroes(0, 1, unmap=True),
        lambda: image.resize(1 << 21),
    ):
        with pytest.raises(ReadOnlyImageError, match="open for reading only"):
            change()
    image.close()
    assert file.data == before


def test_a_discard_over_a_backing_image_does_not_show_it() -> None:
    base = MemoryFile("base", b"b" * 200_000)
    image = made(300_032, 4096, base)
    image.discard(0, 300_032)
    assert image.read(0, 300_032) == bytes(300_032)


def test_growing_shows_nothing_of_a_longer_backing_image() -> None:
    base = MemoryFile("base", b"b" * 400_384)
    image = made(100_352, 4096, base)
    image.resize(600_064)
    assert image.read(0, 100_352) == b"b" * 100_352
    assert image.read(100_352, 499_712) == bytes(499_712)


def test_growing_shows_nothing_of_what_was_cut_off() -> None:
    image = made(1 << 20, 512)
    image.write(0, b"x" * (1 << 20))
    image.resize(300_032)
    image.resize(1 << 20)
    assert image.read(300_032, (1 << 20) - 300_032) == bytes((1 << 20) - 300_032)
    image.close()
    assert check_qcow2(image.file).leaks == 0


def test_the_refcount_table_grows() -> None:
    """With clusters of 512 bytes one cluster of the table counts 8 MiB."""
    image = made(24 << 20, 512)
    data = random.Random(1).randbytes(20 << 20)
    image.write(0, data)
    assert image.read(0, len(data)) == data
    image.close()
    assert image.header.refcount_table_clusters > 1
    assert check_qcow2(image.file).corruptions == 0


def test_the_l1_table_grows_beyond_what_a_refcount_block_counts() -> None:
    image = made(1 << 20, 512)
    image.write(0, b"x" * 5000)
    image.resize(1 << 32)
    image.write((1 << 32) - 5000, b"y" * 5000)
    image.close()
    again = open_qcow2(image.file)
    assert again.read(0, 5000) == b"x" * 5000
    assert again.read((1 << 32) - 5000, 5000) == b"y" * 5000
    report = check_qcow2(image.file)
    assert (report.corruptions, report.leaks) == (0, 0)


def test_memory_is_bounded_however_much_is_written_without_a_flush() -> None:
    image = made(64 << 20, 512)
    image.meta.l2_tables._capacity = image.meta.refcounts.blocks._capacity = 8
    for offset in range(0, 64 << 20, 32768):
        image.write(offset, b"x")
    assert len(image.meta.l2_tables._tables) <= 9
    assert len(image.meta.refcounts.blocks._tables) <= 9
    image.close()
    assert check_qcow2(image.file).leaks == 0


def test_free_clusters_are_used_again() -> None:
    image = made(1 << 20, 4096)
    for _ in range(20):
        image.write(0, b"x" * (1 << 20))
        image.discard(0, 1 << 20)
        image.flush()
        image.flush()
    assert image.file.size() < 2 << 20


def test_rewriting_in_place_costs_no_metadata() -> None:
    image = made(1 << 20)
    image.write(0, b"x" * (1 << 20))
    image.close()
    image = opened(image.file)
    before = len(image.file.disk.log)
    image.write(1000, b"y" * 500_000)
    image.flush()
    assert [len(change.data or b"") for change in image.file.disk.log[before:]] == [500_000, 0]


def test_threads_may_share_an_image() -> None:
    image = made(4 << 20, 4096)

    def work(number: int) -> None:
        chance, base = random.Random(number), number << 20
        model = bytearray(1 << 20)
        for _ in range(100):
            offset = chance.randrange(1 << 20)
            data = some_data(chance, chance.randrange(1, 20_000))[: (1 << 20) - offset]
            image.write(base + offset, data)
            model[offset : offset + len(data)] = data
            if chance.random() < 0.1:
                image.flush()
        results[number] = image.read(base, 1 << 20) == model

    results = [False] * 4
    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(results)
    image.close()
    assert check_qcow2(image.file).corruptions == 0


def test_reading_at_once_waits_for_nobody() -> None:
    image = made(1 << 20)
    image.write(0, b"A" * 512)
    buffers = [memoryview(bytearray(512))]
    assert image.read_at_once(0, buffers)
    assert bytes(buffers[0]) == b"A" * 512
    with image._lock:
        found: list[bool] = []
        asker = threading.Thread(target=lambda: found.append(image.read_at_once(0, buffers)))
        asker.start()
        asker.join(10)
    assert found == [False]
    image.meta.commit()
    image.meta.l2_tables.drop(image.meta.l1.words[0] & layout.OFFSET_MASK)
    before = image.file.disk.reads
    assert not image.read_at_once(0, buffers)
    assert image.file.disk.reads == before
    image.read(0, 512)
    assert image.read_at_once(0, buffers)
    image.file.disk.remembers = False
    assert not image.read_at_once(0, buffers)
    with pytest.raises(OutOfRangeError):
        image.read_at_once(1 << 20, buffers)

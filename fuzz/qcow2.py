"""Fuzz target: damaged qcow2 images give a typed error or work, and open no file elsewhere."""

import random
from collections.abc import Callable
from functools import cache
from itertools import islice
from pathlib import Path

from fuzz.harness import main, odd_number
from tests.storage.memory_files import MemoryFile, MemoryFiles

from hospes.spec.disk import DiskFormat
from hospes.storage.chain import Surroundings, open_image
from hospes.storage.check import check_image
from hospes.storage.commit import commit_image
from hospes.storage.errors import StorageError
from hospes.storage.info import image_info
from hospes.storage.map import map_image
from hospes.storage.qcow2.header import V2, Compression
from hospes.storage.qcow2.image import open_qcow2
from hospes.storage.qcow2.layout import COPIED
from hospes.storage.qcow2.making import Qcow2Options, make_qcow2
from hospes.storage.qcow2.regions import allocate_contiguous
from hospes.storage.qcow2.tables import pack
from hospes.storage.rebase import rebase_image

SIZE = 1 << 19
CAPACITY = 16 << 20
IMAGE, BASE = Path("/disks/image.qcow2"), Path("/disks/base.raw")
SEEDS = (
    Qcow2Options(512),
    Qcow2Options(4096, Compression.ZSTD, backing="base.raw", backing_format="raw"),
    Qcow2Options(4096, backing="base.raw", backing_format="raw"),
    Qcow2Options(1 << 14, extended=True),
    Qcow2Options(1 << 16, backing="base.raw", backing_format="raw"),
)


@cache
def seed(number: int) -> bytes:
    """A sound image with data, zeros, compressed clusters and (every other one) a snapshot."""
    file, chance = MemoryFile("seed"), random.Random(number)
    make_qcow2(file, SIZE, SEEDS[number])
    image = open_qcow2(file, writable=True)
    size = SEEDS[number].cluster_bytes
    for offset in range(0, SIZE // 2, size):
        image.write_compressed(offset, bytes(chance.choices(b"abc", k=size)))
    for _ in range(20):
        offset = chance.randrange(SIZE - 20_000)
        image.write(offset, chance.randbytes(chance.randrange(20_000)))
        image.write_zeroes(chance.randrange(SIZE - 5000), 5000, unmap=chance.random() < 0.5)
    image.flush()
    if number % 2 == 0:
        add_snapshot(image)
        image.write(1000, b"after" * 1000)
    image.close()
    return bytes(file.data)


def add_snapshot(image) -> None:
    """Keep the present content, as `qemu-img snapshot -c` would."""
    meta = image.meta
    words = meta.l1.words[:]
    for l1_index in range(len(words)):
        l2 = meta.l2(l1_index)
        for index in range(0, len(l2.words) if l2 else 0, meta.g.entry_words):
            for cluster in image.writer.host_clusters(l2[index]):
                meta.refcounts.change(cluster, 1)
            l2[index] &= ~COPIED
        if l2:
            meta.refcounts.change(l2.offset >> meta.g.cluster_bits, 1)
            meta.l1[l1_index] &= ~COPIED
    l1 = allocate_contiguous(meta, meta.g.clusters(8 * len(words))) << meta.g.cluster_bits
    image.file.write(l1, pack(words))
    table = allocate_contiguous(meta, 1) << meta.g.cluster_bits
    entry = l1.to_bytes(8) + len(words).to_bytes(4) + b"\0\1\0\4" + bytes(20) + b"\0\0\0\x10"
    image.file.write(table, entry + bytes(8) + SIZE.to_bytes(8) + b"1name")
    meta.commit()
    meta.write_header(snapshot_count=1, snapshots_offset=table)


def mutate(chance: random.Random, data: bytearray) -> None:
    """Change a few numbers, mostly in header and tables, or cut the file."""
    fields = V2.unpack_from(data)
    tables = (fields[8], fields[9], fields[12], int.from_bytes(data[fields[8] :][:8]) % (1 << 56))
    for _ in range(chance.randrange(1, 4)):
        kind, size = chance.random(), chance.choice((1, 2, 4, 8, 8))
        if kind < 0.3:
            at = chance.randrange(160)
        elif kind < 0.8:
            at = chance.choice(tables) + 8 * chance.randrange(chance.choice((4, 64)))
        else:
            at = chance.randrange(len(data))
        at = min(at, len(data) - 8)
        if chance.random() < 0.2:
            other = min(chance.choice(tables) + 8 * chance.randrange(8), len(data) - 8)
            data[at : at + 8] = data[other : other + 8]
        else:
            number = odd_number(chance, 8 * size) & ((1 << 8 * size) - 1)
            data[at : at + size] = number.to_bytes(size)
    if fields[2] and chance.random() < 0.1:
        name = chance.choice((b"../key.raw", b"/secret.raw", b"a:/x.raw", b"sub/key.raw"))
        data[fields[2] : fields[2] + len(name)] = name
        data[16:20] = len(name).to_bytes(4)
    if chance.random() < 0.1:
        del data[chance.randrange(len(data)) :]


def case(chance: random.Random) -> None:
    """One mutant, used in every way there is; each starts from the same bytes."""
    data = bytearray(seed(chance.randrange(len(SEEDS))))
    mutate(chance, data)
    offset = chance.randrange(SIZE - 40_000)
    for use in (look, change, *chance.sample((repair, commit, rebase, grow), 2)):
        files = MemoryFiles()
        files.disk.capacity = CAPACITY
        files.add(BASE.name, b"base" * (SIZE // 8))
        files.add(IMAGE.name, data)
        one_sentence(lambda use=use, files=files: use(Surroundings(files), offset))
        assert all(path.parent == IMAGE.parent for path in files.opened), files.opened
        assert files.disk.reads < 1 << 26, files.disk.reads


def one_sentence(use: Callable[[], None]) -> None:
    """Nothing but a StorageError of one line comes out."""
    try:
        use()
    except StorageError as error:
        if "\n" in str(error):
            raise AssertionError("an error of several lines") from error


def look(around: Surroundings, offset: int) -> None:
    """Everything that does not change the image."""
    one_sentence(lambda: image_info(IMAGE, around=around))
    one_sentence(lambda: check_image(IMAGE, around=around))
    image = open_image(IMAGE, around=around)
    for at in (0, offset, SIZE // 2):
        one_sentence(lambda at=at: image.read(at, 40_000))
    one_sentence(lambda: list(islice(map_image(image), 1000)))
    image.close()


def change(around: Surroundings, offset: int) -> None:
    """Writes of every kind; then the image can still be opened or refused."""
    image = open_image(IMAGE, writable=True, around=around)
    for act in (
        lambda: image.write(offset, b"x" * 30_000),
        lambda: image.write_zeroes(offset + 10_000, 20_000, unmap=False),
        image.flush,
        lambda: image.discard(offset, 20_000),
        lambda: image.write(0, b"y" * 600),
        image.flush,
        lambda: image.read(offset, 30_000),
    ):
        one_sentence(act)
    one_sentence(image.close)


def repair(around: Surroundings, offset: int) -> None:
    """A repair that succeeds leaves an image that a check finds sound."""
    report = check_image(IMAGE, repair="all", around=around)
    if not report.corruptions:
        assert check_image(IMAGE, around=around).corruptions == 0


def commit(around: Surroundings, offset: int) -> None:
    """Content goes to the backing file."""
    commit_image(IMAGE, around=around)


def rebase(around: Surroundings, offset: int) -> None:
    """The image becomes independent."""
    rebase_image(IMAGE, None, DiskFormat.QCOW2, around=around)


def grow(around: Surroundings, offset: int) -> None:
    """The disk becomes larger, then smaller."""
    image = open_image(IMAGE, writable=True, around=around)
    one_sentence(lambda: image.resize(image.size_bytes + (1 << 20)))
    one_sentence(lambda: image.resize(SIZE // 2))
    image.close()


if __name__ == "__main__":
    main(case)

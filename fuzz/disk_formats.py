"""Fuzz target: raw files of odd sizes, and VMDK descriptors that name files elsewhere."""

import random
import struct
import tempfile
from contextlib import suppress
from pathlib import Path

from fuzz.harness import damage, main, odd_number, one_sentence
from tests.storage.memory_files import MemoryFiles

from hospes.spec.disk import DiskFormat
from hospes.storage.chain import Surroundings, open_image
from hospes.storage.errors import StorageError
from hospes.storage.foreign import refuse_other_files
from hospes.storage.map import map_image

NAMES = (b"flat.vmdk", b"/etc/shadow", b"../x", b"a\\b", b"c:x", b"link", b"n" * 300, b"\xff", b"",
         b"\0")  # fmt: skip
ESCAPES = (b"/etc/shadow", b"../x", b"a\\b", b"c:x", b"link", b"n" * 300)


def case(chance: random.Random) -> None:
    """One of each."""
    raw_case(chance)
    vmdk_case(chance)


def raw_case(chance: random.Random) -> None:
    """Every byte of a file can be read as a disk, and nothing after it."""
    files = MemoryFiles()
    files.disk.capacity = 1 << 20
    content = chance.randbytes(chance.choice((0, 1, 511, 512, 513, 70_000)))
    files.add("x.raw", content)
    image = open_image(
        Path("/disks/x.raw"), DiskFormat.RAW, around=Surroundings(files), writable=True
    )
    for _ in range(20):
        offset = chance.choice((0, 511, image.size_bytes - 512, odd_number(chance, 63)))
        length = chance.choice((0, 1, 512, 4096))
        one_sentence(lambda o=offset, n=length: check(image.read(o, n), n), StorageError)
        one_sentence(lambda o=offset, n=length: image.write(o, bytes(n)), StorageError)
        one_sentence(lambda o=offset, n=length: image.discard(o, n), StorageError)
    one_sentence(lambda: sum(extent.length for extent in map_image(image)), StorageError)
    one_sentence(lambda: image.resize(odd_number(chance, 40)), StorageError)
    image.close()
    assert all(path.parent == Path("/disks") for path in files.opened)


def check(data: bytes, length: int) -> None:
    """What a read returns is as long as was asked for."""
    assert len(data) == length


def vmdk_case(chance: random.Random) -> None:
    """A descriptor that names a file elsewhere, or another disk, is refused."""
    name = chance.choice(NAMES)
    parent = chance.random() < 0.2
    space = chance.choice((b" ", b"\t", b"  "))
    end = chance.choice((b"\n", b"\r\n"))
    form = chance.choice((b'RW 8 FLAT "%s" 0', b'RW 8FLAT "%s" 0', b'RW 8 VMFS "%s'))
    lines = [b"# Disk DescriptorFile", b"version=1", form % name]
    lines += [b'parentFileNameHint = "x"'] if parent else []
    chance.shuffle(lines)
    text = end.join(line.replace(b" ", space) for line in lines) + end
    data = text
    if chance.random() < 0.5:
        sector = chance.choice((1, 1, 2, 1 << 40, odd_number(chance, 64) % (1 << 64)))
        data = struct.pack("<4s24xQ", b"KDMV", sector).ljust(512 * min(sector, 2), b"\0") + text
        sound = sector in (1, 2) and name != b"\0"
    else:
        sound = name != b"\0"
    whole = chance.random() < 0.5
    with tempfile.TemporaryDirectory() as place:
        (Path(place) / "link").symlink_to("/etc/shadow")
        path = Path(place) / "disk.vmdk"
        path.write_bytes(data if whole else damage(chance, data))
        refused = True
        with suppress(StorageError):
            one_sentence(lambda: refuse_other_files(path), OSError)
            refused = False
    if whole and sound and (parent or name in ESCAPES):
        assert refused, data


if __name__ == "__main__":
    main(case)

"""Fuzz target: damaged disks with file systems give a boot file or one sentence, and soon."""

import random
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from fuzz.harness import main, odd_number
from tests.guests.ext4.images import gpt_disk, have, make_ext4, program

from hospes.base.errors import HospesError
from hospes.guests.boot_disk import find_boot_files
from hospes.guests.ext4.filesystem import FileSystem, holds_ext
from hospes.guests.partitions import Volume, partitions

FILL: Final = b"\x5a"
CHUNK: Final = 64
READ_BYTES_MAX: Final = 64 << 20
PLAIN: Final = ("-b", "1024", "-I", "256")
SEEDS: Final = (
    (*PLAIN, "-O", "^metadata_csum,^has_journal,inline_data"),
    (*PLAIN, "-O", "^metadata_csum,^64bit,^extent", "-J", "size=1"),
    (*PLAIN, "-O", "^metadata_csum,bigalloc", "-C", "4096", "-J", "size=1"),
    (*PLAIN, "-O", "metadata_csum", "-J", "size=1"),
    (*PLAIN, "-O", "^metadata_csum,^resize_inode,meta_bg", "-J", "size=1"),
)


class Memory:
    """A disk in memory that counts what is read of it."""

    name = "the disk"

    def __init__(self, data: bytearray) -> None:
        self.data, self.read_bytes = data, 0

    @property
    def size_bytes(self) -> int:
        return len(self.data)

    def read(self, offset: int, length: int, /) -> bytes:
        """Exactly length bytes."""
        if offset < 0 or length < 0 or offset + length > len(self.data):
            raise HospesError("outside of the disk")
        self.read_bytes += length
        return bytes(self.data[offset : offset + length])


def seed(number: int) -> tuple[bytes, tuple[int, ...]]:
    """A sound disk, and the places in it where something other than a file's content is."""
    with tempfile.TemporaryDirectory() as place:
        folder, image = Path(place) / "tree", Path(place) / "fs"
        (folder / "boot").mkdir(parents=True)
        for name in ("vmlinuz-6.9", "vmlinuz-6.12", "initrd.img-6.12"):
            (folder / "boot" / name).write_bytes(FILL * 40_000)
        for count in range(200):
            (folder / f"a-long-name-of-a-file-{count}").write_text("x" * (count % 150))
        (folder / "vmlinuz").symlink_to("boot/vmlinuz-6.12")
        (folder / "initrd.img").symlink_to("boot/initrd.img-6.12")
        make_ext4(image, folder, *SEEDS[number], size="8M")
        program("e2fsck", "-f", "-y", "-D", image, codes=(0, 1))
        if "size=1" in SEEDS[number]:
            leave_journal(image, Path(place))
        if number % 2 == 0 and have("sfdisk"):
            gpt_disk(Path(place) / "disk", [image])
            image = Path(place) / "disk"
        data = image.read_bytes()
    dull = {bytes(CHUNK), FILL * CHUNK}
    places = range(0, len(data) - CHUNK, CHUNK)
    return data, tuple(at for at in places if data[at : at + CHUNK] not in dull)


def leave_journal(image: Path, place: Path) -> None:
    """Put transactions into the journal as a crash leaves them."""
    (place / "block").write_bytes(b"block" * 205)
    checked = "metadata_csum" in program("debugfs", "-R", "features", image)
    commands = ["jo -c" if checked else "jo"]
    commands += [f"jw -b {6000 + n} {place}/block" for n in range(8)]
    commands += ["jw -r 6001", "jc"]
    (place / "commands").write_text("".join(f"{line}\n" for line in commands))
    program("debugfs", "-w", "-f", place / "commands", image)


PREPARED: Final = tuple(seed(number) for number in range(len(SEEDS))) if have("mke2fs") else ()


def mutate(chance: random.Random, data: bytearray, places: tuple[int, ...]) -> None:
    """Change a few numbers where they matter, or cut the disk."""
    for _ in range(chance.randrange(1, 6)):
        size = chance.choice((1, 2, 4, 4, 8))
        at = chance.choice(places[:64] if chance.random() < 0.4 else places)
        at = min(at + chance.randrange(0, CHUNK, 2), len(data) - 8)
        if chance.random() < 0.2:
            other = chance.choice(places)
            data[at : at + CHUNK] = data[other : other + CHUNK]
        else:
            number = odd_number(chance, 8 * size) & ((1 << 8 * size) - 1)
            data[at : at + size] = number.to_bytes(size, chance.choice(("little", "big")))
    if chance.random() < 0.05:
        del data[chance.randrange(len(data)) :]


def look(disk: Volume) -> None:
    """Read what there is in every file system, directories first."""
    for volume in (disk, *partitions(disk)):
        if holds_ext(volume):
            system = FileSystem(volume)
            for name in list(system.names(system.resolve("")))[:20]:
                one_sentence(lambda name=name, system=system: open_any(system, name))


def open_any(system: FileSystem, path: str) -> None:
    """A file's content, whatever it is."""
    file = system.resolve(path)
    if file.is_regular:
        assert len(system.read(file, limit=1 << 20)) <= 1 << 20
    elif file.is_directory:
        system.names(file)


def one_sentence(use: Callable[[], object]) -> None:
    """Nothing but a HospesError of one line comes out."""
    try:
        use()
    except HospesError as error:
        if "\n" in str(error):
            raise AssertionError("an error of several lines") from error


def case(chance: random.Random) -> None:
    """One mutant, looked at in both ways."""
    sound, places = chance.choice(PREPARED)
    data = bytearray(sound)
    mutate(chance, data, places)
    disk = Memory(data)
    one_sentence(lambda: find_boot_files([disk]))
    one_sentence(lambda: look(disk))
    assert disk.read_bytes < READ_BYTES_MAX, disk.read_bytes


if __name__ == "__main__":
    main(case)

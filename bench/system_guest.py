"""The whole system that is measured: an image with a root disk, and disks for what it works on.

The image `bench` is debian with fio, made once and kept with the other images. Both programs boot
it from a fresh layer on the same root disk, with an empty disk for fio and one that holds packages
to unpack and the bench's script.
"""

import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO, Final

from bench.system_loads import PACKAGES, SCRIPT, script
from hospes.api import drive
from hospes.base.errors import HospesError
from hospes.base.progress import Progress
from hospes.guests import catalogue
from hospes.guests.apt import PrivateApt
from hospes.guests.iso9660 import IsoWriter
from hospes.guests.store import Image, images_directory, load_image
from hospes.spec.disk import DiskFormat
from hospes.storage.chain import Surroundings
from hospes.storage.create import create_image

IMAGE: Final = "bench"
SHOW_STATUS: Final = "systemd.show_status=1"
MULTI_USER: Final = b"multi-user.target"
LOGIN: Final = b"login: "
USER: Final = "root"
MEMORY_BYTES: Final = 1 << 30
SCRATCH_BYTES: Final = 1 << 30


@dataclass(frozen=True)
class SystemGuest:
    """What both programs boot; `fresh_root` makes the root disk of one run."""

    image: Image
    scratch: Path
    packages: Path
    directory: Path
    memory_bytes: int = MEMORY_BYTES

    @property
    def append(self) -> str:
        """The kernel's command line."""
        return f"{self.image.manifest.append} {SHOW_STATUS}"

    @property
    def made_of(self) -> str:
        """The packages that matter to what is measured, with their versions."""
        known = {one.name: one for one in self.image.manifest.packages}
        wanted = ("systemd", "fio", *(name for name in known if name.startswith("linux-image-6")))
        return ", ".join(f"{known[n].name} {known[n].version}" for n in wanted if n in known)

    def fresh_root(self) -> Path:
        """An empty layer on the image's root disk."""
        base, path = self.image.disk, self.directory / "root.qcow2"
        assert base is not None
        path.unlink(missing_ok=True)
        around = Surroundings(places=(base.parent,))
        create_image(path, None, DiskFormat.QCOW2, backing=base, around=around)
        return path


def system_guest(directory: Path, progress: Progress) -> SystemGuest:
    """The guest, made if it is not there; its disks are written to `directory`."""
    image = load_image(images_directory() / IMAGE)
    if image is None:
        image = catalogue.build(IMAGE, ["fio"], drive, progress=progress)
    scratch, packages = directory / "scratch.raw", directory / "packages.iso"
    # Written once, so that neither program meets a hole that the other has filled.
    with scratch.open("wb") as out:
        for _ in range(SCRATCH_BYTES >> 20):
            out.write(b"\xa5" * (1 << 20))
    _write_packages(packages, progress)
    return SystemGuest(image, scratch, packages, directory)


def _write_packages(path: Path, progress: Progress) -> None:
    with tempfile.TemporaryDirectory(dir=path.parent) as name:
        work = Path(name)
        (work / "debs").mkdir()
        apt = PrivateApt(work / "apt")
        apt.update(progress)
        found = apt.download(PACKAGES, work / "debs", progress)
        if len(found) != len(PACKAGES):
            raise HospesError(f"{len(found)} packages arrived, not {len(PACKAGES)}; try again")
        with path.open("w+b") as out:
            image = IsoWriter(out, "packages")
            image.add(SCRIPT, lambda into: into.write(script()))
            for file in found:
                image.add(f"{file.name.partition('_')[0]}.deb", partial(_copy, file))
            image.finish()


def _copy(file: Path, into: BinaryIO) -> None:
    into.write(file.read_bytes())

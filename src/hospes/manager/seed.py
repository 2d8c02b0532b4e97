"""The disk that tells cloud-init in a guest what its user wants."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hospes.base.progress import Progress
from hospes.manager.driver import drive
from hospes.spec.disk import DiskFormat, DiskSpec

NAMELESS: Final = "hospes"
SEED_FILE: Final = "seed"


@dataclass(frozen=True)
class Wishes:
    """What a user gives for cloud-init: a file of user data, files of public keys."""

    user_data: Path | None = None
    ssh_keys: tuple[Path, ...] = ()

    def __bool__(self) -> bool:
        return self.user_data is not None or bool(self.ssh_keys)


@contextmanager
def seed(image: str | None, wishes: Wishes, progress: Progress) -> Iterator[Sequence[DiskSpec]]:
    """The disks to add, none if nothing is wished; for use while a machine is made.

    HospesError if the image has no cloud-init; of a guest without an image nothing is known.
    """
    if not wishes:
        yield ()
        return
    from hospes.guests import nocloud

    with nocloud.seed_disk(_volume(image, image or NAMELESS, wishes, progress)) as disk:
        yield (disk,)


def keep_seed(
    directory: Path, image: str | None, name: str, wishes: Wishes, progress: Progress
) -> Sequence[DiskSpec]:
    """The same for a machine that is kept: the seed is a file in its directory."""
    if not wishes:
        return ()
    from hospes.guests import nocloud

    (directory / SEED_FILE).write_bytes(_volume(image, name, wishes, progress))
    kind, serial = DiskFormat.RAW, nocloud.SERIAL
    return (DiskSpec(Path(SEED_FILE), kind, read_only=True, serial=serial),)


def _volume(image: str | None, host_name: str, wishes: Wishes, progress: Progress) -> bytes:
    # Here, for most runs have no need of it.
    from hospes.guests import catalogue, nocloud

    if image is not None:
        nocloud.check_image(catalogue.ensure(image, progress, driver=drive).manifest)
    return nocloud.make_seed(host_name, wishes.user_data, wishes.ssh_keys)

"""The disk that tells cloud-init in a guest what its user wants."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from hospes.base.progress import Progress

if TYPE_CHECKING:
    from hospes.spec.disk import DiskSpec

NAMELESS: Final = "hospes"


@contextmanager
def seed(
    image: str | None, user_data: Path | None, ssh_keys: Sequence[Path], progress: Progress
) -> "Iterator[Sequence[DiskSpec]]":
    """The disks to add, none if nothing was given for cloud-init; for use while a machine is made.

    HospesError if the image has no cloud-init; of a guest without an image nothing is known.
    """
    if user_data is None and not ssh_keys:
        yield ()
        return
    # Here, for most runs have no need of it.
    from hospes.guests import catalogue, nocloud

    if image is not None:
        nocloud.check_image(catalogue.ensure(image, progress).manifest)
    with nocloud.seed_disk(nocloud.make_seed(image or NAMELESS, user_data, ssh_keys)) as disk:
        yield (disk,)

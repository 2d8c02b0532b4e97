"""Images: what guests are made of, fetched once and kept in the cache."""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Final

from hospes.base.errors import HospesError
from hospes.manager.driver import drive
from hospes.manager.manager import Manager
from hospes.manager.verb import verb
from hospes.spec.size import parse_size

if TYPE_CHECKING:
    from hospes.guests.catalogue import ImageInfo

PACKAGE_NAME: Final = re.compile(r"[a-z0-9][a-z0-9+.-]+")
"""Debian Policy 5.6.1."""


@dataclass(frozen=True)
class Pulled:
    """An image that is in the cache now."""

    name: str
    release: str
    size_bytes: int


@verb("GET /images", "images ls")
def ls(m: Manager) -> "tuple[ImageInfo, ...]":
    """List the images there are."""
    from hospes.guests.catalogue import list_images

    return tuple(list_images())


@verb("POST /images/{name}", "images pull")
def pull(
    m: Manager,
    name: Annotated[str, "the image"] = "tiny",
    *,
    again: Annotated[bool, "fetch it anew, for newer packages"] = False,
) -> Pulled:
    """Fetch an image into the cache, if it is not there."""
    from hospes.guests import catalogue

    fetch = catalogue.pull if again else catalogue.ensure
    image = fetch(name, m.progress, driver=drive)
    return Pulled(name, image.manifest.release, image.size_bytes)


@verb("DELETE /images/{name}", "images rm")
def rm(m: Manager, name: Annotated[str, "the image"]) -> None:
    """Remove an image from the cache."""
    from hospes.guests.catalogue import remove

    remove(name)


@verb("POST /images", "image build")
def build(
    m: Manager,
    name: Annotated[str, "the new image; debian itself is made anew"],
    *,
    packages: Annotated[str, "what to install besides, such as nginx,git"] = "",
    size: Annotated[str | None, "the root disk's size, such as 4G"] = None,
    base: Annotated[str, "the image to start from"] = "debian",
) -> Pulled:
    """Make an image with a root disk from Debian's packages, in a guest of our own."""
    from hospes.guests import catalogue

    names = [word for word in packages.replace(",", " ").split() if word]
    wrong = [word for word in names if not PACKAGE_NAME.fullmatch(word)]
    if wrong:
        raise HospesError(f"{wrong[0]!r} cannot be a package's name; write it like nginx,git")
    image = catalogue.build(
        name,
        names,
        drive,
        base=base,
        disk_bytes=parse_size(size, "disk size") if size else None,
        progress=m.progress,
    )
    return Pulled(name, image.manifest.release, image.size_bytes)

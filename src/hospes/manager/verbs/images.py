"""Images: what guests are made of, fetched once and kept in the cache."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from hospes.manager.manager import Manager
from hospes.manager.verb import verb

if TYPE_CHECKING:
    from hospes.guests.catalogue import ImageInfo


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

    image = catalogue.pull(name, m.progress) if again else catalogue.ensure(name, m.progress)
    return Pulled(name, image.manifest.release, image.size_bytes)


@verb("DELETE /images/{name}", "images rm")
def rm(m: Manager, name: Annotated[str, "the image"]) -> None:
    """Remove an image from the cache."""
    from hospes.guests.catalogue import remove

    remove(name)

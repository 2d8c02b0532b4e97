"""The images that Hospes can make and keep, by name."""

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

import msgspec

from hospes.base.errors import HospesError
from hospes.base.progress import Progress, silent
from hospes.guests import cpio, initramfs
from hospes.guests.builder import APPEND, MEBIBYTE, ImageBuilder, Recipe
from hospes.guests.store import (
    Image,
    Manifest,
    discard_image,
    disk_errors,
    images_directory,
    load_image,
    locked,
    record_file,
    replace_image,
    workspace,
)
from hospes.guests.tree import Tree

RECIPES: Final = MappingProxyType(
    {
        recipe.name: recipe
        for recipe in (
            Recipe("tiny", "Debian's riscv64 kernel and busybox", 256 * MEBIBYTE),
            Recipe(
                "userland",
                "Debian's riscv64 kernel with bash, coreutils, perl and python3",
                1024 * MEBIBYTE,
                ("bash", "coreutils", "perl", "python3"),
                listed=False,
            ),
            Recipe(
                "agent",
                "Debian's riscv64 kernel and what the QEMU guest agent needs",
                1024 * MEBIBYTE,
                (
                    "bash",
                    "bsdutils",
                    "coreutils",
                    "libc-bin",
                    "qemu-guest-agent",
                    "tar",
                    "util-linux",
                ),
                listed=False,
            ),
        )
    }
)


@dataclass(frozen=True)
class ImageInfo:
    """A line of `hospes images ls`."""

    name: str
    description: str
    present: bool
    release: str
    size_bytes: int


def _recipe(name: str) -> Recipe:
    recipe = RECIPES.get(name)
    if recipe is None:
        known = ", ".join(recipe.name for recipe in RECIPES.values() if recipe.listed)
        raise HospesError(f"There is no image {name!r}; the known images are: {known}.")
    return recipe


def list_images(cache: Path | None = None) -> list[ImageInfo]:
    """Every image that users are offered or that is there; `release` is Debian's, such as 13.1."""
    found = []
    for recipe in RECIPES.values():
        try:
            image = load_image(images_directory(cache) / recipe.name)
        except HospesError:
            image = None
        if recipe.listed or image:
            release = image.manifest.release if image else ""
            size = image.size_bytes if image else 0
            found.append(ImageInfo(recipe.name, recipe.description, bool(image), release, size))
    return found


def locate(name: str, cache: Path | None = None) -> Image:
    """The image, which must be there already; needs no network."""
    recipe = _recipe(name)
    image = load_image(images_directory(cache) / name)
    if image is None:
        raise HospesError(
            f"The image {name!r} is not here yet: fetch it with 'hospes images pull {name}'."
        )
    if not _has_modules(image):
        raise HospesError(
            f"The image {name!r} was made by an older Hospes and lacks kernel modules: "
            f"fetch it again with 'hospes images pull {name}'."
        )
    return image if image.manifest.recipe == recipe.digest else _refresh(recipe, cache)


def ensure(name: str, progress: Progress = silent, cache: Path | None = None) -> Image:
    """The image; fetched and made if it is not there, or cannot be brought up to date."""
    _recipe(name)
    if not _has_modules(load_image(images_directory(cache) / name)):
        return pull(name, progress, cache, again=False)
    return locate(name, cache)


def pull(
    name: str, progress: Progress = silent, cache: Path | None = None, *, again: bool = True
) -> Image:
    """Fetch an image's packages and make it anew.

    With `again` false, an image that another process has made in the meantime is taken instead.
    """
    recipe = _recipe(name)
    images = images_directory(cache)
    with locked(images, name, progress):
        if not again and _has_modules(load_image(images / name)):
            return locate(name, cache)
        with workspace(images, name) as work:
            builder = ImageBuilder(work, progress)
            return replace_image(images, name, lambda directory: builder.build(recipe, directory))


def remove(name: str, cache: Path | None = None) -> None:
    """Delete an image from the cache."""
    _recipe(name)
    images = images_directory(cache)
    if not (images / name).exists():
        raise HospesError(f"The image {name!r} is not here, so there is nothing to remove.")
    with locked(images, name):
        discard_image(images, name)


def _has_modules(image: Image | None) -> bool:
    """Whether there is an image with all the modules its guest may want."""
    return image is not None and set(initramfs.MODULES) <= set(image.manifest.modules)


def _refresh(recipe: Recipe, cache: Path | None) -> Image:
    """Give an image made by another Hospes the scripts of this one; everything else stays."""
    images = images_directory(cache)

    def fill(directory: Path) -> Manifest:
        old = load_image(images / recipe.name)
        if old is None:
            raise HospesError(f"The image {recipe.name!r} has just been removed; fetch it again.")
        shutil.copyfile(old.kernel, directory / "kernel")
        tree = Tree({entry.path: entry for entry in cpio.read_archive(old.initrd.read_bytes())})
        tree.replace(*initramfs.scripts(recipe.name))
        initramfs.write_initramfs(tree.all(), directory / "initrd")
        files = {name: record_file(directory / name) for name in ("kernel", "initrd")}
        return msgspec.structs.replace(
            old.manifest,
            recipe=recipe.digest, append=APPEND, memory_bytes=recipe.memory_bytes, files=files,
        )  # fmt: skip

    with locked(images, recipe.name):
        return replace_image(images, recipe.name, fill)


def build_initramfs(
    packages: Sequence[str], directory: Path, progress: Progress = silent, name: str = "custom"
) -> Image:
    """Make an image with Debian's own programs in an empty or new directory, outside the cache.

    The packages are unpacked with all they depend on; no maintainer script runs. For tests.
    """
    recipe = Recipe(name, "", 1024 * MEBIBYTE, tuple(packages))
    directory.mkdir(parents=True, exist_ok=True)
    with disk_errors(directory), tempfile.TemporaryDirectory(dir=directory) as work:
        return Image(directory, ImageBuilder(Path(work), progress).build(recipe, directory))

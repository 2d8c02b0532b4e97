"""The images that Hospes can make and keep, by name."""

import re
import shutil
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Final

import msgspec

from hospes.base.errors import HospesError
from hospes.base.progress import Progress, silent
from hospes.guests import cpio, initramfs, installer
from hospes.guests.builder import APPEND, MEBIBYTE, ImageBuilder, Recipe
from hospes.guests.debian_recipe import DebianRecipe, Driver
from hospes.guests.kept_packages import sweep
from hospes.guests.store import (
    MANIFEST,
    Image,
    Manifest,
    cache_errors,
    discard_image,
    images_directory,
    load_image,
    locked,
    record_file,
    replace_image,
    workspace,
)
from hospes.guests.tree import Tree
from hospes.spec.disk import check_disk_size

OWN_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
AnyRecipe = Recipe | DebianRecipe
RECIPES: Final[MappingProxyType[str, AnyRecipe]] = MappingProxyType(
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
            Recipe(
                "installer",
                "the Debian installer, which fetches what it installs from a network",
                1024 * MEBIBYTE,
                ready_made=installer.PACKAGE,
            ),
            DebianRecipe("debian", "Debian with systemd on a root disk"),
            DebianRecipe(
                "debian-cloud",
                "the same with cloud-init and openssh-server",
                ("cloud-init", "cloud-guest-utils", "openssh-server", "sudo"),
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


def _recipe(name: str, cache: Path | None) -> AnyRecipe:
    """How the image is made: as we know it, or as the user's own image says itself."""
    recipe = RECIPES.get(name)
    if recipe is not None:
        return recipe
    own = _own(cache)
    if name not in own:
        known = ", ".join((*(name for name in RECIPES if RECIPES[name].listed), *own))
        raise HospesError(f"There is no image {name!r}; the known images are: {known}.")
    return _said_by(name, own[name])


def _said_by(name: str, manifest: Manifest) -> DebianRecipe:
    """How an image of the user's own says that it is made."""
    return DebianRecipe(
        name, manifest.description, manifest.wanted, manifest.disk_bytes, manifest.memory_bytes
    )


def _own(cache: Path | None) -> dict[str, Manifest]:
    """The user's own images, by name."""
    found = {}
    for path in sorted(images_directory(cache).glob(f"[!.]*/{MANIFEST}")):
        name = path.parent.name
        with suppress(HospesError):
            image = load_image(path.parent) if name not in RECIPES else None
            if image is not None and image.disk is not None:
                found[name] = image.manifest
    return found


def check_commands(name: str) -> None:
    """HospesError if the guest of an image has nothing that runs commands."""
    recipe = RECIPES.get(name)
    if isinstance(recipe, Recipe) and recipe.ready_made:
        raise HospesError(
            f"The image {name!r} is a program of its own and runs no commands: "
            "leave the command out, or take another image."
        )


def list_images(cache: Path | None = None) -> list[ImageInfo]:
    """Every image that users are offered or that is there; `release` is Debian's, such as 13.1."""
    found = []
    own = _own(cache)
    for name in (*RECIPES, *own):
        recipe = _said_by(name, own[name]) if name in own else RECIPES[name]
        try:
            image = load_image(images_directory(cache) / name)
        except HospesError:
            image = None
        if image is not None:
            manifest = image.manifest
            said = manifest.description or recipe.description
            if isinstance(recipe, DebianRecipe) and recipe.digest != manifest.recipe:
                said += f"; older than this Hospes, see 'hospes images pull {name} --again'"
            found.append(ImageInfo(name, said, True, manifest.release, image.size_bytes))
        elif recipe.listed:
            found.append(ImageInfo(name, recipe.description, False, "", 0))
    return found


def locate(name: str, cache: Path | None = None) -> Image:
    """The image, which must be there already; needs no network."""
    recipe = _recipe(name, cache)
    image = load_image(images_directory(cache) / name)
    if image is None:
        raise HospesError(
            f"The image {name!r} is not here yet: fetch it with 'hospes images pull {name}'."
        )
    if not _usable(recipe, image):
        raise HospesError(
            f"The image {name!r} was made by an older Hospes and lacks kernel modules: "
            f"fetch it again with 'hospes images pull {name}'."
        )
    if isinstance(recipe, DebianRecipe) or image.manifest.recipe == recipe.digest:
        return image
    return _refresh(recipe, cache)


def ensure(
    name: str,
    progress: Progress = silent,
    cache: Path | None = None,
    *,
    driver: Driver | None = None,
) -> Image:
    """The image; fetched and made if it is not there, or cannot be brought up to date.

    One with a root disk is made in a guest, which the `driver` runs.
    """
    recipe = _recipe(name, cache)
    if not _usable(recipe, load_image(images_directory(cache) / name)):
        return pull(name, progress, cache, again=False, driver=driver)
    return locate(name, cache)


def pull(
    name: str,
    progress: Progress = silent,
    cache: Path | None = None,
    *,
    again: bool = True,
    driver: Driver | None = None,
) -> Image:
    """Fetch an image's packages and make it anew.

    With `again` false, an image that another process has made in the meantime is taken instead.
    """
    return _make(_recipe(name, cache), progress, cache, again, driver)


def build(
    name: str,
    packages: Sequence[str],
    driver: Driver,
    *,
    base: str = "debian",
    disk_bytes: int | None = None,
    progress: Progress = silent,
    cache: Path | None = None,
) -> Image:
    """Make an image of the user's own: the base with more packages, on a disk of this size."""
    start = _recipe(base, cache)
    if not isinstance(start, DebianRecipe):
        raise HospesError(f"The image {base!r} has no root disk to build on; choose debian.")
    if not OWN_NAME.fullmatch(name):
        raise HospesError(
            f"An image cannot be called {name!r}; use up to 63 small letters, digits and dashes."
        )
    known = RECIPES.get(name)
    if known is not None and not isinstance(known, DebianRecipe):
        raise HospesError(f"The image {name!r} is one of Hospes; choose another name.")
    size = disk_bytes or start.disk_bytes
    check_disk_size(size)
    wanted = tuple(dict.fromkeys((*start.packages, *packages)))
    description = f"{base} with {', '.join(packages)}" if packages else start.description
    return _make(DebianRecipe(name, description, wanted, size), progress, cache, True, driver)


def _make(
    recipe: AnyRecipe, progress: Progress, cache: Path | None, again: bool, driver: Driver | None
) -> Image:
    name, images = recipe.name, images_directory(cache)
    with locked(images, name, progress):
        if not again and _usable(recipe, load_image(images / name)):
            return locate(name, cache)
        with workspace(images, name) as work:
            if isinstance(recipe, Recipe):
                fill = partial(ImageBuilder(work, progress).build, recipe)
            elif driver is not None:
                # Here, for it loads what starting a machine from an image does not need.
                from hospes.guests.debian import DebianBuilder

                packages, log = images.parent / "packages", images.parent / "log" / f"{name}.txt"
                fill = partial(DebianBuilder(work, packages, log, driver, progress).build, recipe)
            else:
                raise HospesError(f"The image {name!r} is not here: 'hospes images pull {name}'.")
            image = replace_image(images, name, fill)
    _sweep(images)
    return image


def remove(name: str, cache: Path | None = None) -> None:
    """Delete an image from the cache."""
    _recipe(name, cache)
    images = images_directory(cache)
    if not (images / name).exists():
        raise HospesError(f"The image {name!r} is not here, so there is nothing to remove.")
    with locked(images, name):
        discard_image(images, name)
    _sweep(images)


def _sweep(images: Path) -> None:
    """Packages of no image give back their room in the cache; not if an image is damaged."""
    packages = images.parent / "packages"
    if not packages.exists():
        return
    with suppress(HospesError):
        found = [load_image(path.parent) for path in images.glob(f"[!.]*/{MANIFEST}")]
        with locked(packages.parent, packages.name), cache_errors(packages):
            sweep(packages, [image.manifest for image in found if image is not None])


def _usable(recipe: AnyRecipe, image: Image | None) -> bool:
    """Whether there is an image with all the modules its guest may want."""
    if image is None or isinstance(recipe, DebianRecipe):
        return image is not None and image.disk is not None
    return set(recipe.modules) <= set(image.manifest.modules)


def _refresh(recipe: Recipe, cache: Path | None) -> Image:
    """Give an image made by another Hospes the scripts of this one; everything else stays."""
    images = images_directory(cache)

    def fill(directory: Path) -> Manifest:
        old = load_image(images / recipe.name)
        if old is None:
            raise HospesError(f"The image {recipe.name!r} has just been removed; fetch it again.")
        shutil.copyfile(old.kernel, directory / "kernel")
        if recipe.ready_made:
            shutil.copyfile(old.initrd, directory / "initrd")
        else:
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
    with cache_errors(directory), tempfile.TemporaryDirectory(dir=directory) as work:
        return Image(directory, ImageBuilder(Path(work), progress).build(recipe, directory))

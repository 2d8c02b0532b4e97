"""Images on disk: one directory each, complete or not there at all."""

import fcntl
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Final

import msgspec

from hospes.base.disk_errors import disk_errors
from hospes.base.errors import HospesError
from hospes.base.paths import cache_directory
from hospes.base.progress import Progress, silent
from hospes.base.record import UNREADABLE
from hospes.guests import agent_kinds

MANIFEST: Final = "manifest.json"


class PackageRecord(msgspec.Struct, frozen=True):
    """One Debian package that an image was made from; sha256 is that of the .deb file."""

    name: str
    version: str
    sha256: str


class FileRecord(msgspec.Struct, frozen=True):
    """A file of the image as it was written."""

    size: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What an image is made of and how it wants to be booted; stored as manifest.json.

    `recipe` stands for our own scripts in the initrd; an image with others is brought up to date
    from its own initrd, without a network. One without all the kernel modules that guests need is
    made anew. `terminals` are the kinds the guest knows, if it does not know all.

    `agent` says who runs commands in the guest: our script, or qemu-guest-agent. An image with a
    root disk names its file in `disk`; its `wanted` packages and `disk_bytes` are what it takes to
    make it again.
    """

    name: str
    recipe: str
    release: str
    packages: tuple[PackageRecord, ...]
    files: dict[str, FileRecord]
    memory_bytes: int
    append: str
    modules: tuple[str, ...] = ()
    agent: str = agent_kinds.OWN
    cloud_init: bool = False
    terminals: tuple[str, ...] = ()
    disk: str = ""
    description: str = ""
    wanted: tuple[str, ...] = ()
    disk_bytes: int = 0


class Image(msgspec.Struct, frozen=True):
    """An image that can be booted."""

    directory: Path
    manifest: Manifest

    @property
    def kernel(self) -> Path:
        return self.directory / "kernel"

    @property
    def initrd(self) -> Path:
        return self.directory / "initrd"

    @property
    def disk(self) -> Path | None:
        """The root disk, which machines only read; None if the image has none."""
        return self.directory / self.manifest.disk if self.manifest.disk else None

    @property
    def size_bytes(self) -> int:
        return sum(record.size for record in self.manifest.files.values())


def images_directory(cache: Path | None = None) -> Path:
    return (cache or cache_directory()) / "images"


def load_image(directory: Path) -> Image | None:
    """The image in a directory; None when there is none, HospesError when it is damaged."""
    remedy = f"remove it with 'hospes images rm {directory.name}' and fetch it again"
    try:
        manifest = msgspec.json.decode((directory / MANIFEST).read_bytes(), type=Manifest)
        for name, record in manifest.files.items():
            size = (directory / name).stat().st_size
            if size != record.size:
                wrong = f"has {size} bytes instead of {record.size}"
                raise HospesError(f"The file {directory / name} {wrong}; {remedy}.")
    except (FileNotFoundError, NotADirectoryError) as problem:
        if (directory / MANIFEST).exists():
            raise HospesError(
                f"The image's file {problem.filename} is missing; {remedy}."
            ) from None
        return None
    except (OSError, *UNREADABLE) as problem:
        raise HospesError(
            f"The image in {directory} cannot be used ({problem}); {remedy}."
        ) from None
    return Image(directory, manifest)


def record_file(path: Path) -> FileRecord:
    """Size and checksum of a file, after what was written of it has reached the disk."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return FileRecord(path.stat().st_size, digest)


def sync_directory(path: Path) -> None:
    """Let the names in a directory reach the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def cache_errors(where: Path) -> AbstractContextManager[None]:
    """Of the cache, as one sentence."""
    return disk_errors("the cache", where, "HOSPES_CACHE")


@contextmanager
def locked(images: Path, name: str, progress: Progress = silent) -> Iterator[None]:
    """Only one process at a time makes or removes the image `name`; the others wait."""
    with cache_errors(images):
        images.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(images / f".{name}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress(f"Waiting for another process that makes the image {name}", 0, 0)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def workspace(images: Path, name: str) -> Iterator[Path]:
    """A directory for what is fetched, gone afterwards; call it with the lock held."""
    path = images / f".{name}.work"
    with cache_errors(images):
        shutil.rmtree(path, ignore_errors=True)  # of a process that was killed
        path.mkdir()
        try:
            yield path
        finally:
            shutil.rmtree(path, ignore_errors=True)


def replace_image(images: Path, name: str, fill: Callable[[Path], Manifest]) -> Image:
    """Make an image with `fill`, which writes its files into an empty directory.

    Call it with the lock held. The image appears whole by one rename, or nothing changes.
    """
    new, old = images / f".{name}.new", images / f".{name}.old"
    with cache_errors(images):
        if old.exists() and not (images / name).exists():
            old.rename(images / name)  # a process was killed between the two renames below
        try:
            for leftover in (new, old):
                shutil.rmtree(leftover, ignore_errors=True)
            new.mkdir()
            manifest = fill(new)
            (new / MANIFEST).write_bytes(msgspec.json.format(msgspec.json.encode(manifest)) + b"\n")
            record_file(new / MANIFEST)
            sync_directory(new)
            if (images / name).exists():
                (images / name).rename(old)
            new.rename(images / name)
            sync_directory(images)
        finally:
            shutil.rmtree(new, ignore_errors=True)
            shutil.rmtree(old, ignore_errors=True)
    return Image(images / name, manifest)


def discard_image(images: Path, name: str) -> None:
    """Remove an image, by one rename first; call it with the lock held."""
    doomed = images / f".{name}.new"
    with cache_errors(images):
        shutil.rmtree(doomed, ignore_errors=True)
        (images / name).rename(doomed)
        shutil.rmtree(doomed)

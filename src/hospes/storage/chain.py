"""Opening an image with everything it is based on, inside the places where that may be."""

import os
import re
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from hospes.spec.disk import DiskFormat
from hospes.storage.block import BlockDevice
from hospes.storage.errors import StorageError
from hospes.storage.formats import backing_format_of, format_of
from hospes.storage.host_file import HostFile, HostFiles
from hospes.storage.os_file import OsFiles
from hospes.storage.qcow2.header import Header, read_header
from hospes.storage.qcow2.image import Qcow2Image
from hospes.storage.raw import RawImage

LAYERS_MAX: Final = 64
_PROTOCOL: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")


@dataclass(frozen=True)
class Surroundings:
    """The host's files, and the directories below which any image may find its backing file."""

    files: HostFiles = field(default_factory=OsFiles)
    places: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Layer:
    """One image of a chain: its file's resolved path and its format."""

    path: Path
    format: DiskFormat
    device: BlockDevice


@dataclass(frozen=True)
class Found:
    """An opened file of a chain, before the images are put together; raw files have no header."""

    path: Path
    format: DiskFormat
    file: HostFile
    header: Header | None


def open_image(
    path: Path,
    format: DiskFormat | None = None,
    *,
    writable: bool = False,
    around: Surroundings | None = None,
) -> BlockDevice:
    """The disk in a file, over its backing files if it has any; closing it closes them all."""
    layers = open_chain(path, format, writable_layers=int(writable), around=around)
    return layers[0].device


def open_chain(
    path: Path,
    format: DiskFormat | None = None,
    *,
    writable_layers: int = 0,
    around: Surroundings | None = None,
) -> tuple[Layer, ...]:
    """An image and what it is based on, the image first; that many from the first on writable.

    Closing the first layer's device closes all.
    """
    around = around or Surroundings()
    with ExitStack() as opened:
        found = _open_files(path, format_of(path, format), writable_layers, around, opened)
        layers: list[Layer] = []
        for number in reversed(range(len(found))):
            one = found[number]
            backing = layers[-1].device if layers else None
            device = _device(one, backing, writable=number < writable_layers)
            layers.append(Layer(one.path, one.format, device))
        opened.pop_all()
        return tuple(reversed(layers))


def _device(found: Found, backing: BlockDevice | None, *, writable: bool) -> BlockDevice:
    if found.header is None:
        return RawImage(found.file, writable=writable)
    return Qcow2Image(found.file, found.header, backing, writable=writable)


def _open_files(
    path: Path, kind: DiskFormat, writable_layers: int, around: Surroundings, opened: ExitStack
) -> list[Found]:
    """The files of a chain, each closed by `opened`."""
    found: list[Found] = []
    seen: set[tuple[int, int]] = set()
    allowed = around.files.resolve(path).parent
    while True:
        resolved = around.files.resolve(path)
        if found:
            _check_place(resolved, allowed, found[-1].path, around)
        file = around.files.open(resolved, writable=len(found) < writable_layers)
        opened.callback(file.close)
        if file.identity in seen or len(found) == LAYERS_MAX:
            raise StorageError(
                f"disk {found[0].path} is based on itself or on more than {LAYERS_MAX} images; "
                "rebase it"
            )
        seen.add(file.identity)
        header = read_header(file) if kind is DiskFormat.QCOW2 else None
        found.append(Found(resolved, kind, file, header))
        if header is None or header.backing is None:
            return found
        path = backing_path(path, header.backing)
        kind = backing_format_of(file.name, path, header.backing_format)


def backing_path(image: Path, name: str) -> Path:
    """The path of a backing file from its name in an image's header."""
    if _PROTOCOL.match(name):
        raise StorageError(
            f"disk {image} is based on {name!r}, which is not a file; convert it with qemu-img"
        )
    return image.parent / name


def check_place(image: Path, backing: Path, around: Surroundings) -> None:
    """StorageError unless an image may be based on that file."""
    resolve = around.files.resolve
    _check_place(resolve(backing), resolve(image).parent, image, around)


def _check_place(backing: Path, directory: Path, image: Path, around: Surroundings) -> None:
    """The image's own directory (not those in it) and all below the configured places will do."""
    if backing.parent == directory:
        return
    if any(backing.is_relative_to(around.files.resolve(place)) for place in around.places):
        return
    raise StorageError(
        f"disk {image} is based on {backing}, which is not in {directory}; move it there or "
        "allow its directory with --allow"
    )


def backing_name(image: Path, backing: Path, around: Surroundings) -> str:
    """How a header names a backing file: without a directory if it lies beside the image."""
    resolved = around.files.resolve(backing)
    beside = resolved.parent == around.files.resolve(image).parent
    return resolved.name if beside else os.fspath(resolved)

"""Disks: images made, looked at, changed, checked and converted."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from hospes.base.errors import HospesError
from hospes.manager.manager import Manager
from hospes.manager.verb import verb
from hospes.spec.disk import DiskFormat
from hospes.spec.size import parse_size

if TYPE_CHECKING:
    from hospes.storage.chain import Surroundings
    from hospes.storage.info import ImageInfo
    from hospes.storage.map import MapEntry
    from hospes.storage.qcow2.check import CheckReport
    from hospes.storage.qcow2.making import Qcow2Options

Allowed = Annotated[
    list[Path] | None, "a directory in which backing files may lie, besides the image's own"
]
Format = Annotated[DiskFormat | None, "the image's format, if its name does not tell it"]
BackingFormat = Annotated[
    DiskFormat | None, "the backing file's format, if its name does not tell it"
]


@verb("POST /disks", "disk create")
def create(
    m: Manager,
    file: Annotated[Path, "the new image"],
    *,
    size: Annotated[
        str | None, "its size, such as 20G; with --backing that one's by default"
    ] = None,
    format: Format = None,
    backing: Annotated[Path | None, "an image to be based on, which is not changed"] = None,
    backing_format: BackingFormat = None,
    cluster_size: Annotated[str, "the unit of allocation, qcow2 only"] = "64K",
    allow: Allowed = None,
) -> "ImageInfo":
    """Make an empty disk, or one that shows another's content and keeps only changes."""
    from hospes.storage.create import create_image
    from hospes.storage.info import image_info

    create_image(
        file,
        parse_size(size, "disk size") if size else None,
        format,
        backing=backing,
        backing_format=backing_format,
        options=_options(cluster_size),
        around=_around(allow),
    )
    return image_info(file, format)


@verb("GET /disks/{file}", "disk info")
def info(m: Manager, file: Annotated[Path, "the image"], *, format: Format = None) -> "ImageInfo":
    """Tell what an image is: its size, what it occupies, what it is based on."""
    from hospes.storage.info import image_info

    return image_info(file, format)


@verb("PUT /disks/{file}/size", "disk resize")
def resize(
    m: Manager,
    file: Annotated[Path, "the image"],
    size: Annotated[str, "the new size, such as 40G"],
    *,
    format: Format = None,
    shrink: Annotated[bool, "let the disk become smaller, which loses its end"] = False,
    allow: Allowed = None,
) -> "ImageInfo":
    """Change a disk's size."""
    from hospes.storage.info import image_info
    from hospes.storage.resize import resize_image

    new = parse_size(size, "disk size")
    resize_image(file, new, format, shrink=shrink, around=_around(allow))
    return image_info(file, format)


@verb("POST /disks/{source}/copies", "disk convert")
def convert(
    m: Manager,
    source: Annotated[Path, "the image, also .vmdk, .vhdx or .vdi where qemu-img is installed"],
    target: Annotated[Path, "the new image"],
    *,
    source_format: Annotated[DiskFormat | None, "the source's format"] = None,
    format: Format = None,
    compress: Annotated[str | None, "compress clusters with zlib or zstd (qcow2 only)"] = None,
    cluster_size: Annotated[str, "the unit of allocation, qcow2 only"] = "64K",
    allow: Allowed = None,
) -> "ImageInfo | None":
    """Copy a disk's content into a new image that is based on nothing."""
    from hospes.storage.convert import convert_image
    from hospes.storage.foreign import convert_foreign, is_foreign
    from hospes.storage.info import image_info

    around = _around(allow)
    if is_foreign(source) or is_foreign(target):
        if compress:
            raise HospesError(f"disk {target} cannot be compressed on the way; convert it again")
        convert_foreign(source, source_format, target, format, around)
        return None if is_foreign(target) else image_info(target, format)
    convert_image(
        source,
        target,
        source_format=source_format,
        target_format=format,
        compressed=compress is not None,
        options=_options(cluster_size, compress),
        around=around,
        progress=m.progress,
    )
    return image_info(target, format)


@verb("POST /disks/{file}/check", "disk check")
def check(
    m: Manager,
    file: Annotated[Path, "the qcow2 image"],
    *,
    format: Format = None,
    repair: Annotated[str | None, "mend what can be: 'leaks', or 'all'"] = None,
) -> "CheckReport":
    """Look for contradictions in an image; exit code 2 for corruption, 3 for lost space."""
    from hospes.storage.check import check_image

    return check_image(file, format, repair=repair)


@verb("POST /disks/{file}/commit", "disk commit")
def commit(
    m: Manager,
    file: Annotated[Path, "the image, which becomes empty"],
    *,
    format: Format = None,
    allow: Allowed = None,
) -> None:
    """Move what an image holds into the image it is based on."""
    from hospes.storage.commit import commit_image

    commit_image(file, format, around=_around(allow), progress=m.progress)


@verb("PUT /disks/{file}/backing", "disk rebase")
def rebase(
    m: Manager,
    file: Annotated[Path, "the image"],
    backing: Annotated[Path | None, "the image to be based on; none: on nothing"] = None,
    *,
    format: Format = None,
    backing_format: BackingFormat = None,
    unsafe: Annotated[bool, "change only the name: the file was moved or renamed"] = False,
    allow: Allowed = None,
) -> "ImageInfo":
    """Base an image on another, copying what would otherwise look different."""
    from hospes.storage.info import image_info
    from hospes.storage.rebase import rebase_image

    rebase_image(
        file,
        backing,
        format,
        backing_format=backing_format,
        unsafe=unsafe,
        around=_around(allow),
        progress=m.progress,
    )
    return image_info(file, DiskFormat.QCOW2)


@verb("GET /disks/{file}/map", "disk map")
def map(
    m: Manager, file: Annotated[Path, "the image"], *, format: Format = None, allow: Allowed = None
) -> "tuple[MapEntry, ...]":
    """List where a disk's content lies: in which file, from which byte."""
    from hospes.storage.chain import open_image
    from hospes.storage.map import map_image

    device = open_image(file, format, around=_around(allow))
    try:
        return tuple(map_image(device))
    finally:
        device.close()


def _around(allow: list[Path] | None) -> "Surroundings":
    from hospes.storage.chain import Surroundings

    return Surroundings(places=tuple(allow or ()))


def _options(cluster_size: str, compress: str | None = None) -> "Qcow2Options":
    from hospes.storage.qcow2.header import Compression
    from hospes.storage.qcow2.making import Qcow2Options

    names = {method.name.lower(): method for method in Compression}
    if compress is not None and compress not in names:
        raise HospesError(f"{compress!r} is no way to compress; choose {' or '.join(names)}")
    method = names[compress] if compress else Compression.ZLIB
    return Qcow2Options(parse_size(cluster_size, "cluster size"), method)

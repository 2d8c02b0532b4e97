"""The cpio "newc" archive, as Linux unpacks it into its root (initramfs buffer format)."""

from collections.abc import Iterable, Iterator
from typing import BinaryIO, Final

from hospes.base.errors import HospesError
from hospes.guests.tree import Entry, directory, safe_path, with_parents

MAGIC: Final = b"070701"
TRAILER: Final = "TRAILER!!!"
HEADER_BYTES: Final = 110
BLOCK_BYTES: Final = 512
LONGEST_NAME: Final = 4096
FIELDS: Final = (
    "inode", "mode", "uid", "gid", "links", "mtime", "size",
    "major", "minor", "rmajor", "rminor", "namesize", "check",
)  # fmt: skip


def padding(length: int, to: int = 4) -> bytes:
    return bytes(-length % to)


def _header(inode: int, entry: Entry, links: int) -> bytes:
    name = entry.path.encode("utf-8", "surrogateescape") + b"\0"
    values = {
        "inode": inode,
        "mode": entry.mode,
        "uid": entry.uid,
        "gid": entry.gid,
        "links": links,
        "size": len(entry.data),
        "rmajor": entry.device[0],
        "rminor": entry.device[1],
        "namesize": len(name),
    }
    fields = b"".join(b"%08x" % values.get(field, 0) for field in FIELDS)
    return MAGIC + fields + name + padding(HEADER_BYTES + len(name))


def write_archive(entries: Iterable[Entry], out: BinaryIO) -> int:
    """Write the entries sorted, with all times 0 and inodes counted from 1; returns the length.

    The same entries always give the same bytes. Directories that are missing are added.
    """
    length = 0
    # The root is an entry too: Linux makes it with the permissions of /tmp otherwise.
    for inode, entry in enumerate([directory("."), *with_parents(entries)], start=1):
        header = _header(inode, entry, 2 if entry.is_directory else 1)
        length += out.write(header + entry.data + padding(len(entry.data)))
    length += out.write(_header(0, Entry(TRAILER, 0), 1))
    return length + out.write(padding(length, BLOCK_BYTES))


def _damaged(offset: int, why: str) -> HospesError:
    return HospesError(f"The cpio archive is damaged at byte {offset}: {why}.")


def _fields(archive: memoryview, offset: int) -> dict[str, int]:
    raw = bytes(archive[offset : offset + HEADER_BYTES])
    if len(raw) < HEADER_BYTES:
        raise _damaged(offset, "it ends inside a header")
    if raw[:6] != MAGIC:
        raise _damaged(offset, f"{raw[:6]!r} stands where {MAGIC!r} should")
    digits = [raw[6 + 8 * i : 14 + 8 * i] for i in range(len(FIELDS))]
    try:
        return {
            name: int(text.decode("ascii"), 16) for name, text in zip(FIELDS, digits, strict=True)
        }
    except ValueError:
        raise _damaged(offset, "its header has something other than hexadecimal digits") from None


def read_archive(data: bytes | memoryview) -> Iterator[Entry]:
    """The entries of an archive in order, up to its trailer; HospesError when it is damaged."""
    archive = memoryview(data)
    offset = 0
    while True:
        fields = _fields(archive, offset)
        name_at = offset + HEADER_BYTES
        if not 1 <= fields["namesize"] <= LONGEST_NAME:
            raise _damaged(offset, f"a name of {fields['namesize']} bytes")
        name_end = name_at + fields["namesize"]
        data_at = name_end + len(padding(name_end))
        data_end = data_at + fields["size"]
        if data_end > len(archive):
            raise _damaged(offset, "it ends inside a file")
        name = bytes(archive[name_at : name_end - 1]).decode("utf-8", "surrogateescape")
        if name == TRAILER:
            return
        path = safe_path(name)
        if path:
            yield Entry(
                path,
                fields["mode"],
                bytes(archive[data_at:data_end]),
                (fields["rmajor"], fields["rminor"]),
                fields["uid"],
                fields["gid"],
            )
        offset = data_end + len(padding(data_end))

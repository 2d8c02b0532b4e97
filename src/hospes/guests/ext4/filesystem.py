"""A file system: paths, directories, links and the content of files."""

from collections import deque
from collections.abc import Iterator
from typing import Final

from hospes.guests.ext4.blocks import PIECE_BYTES, Blocks
from hospes.guests.ext4.directory import INLINE_PARENT_BYTES, block_entries, check_block
from hospes.guests.ext4.errors import AbsentError, FileSystemError, damaged, unsupported
from hospes.guests.ext4.inode import MAP, ROOT, Flag, Inode, inline_data, read_inode
from hospes.guests.ext4.journal import Journal
from hospes.guests.ext4.mapping import Mapper, Run
from hospes.guests.ext4.superblock import (
    OFFSET,
    SIZE,
    Compatible,
    Incompatible,
    is_ext,
    parse_superblock,
)
from hospes.guests.partitions import Volume

LINKS_MAX: Final = 40
PATH_BYTES_MAX: Final = 4096
DIRECTORY_BYTES_MAX: Final = 16 << 20
FILE_BYTES_MAX: Final = 256 << 20
JOURNAL_BYTES_MAX: Final = 4 << 30
FAST_LINK_BYTES: Final = MAP.stop - MAP.start


def holds_ext(volume: Volume) -> bool:
    """Whether a volume has the mark of an ext2, ext3 or ext4 file system."""
    size = OFFSET + SIZE
    return volume.size_bytes >= size and is_ext(volume.read(0, size))


class FileSystem:
    """An ext2, ext3 or ext4 on a volume, read as the kernel would after replaying the journal.

    Nothing is written. Every failure is a FileSystemError, or a HospesError of the volume.
    """

    def __init__(self, volume: Volume) -> None:
        raw = volume.read(OFFSET, SIZE) if volume.size_bytes >= OFFSET + SIZE else b""
        self.super = parse_superblock(raw, volume.name, volume.size_bytes)
        self._blocks = Blocks(volume, self.super.block_bytes, self.super.blocks)
        if self.super.incompatible & Incompatible.RECOVER:
            self._replay()
        self._mapper = Mapper(self._blocks, self.super)

    @property
    def name(self) -> str:
        """The volume's name, for messages."""
        return self._blocks.name

    @property
    def uuid(self) -> str:
        """What `root=UUID=` takes."""
        return str(self.super.uuid)

    def resolve(self, path: str, *, follow: bool = True) -> Inode:
        """The file at a path from the root, links followed inside the file system.

        With `follow` false a link at the very end is not.
        """
        trail, _ = self._walk(path, follow)
        return trail[-1]

    def real_path(self, path: str) -> str:
        """A path without links, even if the file at its end is not there."""
        _, names = self._walk(path, True, absent_is_fine=True)
        return "/".join(names)

    def names(self, directory: Inode) -> dict[str, int]:
        """The names in a directory and their inodes; `.` and `..` are left out."""
        found = dict(self._entries(directory))
        return {name: number for name, number in found.items() if name not in (".", "..")}

    def target(self, link: Inode) -> str:
        """What a symbolic link says."""
        if link.size_bytes >= PATH_BYTES_MAX:
            raise damaged(self.name, f"inode {link.number} is a link of {link.size_bytes} bytes")
        if link.size_bytes < FAST_LINK_BYTES and not link.flags & (Flag.EXTENTS | Flag.INLINE_DATA):
            return link.map[: link.size_bytes].decode("utf-8", "surrogateescape")
        return self._content(link).decode("utf-8", "surrogateescape")

    def read(self, file: Inode, limit: int = FILE_BYTES_MAX) -> bytes:
        """All of an ordinary file that has no more than `limit` bytes."""
        if not file.is_regular:
            raise FileSystemError(
                f"inode {file.number} on {self.name} is no ordinary file; name another"
            )
        if file.size_bytes > limit:
            raise FileSystemError(
                f"inode {file.number} on {self.name} has {file.size_bytes} bytes, more than the "
                f"{limit} that are read of such a file"
            )
        return self._content(file)

    def pieces(self, file: Inode) -> Iterator[bytes]:
        """A file's content in pieces of at most 4 MiB; where it has holes, zeros."""
        if file.flags & Flag.INLINE_DATA:
            yield b"".join(inline_data(file, self.name))[: file.size_bytes].ljust(
                min(file.size_bytes, self.super.block_bytes), b"\0"
            )
            return
        size, at = self.super.block_bytes, 0
        for run in self._mapper.runs(file):
            yield from _zeros(run.logical * size - at)
            at = run.logical * size
            for block, count in _parts(run, PIECE_BYTES // size):
                data = self._blocks.read(block, count)[: file.size_bytes - at]
                at += len(data)
                yield data
        yield from _zeros(file.size_bytes - at)

    def _content(self, file: Inode) -> bytes:
        return b"".join(self.pieces(file))

    def _replay(self) -> None:
        """Have the blocks that a crash left in the journal take the place of the older ones."""
        number = self.super.journal_inode
        if not self.super.compatible & Compatible.HAS_JOURNAL or not number:
            raise unsupported(self.name, "a journal on another disk that was not replayed yet")
        file = read_inode(self._blocks, self.super, number)
        if file.size_bytes > JOURNAL_BYTES_MAX or file.flags & Flag.INLINE_DATA:
            raise damaged(self.name, f"its journal has {file.size_bytes} bytes")
        runs = Mapper(self._blocks, self.super).runs(file)
        journal = Journal(self._blocks, runs, file.size_bytes)
        journal.replay()
        after = Blocks(self._blocks.volume, self.super.block_bytes, self.super.blocks)
        after.newer = journal
        raw = after.superblock(OFFSET, SIZE)
        self._blocks = after
        self.super = parse_superblock(raw, self.name, self._blocks.volume.size_bytes)

    def _inode(self, number: int) -> Inode:
        return read_inode(self._blocks, self.super, number)

    def _walk(
        self, path: str, follow: bool, *, absent_is_fine: bool = False
    ) -> tuple[list[Inode], list[str]]:
        """The inodes from the root to a path's end, and the names of those below the root."""
        left, links = deque(_parts_of(path)), 0
        trail, names = [self._inode(ROOT)], list[str]()
        while left:
            name = left.popleft()
            if name == "..":
                trail, names = trail[: max(1, len(trail) - 1)], names[:-1]
                continue
            number = self._find(trail[-1], name)
            if number is None:
                if absent_is_fine:
                    return trail, [*names, name, *left]
                raise AbsentError(f"there is no file {path!r} on {self.name}; check the path")
            inode = self._inode(number)
            if not inode.is_link or not (left or follow):
                trail.append(inode)
                names.append(name)
                continue
            links += 1
            target = self.target(inode)
            left.extendleft(reversed(_parts_of(target)))
            if target.startswith("/"):
                trail, names = trail[:1], []
            if links > LINKS_MAX or sum(map(len, left)) > PATH_BYTES_MAX:
                raise damaged(self.name, f"the links at {path!r} do not end")
        return trail, names

    def _find(self, directory: Inode, wanted: str) -> int | None:
        if not directory.is_directory:
            return None
        for name, number in self._entries(directory):
            if name == wanted:
                return number
        return None

    def _entries(self, directory: Inode) -> Iterator[tuple[str, int]]:
        """Every entry of a directory; in a hashed tree, of all its leaves."""
        if not directory.is_directory:
            raise FileSystemError(
                f"inode {directory.number} on {self.name} is no directory; name another"
            )
        if directory.size_bytes > DIRECTORY_BYTES_MAX:
            raise unsupported(self.name, f"a directory of {directory.size_bytes} bytes")
        if directory.flags & Flag.INLINE_DATA:
            first, rest = inline_data(directory, self.name)
            yield from block_entries(first[INLINE_PARENT_BYTES:], self.name)
            yield from block_entries(rest, self.name)
            return
        indexed = bool(directory.flags & Flag.INDEXED)
        for run in self._mapper.runs(directory):
            for number in range(run.length):
                data = self._blocks.read(run.physical + number)
                if self.super.has_checksums:
                    first_of_all = run.logical + number == 0
                    check_block(data, directory.seed, first_of_all, indexed, self.name)
                yield from block_entries(data, self.name)


def _parts_of(path: str) -> list[str]:
    return [part for part in path.split("/") if part not in ("", ".")]


def _parts(run: Run, most: int) -> Iterator[tuple[int, int]]:
    """(block, count) of a run, piece by piece."""
    for done in range(0, run.length, most):
        yield run.physical + done, min(most, run.length - done)


def _zeros(count: int) -> Iterator[bytes]:
    while count > 0:
        yield bytes(min(count, PIECE_BYTES))
        count -= PIECE_BYTES

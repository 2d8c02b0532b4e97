"""The files of a folder of the host: found, looked at, read and written.

Nothing here follows a link: files are found by single names from directories that are held, and
reached through /proc/self/fd, which leads to the file that is held and not to where it points.
"""

import os
import stat
from collections.abc import Callable
from errno import EACCES, ESTALE
from hashlib import blake2b
from pathlib import Path
from typing import Final

from hospes.folders import attributes
from hospes.folders.descriptors import (
    DESCRIPTORS_MAX,
    Descriptors,
    check_kind,
    fault,
    open_place,
    way,
)
from hospes.folders.directory import DirectoryReader
from hospes.folders.host_locks import HostLocks
from hospes.folders.nodes import Identity, Node, Nodes
from hospes.folders.ownership import NOTHING, PERMISSIONS, Owners, Record, host_mode, with_mode
from hospes.folders.reply import DIRECTORY, FILE, SYMLINK, Qid, Statistics
from hospes.folders.root import open_root
from hospes.folders.tree import Changes, Found, Status

SECOND_NS: Final = 1_000_000_000


class HostFiles:
    """The half of a `Tree` that makes and removes nothing; HospesError if there is no folder.

    `report` is given a sentence when the folder has gone away. `descriptors` is how many files of
    it may be held open.
    """

    def __init__(
        self,
        path: Path,
        owners: Owners,
        *,
        read_only: bool = False,
        report: Callable[[str], None] = lambda sentence: None,
        descriptors: int = DESCRIPTORS_MAX,
    ) -> None:
        self._path, self._owners, self._report = path, owners, report
        self.read_only = read_only
        place = open_root(path)
        status = os.fstat(place)
        self._device = status.st_dev
        self._nodes = Nodes((status.st_dev, status.st_ino), stat.S_IFMT(status.st_mode))
        self._held = Descriptors(self._nodes.root, place, descriptors)
        self._reader = DirectoryReader()
        self.locks = HostLocks(self._held)

    @property
    def root(self) -> Node:
        """The folder itself."""
        return self._nodes.root

    def find(self, directory: Node, name: bytes) -> Found:
        """What a directory has under a name; of b"..", never above the root."""
        if name == b"..":
            node = self._nodes.hold(directory.parent or directory)
            return Found(node, self.qid(node))
        with self._held.place(directory) as held:
            try:
                place = open_place(name, held)
            except FileNotFoundError:
                self._see_folder()
                self._nodes.unlink(directory, name)
                raise
        return self._found(directory, name, place)

    def find_again(self, names: tuple[bytes, ...], identity: Identity) -> Found:
        """The same file as at another time, by its way from the root."""
        found = Found(self._nodes.hold(self.root), self.qid(self.root))
        for name in names:
            directory = found.node
            try:
                found = self.find(directory, name)
            finally:
                self.release(directory)
        if found.node.identity != identity:
            self.release(found.node)
            raise fault(ESTALE)
        return found

    def hold(self, node: Node) -> Node:
        """The same node for another one who keeps it."""
        return self._nodes.hold(node)

    def release(self, node: Node) -> None:
        """Somebody does not need a node any more."""
        self._nodes.release(node)
        for discarded in self._nodes.take_discarded():
            self.locks.forget(discarded)
            self._held.close_all(discarded)

    def qid(self, node: Node) -> Qid:
        """What names it."""
        with self._held.place(node) as place:
            return self._qid(os.fstat(place))

    def status(self, node: Node) -> Status:
        """What it is."""
        with self._held.place(node) as place:
            status = os.fstat(place)
            record = attributes.read_record(place) if may_have_record(node.kind) else NOTHING
        if node is self.root:
            self._see_folder(status)
        seen = self._owners.seen(status, record)
        numbers = (
            status.st_nlink, seen.device, status.st_size, status.st_blksize, status.st_blocks,
            *divmod(status.st_atime_ns, SECOND_NS), *divmod(status.st_mtime_ns, SECOND_NS),
            *divmod(status.st_ctime_ns, SECOND_NS),
        )  # fmt: skip
        return Status(self._qid(status), seen.mode, seen.uid, seen.gid, numbers)

    def change(self, node: Node, changes: Changes) -> None:
        """Change owner, permissions, size and times, in this order."""
        with self._held.place(node) as place:
            if (changes.mode, changes.uid, changes.gid) != (None, None, None):
                self._change_owner(node, place, changes)
            if changes.size is not None:
                check_kind(node.kind)
                os.truncate(way(place), changes.size)
            if changes.atime_ns is not None or changes.mtime_ns is not None:
                status = os.fstat(place)
                atime_ns = status.st_atime_ns if changes.atime_ns is None else changes.atime_ns
                mtime_ns = status.st_mtime_ns if changes.mtime_ns is None else changes.mtime_ns
                os.utime(way(place), ns=(atime_ns, mtime_ns))

    def open(self, node: Node, access: int, *, truncate: bool) -> None:
        """See that a file or directory can be read or written."""
        check_kind(node.kind)
        if self._is_device(node):
            raise fault(EACCES)
        with self._held.file(node, access) as file:
            if truncate:
                os.ftruncate(file, 0)

    def read(self, node: Node, access: int, offset: int, count: int) -> bytes:
        """Up to count bytes of what is open."""
        with self._held.file(node, access) as file:
            return os.pread(file, count, offset)

    def write(self, node: Node, access: int, offset: int, data: bytes) -> int:
        """Store bytes; how many were taken."""
        with self._held.file(node, access) as file:
            return os.pwrite(file, data, offset)

    def sync(self, node: Node, access: int, *, data_only: bool) -> None:
        """Return when what was written is safe."""
        with self._held.file(node, access) as file:
            (os.fdatasync if data_only else os.fsync)(file)

    def entries(self, node: Node, offset: int, limit: int) -> bytes:
        """Lines of an open directory, encoded, in up to limit bytes; b"" at its end."""
        with self._held.file(node, os.O_RDONLY) as file:
            return self._reader.entries(file, offset, limit, node is self.root)

    def read_link(self, node: Node) -> bytes:
        """Where a symbolic link leads."""
        with self._held.place(node) as place:
            return os.readlink(b"", dir_fd=place)

    def statistics(self, node: Node) -> Statistics:
        """The sizes of the file system it is in."""
        with self._held.place(node) as place:
            got = os.fstatvfs(place)
        return Statistics(
            got.f_bsize, got.f_blocks * got.f_frsize // got.f_bsize,
            got.f_bfree * got.f_frsize // got.f_bsize, got.f_bavail * got.f_frsize // got.f_bsize,
            got.f_files, got.f_ffree, self._device, got.f_namemax,
        )  # fmt: skip

    def close(self) -> None:
        """Give everything back."""
        self._held.close_everything()

    def _found(self, directory: Node, name: bytes, place: int) -> Found:
        """The node of what is held by a descriptor, which becomes the node's."""
        try:
            status = os.fstat(place)
            identity = (status.st_dev, status.st_ino)
            node = self._nodes.hold_child(directory, name, identity, stat.S_IFMT(status.st_mode))
        except BaseException:
            os.close(place)
            raise
        try:
            self._held.adopt(node, place)
        except BaseException:
            self.release(node)
            raise
        return Found(node, self._qid(status))

    def _is_device(self, node: Node) -> bool:
        if not stat.S_ISREG(node.kind):
            return False
        with self._held.place(node) as place:
            return attributes.read_record(place).is_device

    def _change_owner(self, node: Node, place: int, changes: Changes) -> None:
        """Owner and permissions: on the host what it can have, the rest written down.

        What is neither a regular file nor a directory has no place to write it down, and belongs
        to whom all files of the folder do.
        """
        if not may_have_record(node.kind):
            if changes.mode is not None and not stat.S_ISLNK(node.kind):
                os.chmod(way(place), changes.mode & PERMISSIONS)
            return
        before = record = attributes.read_record(place)
        if changes.uid is not None or changes.gid is not None:
            record = self._owned(place, record, changes.uid, changes.gid)
        if changes.mode is not None:
            record = with_mode(record, changes.mode, node.kind)
            os.chmod(way(place), host_mode(changes.mode, stat.S_ISDIR(node.kind)))
        if record != before:
            attributes.write_record(place, record)

    def _owned(self, place: int, record: Record, uid: int | None, gid: int | None) -> Record:
        """The record with another owner, of whom nothing is written if the host says the same."""
        plain = self._owners.seen(os.fstat(place), NOTHING)
        if uid is not None:
            record = record._replace(uid=-1 if uid == plain.uid else uid)
        if gid is not None:
            record = record._replace(gid=-1 if gid == plain.gid else gid)
        return record

    def _qid(self, status: os.stat_result) -> Qid:
        # The inode's change, for content may be changed and its time set back. 0 would mean that
        # nothing of it may be kept in memory.
        changed = status.st_ctime_ns
        version = (changed ^ changed >> 32) & 0xFFFF_FFFF or 1
        return Qid(qid_kind(status.st_mode), version, self._number(status))

    def _number(self, status: os.stat_result) -> int:
        """One file, one number: the inode's, or another on other file systems below the folder."""
        if status.st_dev == self._device:
            return status.st_ino
        name = b"%d %d" % (status.st_dev, status.st_ino)
        return int.from_bytes(blake2b(name, digest_size=8).digest(), "little")

    def _see_folder(self, status: os.stat_result | None = None) -> None:
        """ESTALE, and a sentence for the user, if the folder itself was removed."""
        if status is None:
            with self._held.place(self.root) as place:
                status = os.fstat(place)
        if status.st_nlink == 0:
            self._report(
                f"the shared folder {self._path} has been removed, so the guest finds nothing in "
                "it any more; make it again and restart the machine"
            )
            raise fault(ESTALE)


def may_have_record(kind: int) -> bool:
    """Whether the host has attributes of users for such a file."""
    return stat.S_ISREG(kind) or stat.S_ISDIR(kind)


def qid_kind(mode: int) -> int:
    """What a qid says of a file's type."""
    if stat.S_ISDIR(mode):
        return DIRECTORY
    return SYMLINK if stat.S_ISLNK(mode) else FILE

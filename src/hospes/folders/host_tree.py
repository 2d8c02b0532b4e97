"""A folder of the host: what the guest makes, moves and removes in it."""

import os
import stat
from collections.abc import Callable
from errno import EINVAL, ENOTSUP, EPERM
from typing import Final

from hospes.folders import attributes
from hospes.folders.descriptors import fault, open_place, way
from hospes.folders.host_files import HostFiles, may_have_record
from hospes.folders.nodes import Node
from hospes.folders.ownership import NOTHING, Record, host_mode, with_mode
from hospes.folders.reply import Qid
from hospes.folders.tree import Found, Owner

_HIDDEN: Final = 0o600
"""Permissions of what is being made, before its owner is written down."""


class HostTree(HostFiles):
    """A `Tree` over a directory, which the guest cannot leave."""

    def create(
        self, directory: Node, name: bytes, access: int, mode: int, owner: Owner, *,
        exclusive: bool, truncate: bool,
    ) -> Found:  # fmt: skip
        """A file that can be read or written afterwards; one that was there if not exclusive."""
        try:
            found, new = self._make_file(directory, name, mode, owner), True
        except FileExistsError:
            if exclusive:
                raise
            found, new = self.find(directory, name), False
        try:
            self.open(found.node, access, truncate=truncate and not new)
        except BaseException:
            self.release(found.node)
            raise
        return found

    def make_directory(self, directory: Node, name: bytes, mode: int, owner: Owner) -> Qid:
        """A new directory."""
        return self._made(
            directory, name, stat.S_IFDIR | mode, owner,
            lambda held: os.mkdir(name, 0o700, dir_fd=held),
        )  # fmt: skip

    def make_link(self, directory: Node, name: bytes, target: bytes, owner: Owner) -> Qid:
        """A new symbolic link; the target is text and nothing else."""
        return self._made(
            directory, name, stat.S_IFLNK, owner,
            lambda held: os.symlink(target, name, dir_fd=held),
        )  # fmt: skip

    def make_node(
        self, directory: Node, name: bytes, mode: int, device: tuple[int, int], owner: Owner
    ) -> Qid:
        """A new FIFO, socket, regular file, or device node: for the guest only."""
        kind = stat.S_IFMT(mode) or stat.S_IFREG
        if kind in {stat.S_IFIFO, stat.S_IFSOCK}:
            return self._made(
                directory, name, mode, owner,
                lambda held: os.mknod(name, kind | _HIDDEN, dir_fd=held),
            )  # fmt: skip
        if kind not in {stat.S_IFREG, stat.S_IFCHR, stat.S_IFBLK}:
            raise fault(EINVAL)
        number = 0 if kind == stat.S_IFREG else os.makedev(*device)
        found = self._make_file(directory, name, kind | mode & 0o7777, owner, number)
        self.release(found.node)
        return found.qid

    def link(self, node: Node, directory: Node, name: bytes) -> None:
        """Another name for a file."""
        with self._held.place(node) as place, self._held.place(directory) as held:
            os.link(way(place), name, dst_dir_fd=held, follow_symlinks=True)

    def rename(self, directory: Node, name: bytes, new_directory: Node, new_name: bytes) -> None:
        """Another name in place of one."""
        self._hold_open(new_directory, new_name)
        with self._held.place(directory) as held, self._held.place(new_directory) as new:
            os.rename(name, new_name, src_dir_fd=held, dst_dir_fd=new)
        self._nodes.rename(directory, name, new_directory, new_name)

    def unlink(self, directory: Node, name: bytes, *, is_directory: bool) -> None:
        """Remove a name, of an empty directory or of anything else."""
        self._hold_open(directory, name)
        with self._held.place(directory) as held:
            (os.rmdir if is_directory else os.unlink)(name, dir_fd=held)
        self._nodes.unlink(directory, name)

    def attribute(self, node: Node, name: bytes) -> bytes:
        """An extended attribute's value."""
        with self._held.place(node) as place:
            return os.getxattr(way(place), attributes.host_name(name))

    def attributes(self, node: Node) -> bytes:
        """The names of extended attributes, each with a zero behind it."""
        with self._held.place(node) as place:
            return attributes.names(place)

    def set_attribute(self, node: Node, name: bytes, value: bytes, flags: int) -> None:
        """Set an extended attribute; the flags are those of setxattr(2)."""
        with self._held.place(node) as place:
            os.setxattr(way(place), attributes.host_name(name), value, flags)

    def remove_attribute(self, node: Node, name: bytes) -> None:
        """Take an extended attribute away."""
        with self._held.place(node) as place:
            os.removexattr(way(place), attributes.host_name(name))

    def content(self, node: Node, limit: int) -> bytes | None:
        """All of a file that has no name any more; None if that is too much, or no file."""
        if not stat.S_ISREG(node.kind):
            return None
        with self._held.file(node, os.O_RDONLY) as file:
            if os.fstat(file).st_size > limit:
                return None
            return os.pread(file, limit, 0)

    def find_content(self, content: bytes, mode: int) -> Found:
        """A new file without a name that has this content, in memory."""
        file = os.memfd_create("hospes", os.MFD_CLOEXEC)
        try:
            os.fchmod(file, mode & 0o777 | _HIDDEN)
            at = 0
            while at < len(content):
                at += os.pwrite(file, content[at:], at)
            place = os.open(way(file), os.O_PATH | os.O_CLOEXEC)
        finally:
            os.close(file)
        # A name that nothing can have; it is taken away before anybody asks.
        found = self._found(self.root, b"/", place)
        self._nodes.unlink(self.root, b"/")
        return found

    def _hold_open(self, directory: Node, name: bytes) -> None:
        """What is about to lose its name can be opened by it for the last time."""
        node = directory.children.get(name)
        if node is not None:
            with self._held.place(node):
                pass

    def _make_file(
        self, directory: Node, name: bytes, mode: int, owner: Owner, device: int = 0
    ) -> Found:
        """A new regular file, which may stand for a device."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with self._held.place(directory) as held:
            os.close(os.open(name, flags, _HIDDEN, dir_fd=held))
            place = open_place(name, held)
        found = self._found(directory, name, place)
        try:
            self._finish(found.node, mode, owner, device)
        except BaseException:
            self.release(found.node)
            self.unlink(directory, name, is_directory=False)
            raise
        return Found(found.node, self.qid(found.node))

    def _made(
        self, directory: Node, name: bytes, mode: int, owner: Owner, make: Callable[[int], object]
    ) -> Qid:
        """Something new that is not a regular file."""
        with self._held.place(directory) as held:
            make(held)
            place = open_place(name, held)
        found = self._found(directory, name, place)
        try:
            self._finish(found.node, mode, owner, 0)
        except BaseException:
            self.unlink(directory, name, is_directory=stat.S_ISDIR(mode))
            raise
        finally:
            self.release(found.node)
        return found.qid

    def _finish(self, node: Node, mode: int, owner: Owner, device: int) -> None:
        """Owner and permissions of what was just made."""
        if stat.S_ISLNK(node.kind):
            return
        with self._held.place(node) as place:
            os.chmod(way(place), host_mode(mode, stat.S_ISDIR(node.kind)))
            if not may_have_record(node.kind):
                return
            record = NOTHING
            if stat.S_IFMT(mode) in {stat.S_IFCHR, stat.S_IFBLK}:
                record = Record(mode=mode, host_mode=host_mode(mode, False), device=device)
            record = self._owned(place, with_mode(record, mode, node.kind), *owner)
            if record != NOTHING:
                self._write_down(place, record)

    def _write_down(self, place: int, record: Record) -> None:
        try:
            attributes.write_record(place, record)
        except OSError as error:
            # Where the host has no such attributes, a new file is still of use without.
            if error.errno != ENOTSUP or record.is_device:
                raise fault(EPERM) if error.errno == ENOTSUP else error from None

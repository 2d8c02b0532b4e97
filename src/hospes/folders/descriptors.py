"""The host's open files behind nodes: kept while there is room, opened again when they are wanted.

A node's file is held by a descriptor that gives no access (O_PATH), so a rename does not matter to
who holds it. It is found by single names from its parent's, never through a link, and is opened
for reading or writing through /proc/self/fd, which leads to that very file.
"""

import os
import resource
import stat
import threading
from collections import OrderedDict
from contextlib import AbstractContextManager
from errno import EACCES, EISDIR, ELOOP, EMFILE, ESTALE
from typing import Final

from hospes.folders.nodes import Node

PLACE: Final = -1
"""In place of an access mode: the descriptor that gives none."""
LOCKING: Final = -2
"""The one that locks belong to, which is never closed before its node is discarded."""
_PLACE_FLAGS: Final = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE_FLAGS: Final = os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY


def fault(number: int) -> OSError:
    """An error as the host would have it."""
    return OSError(number, os.strerror(number))


def way(descriptor: int) -> bytes:
    """A path to the very file of a descriptor, for calls that take none that gives no access."""
    return b"/proc/self/fd/%d" % descriptor


def open_place(name: bytes, directory: int) -> int:
    """Hold what a directory has under a single name, a link itself included."""
    return os.open(name, _PLACE_FLAGS, dir_fd=directory)


DESCRIPTORS_MAX: Final = 8192
DESCRIPTORS_MIN: Final = 32


def descriptors_for(sharers: int) -> int:
    """How many descriptors each of several folders may have: half of what the process may."""
    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if allowed == resource.RLIM_INFINITY:
        return DESCRIPTORS_MAX
    return max(DESCRIPTORS_MIN, min(DESCRIPTORS_MAX, allowed // 2 // sharers))


class Held:
    """A descriptor in use, for as long as the context lasts."""

    __slots__ = ("_lock", "descriptor", "users")

    def __init__(self, descriptor: int, lock: AbstractContextManager[bool]) -> None:
        self.descriptor, self._lock = descriptor, lock
        self.users = 0

    def __enter__(self) -> int:
        return self.descriptor

    def __exit__(self, *ended: object) -> None:
        with self._lock:
            self.users -= 1
            if self.users < 0:
                os.close(self.descriptor)


class Descriptors:
    """At most `limit` descriptors besides the root's, the ones longest unused closed first.

    Any thread may call.
    """

    def __init__(self, root: Node, descriptor: int, limit: int) -> None:
        self._lock = threading.RLock()
        self._root, self._limit = root, limit
        self._root_held = Held(descriptor, self._lock)
        self._closed = False
        self._held: OrderedDict[tuple[Node, int], Held] = OrderedDict()

    def __len__(self) -> int:
        return len(self._held)

    def place(self, node: Node) -> Held:
        """What stands for a node's file and gives no access to its content."""
        with self._lock:
            return self._find_place(node)

    def _find_place(self, node: Node) -> Held:
        way_down: list[Node] = []
        held = self._place_held(node)
        while held is None:
            way_down.append(node)
            if node.gone or node.parent is None:
                raise fault(ESTALE)
            node = node.parent
            held = self._place_held(node)
        for child in reversed(way_down):
            with held as directory:
                held = self._open_place(child, directory)
        return held

    def _place_held(self, node: Node) -> Held | None:
        return self._used(self._root_held) if node is self._root else self._find(node, PLACE)

    def _open_place(self, node: Node, directory: int) -> Held:
        descriptor = open_place(node.name, directory)
        try:
            status = os.fstat(descriptor)
            if (status.st_dev, status.st_ino) != node.identity:
                raise fault(ESTALE)
            return self._keep(node, PLACE, descriptor)
        except BaseException:
            os.close(descriptor)
            raise

    def adopt(self, node: Node, descriptor: int) -> None:
        """Keep a descriptor of PLACE's kind, unless there is one."""
        with self._lock:
            if (node, PLACE) in self._held or node is self._root:
                os.close(descriptor)
                return
            try:
                held = self._keep(node, PLACE, descriptor)
            except BaseException:
                os.close(descriptor)
                raise
            held.users -= 1

    def file(self, node: Node, access: int) -> Held:
        """A node's file opened for O_RDONLY, O_WRONLY, O_RDWR or LOCKING.

        Only regular files and directories are ever opened: opening a device does something.
        """
        with self._lock:
            held = self._find(node, access)
            if held is not None:
                return held
            check_kind(node.kind)
            with self.place(node) as place:
                descriptor = _open(way(place), access)
            try:
                return self._keep(node, access, descriptor)
            except BaseException:
                os.close(descriptor)
                raise

    def close_all(self, node: Node) -> None:
        """A node is discarded."""
        for access in (PLACE, LOCKING, os.O_RDONLY, os.O_WRONLY, os.O_RDWR):
            self.close(node, access)

    def close(self, node: Node, access: int) -> None:
        """A file is not needed any more."""
        with self._lock:
            held = self._held.pop((node, access), None)
            if held is not None:
                self._end(held)

    def close_everything(self) -> None:
        """The end, the root's included."""
        with self._lock:
            held, self._held = self._held, OrderedDict()
            for one in held.values():
                self._end(one)
            if not self._closed:
                self._end(self._root_held)
            self._closed = True

    def _end(self, held: Held) -> None:
        """Close it now, or when the last who uses it has done so."""
        held.users -= 1
        if held.users < 0:
            os.close(held.descriptor)

    def _used(self, held: Held) -> Held:
        held.users += 1
        return held

    def _find(self, node: Node, access: int) -> Held | None:
        key = (node, access)
        held = self._held.get(key)
        if held is None:
            return None
        self._held.move_to_end(key)
        return self._used(held)

    def _keep(self, node: Node, access: int, descriptor: int) -> Held:
        if len(self._held) >= self._limit:
            self._make_room()
        held = self._held[node, access] = Held(descriptor, self._lock)
        return self._used(held)

    def _make_room(self) -> None:
        """Close what is longest unused of that which can be opened again."""
        for (node, access), held in self._held.items():
            bound = access == LOCKING or (access == PLACE and node.is_lost)
            if not held.users and not bound:
                self.close(node, access)
                return
        raise fault(EMFILE)


def check_kind(kind: int) -> None:
    """OSError unless a file of this kind (as in st_mode) may be opened."""
    if not stat.S_ISREG(kind) and not stat.S_ISDIR(kind):
        raise fault(ELOOP if stat.S_ISLNK(kind) else EACCES)


def _open(path: bytes, access: int) -> int:
    if access != LOCKING:
        return os.open(path, access | _FILE_FLAGS)
    try:
        return os.open(path, os.O_RDWR | _FILE_FLAGS)
    except OSError as error:
        if error.errno not in {EACCES, EISDIR} and not isinstance(error, PermissionError):
            raise
        return os.open(path, os.O_RDONLY | _FILE_FLAGS)

"""What the server asks of a tree of files; every refusal is an OSError."""

from typing import NamedTuple, Protocol

from hospes.folders.locks import Lock
from hospes.folders.nodes import Identity, Node
from hospes.folders.reply import Qid, Statistics


class Status(NamedTuple):
    """What stat(2) tells, as the guest sees it."""

    qid: Qid
    mode: int
    uid: int
    gid: int
    numbers: tuple[int, ...]
    """As `reply.attributes` has them."""


class Changes(NamedTuple):
    """What of a file is to be changed; None where nothing is. Times are in ns since 1970."""

    mode: int | None = None
    uid: int | None = None
    gid: int | None = None
    size: int | None = None
    atime_ns: int | None = None
    mtime_ns: int | None = None


class Owner(NamedTuple):
    """Whom a new file belongs to in the guest."""

    uid: int
    gid: int


class Found(NamedTuple):
    """A file that was found or made; its node is the caller's to release."""

    node: Node
    qid: Qid


class Locks(Protocol):
    """The locks of a tree's files."""

    def lock(self, node: Node, wanted: Lock) -> bool:
        """Take a lock or give it back; False while somebody else's is in the way."""
        ...

    def in_the_way(self, node: Node, wanted: Lock) -> Lock | None:
        """What a lock would wait for; the host's processes have no owner that is known."""
        ...

    def unlock_fid(self, node: Node, fid: int) -> None:
        """Give back what was asked for through a fid."""
        ...

    def of(self, node: Node) -> tuple[Lock, ...]:
        """All that the guest holds of a file."""
        ...


class Tree(Protocol):
    """A folder; names are single components. Nodes are its own, and opaque but for their kind.

    One thread at a time calls, but for `read`, `write` and `sync`, which any may.
    """

    @property
    def root(self) -> Node:
        """The folder itself."""
        ...

    @property
    def read_only(self) -> bool:
        """Whether nothing may be changed."""
        ...

    @property
    def locks(self) -> Locks:
        """Who of the guest has locked what."""
        ...

    def find(self, directory: Node, name: bytes) -> Found:
        """What a directory has under a name; of b"..", never above the root."""
        ...

    def find_again(self, names: tuple[bytes, ...], identity: Identity) -> Found:
        """The same file as at another time, by its way from the root."""
        ...

    def hold(self, node: Node) -> Node:
        """The same node for another one who keeps it."""
        ...

    def release(self, node: Node) -> None:
        """Somebody does not need a node any more."""
        ...

    def status(self, node: Node) -> Status:
        """What it is."""
        ...

    def qid(self, node: Node) -> Qid:
        """What names it."""
        ...

    def change(self, node: Node, changes: Changes) -> None:
        """Change owner, permissions, size and times, in this order."""
        ...

    def open(self, node: Node, access: int, *, truncate: bool) -> None:
        """See that a file or directory can be read or written (O_RDONLY, O_WRONLY, O_RDWR)."""
        ...

    def read(self, node: Node, access: int, offset: int, count: int) -> bytes:
        """Up to count bytes of what is open."""
        ...

    def write(self, node: Node, access: int, offset: int, data: bytes) -> int:
        """Store bytes; how many were taken."""
        ...

    def sync(self, node: Node, access: int, *, data_only: bool) -> None:
        """Return when what was written is safe."""
        ...

    def entries(self, node: Node, offset: int, limit: int) -> bytes:
        """Lines of an open directory, encoded, in up to limit bytes; b"" at its end."""
        ...

    def read_link(self, node: Node) -> bytes:
        """Where a symbolic link leads."""
        ...

    def statistics(self, node: Node) -> Statistics:
        """The sizes of the file system it is in."""
        ...

    def create(
        self, directory: Node, name: bytes, access: int, mode: int, owner: Owner, *,
        exclusive: bool, truncate: bool,
    ) -> Found:  # fmt: skip
        """A file that can be read or written afterwards; one that was there if not exclusive."""
        ...

    def make_directory(self, directory: Node, name: bytes, mode: int, owner: Owner) -> Qid:
        """A new directory."""
        ...

    def make_link(self, directory: Node, name: bytes, target: bytes, owner: Owner) -> Qid:
        """A new symbolic link; the target is text and nothing else."""
        ...

    def make_node(
        self, directory: Node, name: bytes, mode: int, device: tuple[int, int], owner: Owner
    ) -> Qid:
        """A new FIFO, socket, regular file, or device node: for the guest only."""
        ...

    def link(self, node: Node, directory: Node, name: bytes) -> None:
        """Another name for a file."""
        ...

    def rename(self, directory: Node, name: bytes, new_directory: Node, new_name: bytes) -> None:
        """Another name in place of one."""
        ...

    def unlink(self, directory: Node, name: bytes, *, is_directory: bool) -> None:
        """Remove a name, of an empty directory or of anything else."""
        ...

    def attribute(self, node: Node, name: bytes) -> bytes:
        """An extended attribute's value."""
        ...

    def attributes(self, node: Node) -> bytes:
        """The names of extended attributes, each with a zero behind it."""
        ...

    def set_attribute(self, node: Node, name: bytes, value: bytes, flags: int) -> None:
        """Set an extended attribute; the flags are those of setxattr(2)."""
        ...

    def remove_attribute(self, node: Node, name: bytes) -> None:
        """Take an extended attribute away."""
        ...

    def content(self, node: Node, limit: int) -> bytes | None:
        """All of a file that has no name any more; None if that is too much, or no file."""
        ...

    def find_content(self, content: bytes, mode: int) -> Found:
        """A new file without a name that has this content."""
        ...

    def close(self) -> None:
        """Give everything back."""
        ...

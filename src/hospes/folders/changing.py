"""Requests about names, attributes and what else a file has besides content."""

import stat
import time
from errno import EBADF, EINVAL, ENOTDIR, EOPNOTSUPP
from typing import Final

from hospes.folders import reply
from hospes.folders.descriptors import fault
from hospes.folders.fids import Fid, OpenAttribute
from hospes.folders.request import (
    GetAttributes,
    Link,
    MakeDirectory,
    MakeNode,
    ReadLink,
    Rename,
    RenameAt,
    SetAttributes,
    Symlink,
    UnlinkAt,
    XattrCreate,
    XattrWalk,
)
from hospes.folders.session import Session, check_name
from hospes.folders.tree import Changes, Owner
from hospes.folders.walking import place_of

MODE, UID, GID, SIZE, ATIME, MTIME, CTIME, ATIME_SET, MTIME_SET = (1 << n for n in range(9))
NO_ID: Final = 0xFFFF_FFFF
REMOVE_DIRECTORY: Final = 0x200
ATTRIBUTE_BYTES_MAX: Final = 64 << 10
SECOND_NS: Final = 1_000_000_000


def get_attributes(session: Session, request: GetAttributes) -> bytes:
    """What stat(2) tells."""
    status = session.tree.status(session.fids.get(request.fid).node)
    return reply.attributes(status.qid, status.mode, status.uid, status.gid, status.numbers)


def set_attributes(session: Session, request: SetAttributes) -> bytes:
    """What chmod, chown, truncate and utimensat change."""
    session.check_writable()
    fid = session.fids.get(request.fid)
    valid, now_ns = request.valid, time.time_ns()
    atime_ns = request.atime_s * SECOND_NS + request.atime_ns if valid & ATIME_SET else now_ns
    mtime_ns = request.mtime_s * SECOND_NS + request.mtime_ns if valid & MTIME_SET else now_ns
    changes = Changes(
        mode=request.mode & 0o7777 if valid & MODE else None,
        uid=request.uid if valid & UID and request.uid != NO_ID else None,
        gid=request.gid if valid & GID and request.gid != NO_ID else None,
        size=request.size if valid & SIZE else None,
        atime_ns=atime_ns if valid & ATIME else None,
        mtime_ns=mtime_ns if valid & MTIME else None,
    )
    session.tree.change(fid.node, changes)
    return b""


def read_link(session: Session, request: ReadLink) -> bytes:
    """Where a link leads, which the guest finds out by itself."""
    fid = session.fids.get(request.fid)
    if not stat.S_ISLNK(fid.node.kind):
        raise fault(EINVAL)
    return reply.text(session.tree.read_link(fid.node))


def symlink(session: Session, request: Symlink) -> bytes:
    """A link with any text for a target."""
    fid = session.directory(request.fid, request.name)
    session.check_writable()
    if not request.target or b"\0" in request.target:
        raise fault(EINVAL)
    owner = Owner(fid.uid, request.gid)
    return reply.qid(session.tree.make_link(fid.node, request.name, request.target, owner))


def make_directory(session: Session, request: MakeDirectory) -> bytes:
    """A directory."""
    fid = session.directory(request.fid, request.name)
    session.check_writable()
    owner = Owner(fid.uid, request.gid)
    mode = request.mode & 0o7777
    return reply.qid(session.tree.make_directory(fid.node, request.name, mode, owner))


def make_node(session: Session, request: MakeNode) -> bytes:
    """A device node, which is one for the guest only, a FIFO or a socket."""
    fid = session.directory(request.fid, request.name)
    session.check_writable()
    owner = Owner(fid.uid, request.gid)
    device = (request.major, request.minor)
    made = session.tree.make_node(fid.node, request.name, request.mode, device, owner)
    return reply.qid(made)


def link(session: Session, request: Link) -> bytes:
    """Another name for a file of this folder: there is no other way to name one."""
    directory = session.directory(request.directory, request.name)
    session.check_writable()
    session.tree.link(session.fids.get(request.fid).node, directory.node, request.name)
    return b""


def rename(session: Session, request: Rename) -> bytes:
    """Another place for what a fid is."""
    target = session.directory(request.directory, request.name)
    session.check_writable()
    directory, name = place_of(session.fids.get(request.fid).node)
    session.tree.rename(directory, name, target.node, request.name)
    return b""


def rename_at(session: Session, request: RenameAt) -> bytes:
    """Another place for what has a name."""
    directory = session.directory(request.directory, request.name)
    target = session.directory(request.new_directory, request.new_name)
    session.check_writable()
    if not stat.S_ISDIR(directory.node.kind) or not stat.S_ISDIR(target.node.kind):
        raise fault(ENOTDIR)
    session.tree.rename(directory.node, request.name, target.node, request.new_name)
    return b""


def unlink_at(session: Session, request: UnlinkAt) -> bytes:
    """Remove a name."""
    fid = session.directory(request.directory, request.name)
    session.check_writable()
    is_directory = bool(request.flags & REMOVE_DIRECTORY)
    session.tree.unlink(fid.node, request.name, is_directory=is_directory)
    return b""


def walk_attribute(session: Session, request: XattrWalk) -> bytes:
    """An attribute's value, or all their names, to be read by a new fid."""
    fid = session.fids.get(request.fid)
    session.fids.check_free(request.new_fid)
    if b"\0" in request.name:
        raise fault(EINVAL)
    tree = session.tree
    value = tree.attribute(fid.node, request.name) if request.name else tree.attributes(fid.node)
    opened = Fid(request.new_fid, tree.hold(fid.node), fid.uid)
    session.fids.add(opened)
    try:
        session.fids.set_attribute(opened, OpenAttribute(value))
    except OSError:
        session.give_back(session.fids.take(request.new_fid))
        raise
    return reply.size(len(value))


def create_attribute(session: Session, request: XattrCreate) -> bytes:
    """A fid becomes an attribute, to be written and then given back."""
    fid = session.fids.get(request.fid)
    session.check_writable()
    if fid.access is not None or fid.attribute is not None:
        raise fault(EBADF)
    check_name(request.name)
    if request.size > ATTRIBUTE_BYTES_MAX:
        raise fault(EOPNOTSUPP)
    attribute = OpenAttribute(name=request.name, size=request.size, flags=request.flags)
    session.fids.set_attribute(fid, attribute)
    return b""

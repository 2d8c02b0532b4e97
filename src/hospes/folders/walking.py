"""Requests by which a client comes to hold files, and gives them back."""

import stat
from errno import EBUSY, EINVAL, ENOENT, ENOTDIR, EOPNOTSUPP

from hospes.folders import reply
from hospes.folders.descriptors import fault
from hospes.folders.fids import Fid
from hospes.folders.nodes import Node
from hospes.folders.request import (
    NO_UID,
    Attach,
    Auth,
    Clunk,
    Flush,
    Remove,
    StatFs,
    Version,
    Walk,
)
from hospes.folders.session import MSIZE_MAX, MSIZE_MIN, Session, check_name

XATTR_REPLACE = 2
VERSION = b"9P2000.L"
UNKNOWN = b"unknown"
ROOTS = (b"", b"/")


def version(session: Session, request: Version) -> bytes:
    """Begin anew."""
    session.reset()
    if request.msize < MSIZE_MIN:
        raise fault(EINVAL)
    session.msize = min(request.msize, MSIZE_MAX)
    known = request.version == VERSION
    return reply.version(session.msize, VERSION if known else UNKNOWN)


def auth(session: Session, request: Auth) -> bytes:
    """Nobody has to say who they are."""
    raise fault(EOPNOTSUPP)


def attach(session: Session, request: Attach) -> bytes:
    """The root, for one user."""
    if request.path not in ROOTS:
        raise fault(ENOENT)
    session.fids.check_free(request.fid)
    root = session.tree.root
    qid = session.tree.qid(root)
    uid = session.uid if request.uid == NO_UID else request.uid
    session.fids.add(Fid(request.fid, session.tree.hold(root), uid))
    return reply.qid(qid)


def flush(session: Session, request: Flush) -> bytes:
    """What was asked for has been answered by now."""
    return b""


def walk(session: Session, request: Walk) -> bytes:
    """Find what is there; of names that lead nowhere, those before are told."""
    fid = session.fids.get(request.fid)
    if fid.attribute is not None or (fid.access is not None and request.new_fid == request.fid):
        raise fault(EINVAL)
    if request.new_fid != request.fid:
        session.fids.check_free(request.new_fid)
    node, qids = _walk(session, fid.node, request.names)
    if len(qids) < len(request.names):
        session.tree.release(node)
    elif request.new_fid == request.fid:
        session.tree.release(fid.node)
        fid.node = node
    else:
        session.fids.add(Fid(request.new_fid, node, fid.uid))
    return reply.qids(qids)


def _walk(
    session: Session, start: Node, names: tuple[bytes, ...]
) -> tuple[Node, list[reply.Qid]]:
    """As far as it goes; OSError if that is nowhere."""
    tree = session.tree
    node, qids = tree.hold(start), list[reply.Qid]()
    for name in names:
        try:
            if name != b"..":
                check_name(name)
            if not stat.S_ISDIR(node.kind):
                raise fault(ENOTDIR)
            found = tree.find(node, name)
        except OSError:
            if qids:
                break
            tree.release(node)
            raise
        tree.release(node)
        node = found.node
        qids.append(found.qid)
    return node, qids


def clunk(session: Session, request: Clunk) -> bytes:
    """A fid is given back; an attribute that was written to it is set."""
    fid = session.fids.take(request.fid)
    try:
        written = fid.attribute
        if written is not None and written.name:
            if len(written.value) != written.size:
                raise fault(EINVAL)
            if not written.size and written.flags & XATTR_REPLACE:
                session.tree.remove_attribute(fid.node, written.name)
            else:
                session.tree.set_attribute(
                    fid.node, written.name, written.value, written.flags
                )
    finally:
        session.give_back(fid)
    return b""


def remove(session: Session, request: Remove) -> bytes:
    """Remove what a fid is; the fid is given back in any case."""
    fid = session.fids.take(request.fid)
    try:
        session.check_writable()
        directory, name = place_of(fid.node)
        session.tree.unlink(directory, name, is_directory=stat.S_ISDIR(fid.node.kind))
    finally:
        session.give_back(fid)
    return b""


def statistics(session: Session, request: StatFs) -> bytes:
    """How large the file system is, and how full."""
    return reply.statistics(session.tree.statistics(session.fids.get(request.fid).node))


def place_of(node: Node) -> tuple[Node, bytes]:
    """Where something is; OSError of the root, and of what has no name any more."""
    if node.parent is None:
        raise fault(EBUSY)
    if node.gone:
        raise fault(ENOENT)
    return node.parent, node.name

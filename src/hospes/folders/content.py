"""Requests for the content of files and directories, and for locks on it."""

import os
import stat
from collections.abc import Callable
from errno import EINVAL, EISDIR, ENOTDIR
from typing import Final

from hospes.folders import reply
from hospes.folders.descriptors import fault
from hospes.folders.locks import BLOCKED, END, EXCLUSIVE, NONE, SHARED, SUCCESS, Lock, range_of
from hospes.folders.request import (
    Create,
    GetLock,
    Open,
    Read,
    ReadDirectory,
    SetLock,
    Sync,
    Write,
)
from hospes.folders.session import Session
from hospes.folders.tree import Owner

# Linux's numbers, for all processors the same (include/net/9p/9p.h, P9_DOTL_*).
ACCESS: Final = 0o3
EXCLUSIVELY: Final = 0o200
TRUNCATE: Final = 0o1000
DATA_SYNC: Final = 0o10000
SYNC: Final = 0o4000000
_ACCESSES: Final = (os.O_RDONLY, os.O_WRONLY, os.O_RDWR)
OFFSET_MAX: Final = (1 << 63) - 1

Transfer = Callable[[], bytes]
"""What takes its time, and is done while other requests go on."""


def _access(flags: int) -> int:
    """How a file is to be opened. Appending is the guest's business: it knows where the end is
    while it still has data of its own to write before it."""
    if flags & ACCESS >= len(_ACCESSES):
        raise fault(EINVAL)
    return _ACCESSES[flags & ACCESS]


def open_file(session: Session, request: Open) -> bytes:
    """Open a file or directory."""
    fid = session.fids.get(request.fid)
    access = _access(request.flags)
    if fid.access is not None or fid.attribute is not None:
        raise fault(EINVAL)
    truncate = bool(request.flags & TRUNCATE)
    if access != os.O_RDONLY or truncate:
        session.check_writable()
        if stat.S_ISDIR(fid.node.kind):
            raise fault(EISDIR)
    if truncate and access == os.O_RDONLY:
        raise fault(EINVAL)
    session.tree.open(fid.node, access, truncate=truncate)
    fid.access, fid.durable = access, bool(request.flags & (DATA_SYNC | SYNC))
    return reply.opened(session.tree.qid(fid.node), 0)


def create(session: Session, request: Create) -> bytes:
    """Make a file and open it."""
    fid = session.directory(request.fid, request.name)
    session.check_writable()
    if fid.access is not None:
        raise fault(EINVAL)
    access = _access(request.flags)
    found = session.tree.create(
        fid.node, request.name, access, request.mode & 0o7777, Owner(fid.uid, request.gid),
        exclusive=bool(request.flags & EXCLUSIVELY), truncate=bool(request.flags & TRUNCATE),
    )  # fmt: skip
    session.tree.release(fid.node)
    fid.node, fid.access = found.node, access
    fid.durable = bool(request.flags & (DATA_SYNC | SYNC))
    return reply.opened(found.qid, 0)


def read(session: Session, request: Read, room: int) -> Transfer:
    """Read a file, or an attribute's value."""
    limit = min(request.limit, session.msize - reply.DATA_BYTES, room - reply.DATA_BYTES)
    fid = session.fids.get(request.fid)
    if fid.attribute is not None:
        value = fid.attribute.value if not fid.attribute.name else b""
        part = value[request.offset : request.offset + max(0, limit)]
        return lambda: reply.data(part)
    fid = session.opened(request.fid, reading=True)
    if stat.S_ISDIR(fid.node.kind):
        raise fault(EISDIR)
    if limit < 0 or request.offset > OFFSET_MAX - limit:
        raise fault(EINVAL)
    node, access, tree = fid.node, fid.access or os.O_RDONLY, session.tree
    return lambda: reply.data(tree.read(node, access, request.offset, limit))


def write(session: Session, request: Write) -> Transfer:
    """Write a file, or the next bytes of an attribute."""
    session.check_writable()
    fid = session.fids.get(request.fid)
    if fid.attribute is not None:
        taken = fid.attribute.take(request.offset, request.data)
        return lambda: reply.count(taken)
    fid = session.opened(request.fid, writing=True)
    if request.offset > OFFSET_MAX - len(request.data):
        raise fault(EINVAL)
    node, access, tree, durable = fid.node, fid.access or os.O_RDONLY, session.tree, fid.durable

    def transfer() -> bytes:
        taken = tree.write(node, access, request.offset, request.data)
        if durable:
            tree.sync(node, access, data_only=True)
        return reply.count(taken)

    return transfer


def sync(session: Session, request: Sync) -> Transfer:
    """See that what was written is safe."""
    fid = session.opened(request.fid)
    node, access, tree = fid.node, fid.access or os.O_RDONLY, session.tree

    def transfer() -> bytes:
        tree.sync(node, access, data_only=bool(request.data_only))
        return b""

    return transfer


def read_directory(session: Session, request: ReadDirectory, room: int) -> bytes:
    """Lines of a directory."""
    fid = session.opened(request.fid, reading=True)
    if not stat.S_ISDIR(fid.node.kind):
        raise fault(ENOTDIR)
    limit = min(request.limit, session.msize - reply.DATA_BYTES, room - reply.DATA_BYTES)
    if limit <= 0 or request.offset > OFFSET_MAX:
        raise fault(EINVAL)
    return reply.data(session.tree.entries(fid.node, request.offset, limit))


def set_lock(session: Session, request: SetLock) -> bytes:
    """Take a lock or give it back; a client that would wait asks again."""
    fid = session.opened(request.fid)
    start, end = range_of(request.start, request.length)
    if request.kind not in {SHARED, EXCLUSIVE, NONE}:
        raise fault(EINVAL)
    owner = (request.client, request.process)
    got = session.tree.locks.lock(fid.node, Lock(start, end, request.kind, owner, fid.number))
    return bytes((SUCCESS if got else BLOCKED,))


def get_lock(session: Session, request: GetLock) -> bytes:
    """What a lock would have to wait for."""
    fid = session.opened(request.fid)
    start, end = range_of(request.start, request.length)
    if request.kind not in {SHARED, EXCLUSIVE}:
        raise fault(EINVAL)
    owner = (request.client, request.process)
    lock = Lock(start, end, request.kind, owner, fid.number)
    found = session.tree.locks.in_the_way(fid.node, lock)
    if found is None:
        return reply.lock(NONE, request.start, request.length, request.process, request.client)
    length = 0 if found.end == END else found.end - found.start
    client, process = found.owner
    return reply.lock(found.kind, found.start, length, process, client)

"""What a client holds, as a value: a machine's snapshot has it for each of its folders.

Files are told by their way from the root and by who they are. The content of one that has no name
any more goes along, up to a limit.
"""

import stat
from dataclasses import dataclass
from errno import ESTALE
from typing import Final

from hospes.folders.descriptors import fault
from hospes.folders.fids import Fid, OpenAttribute
from hospes.folders.locks import Lock
from hospes.folders.session import MSIZE_MAX, Session
from hospes.folders.tree import Found

CONTENT_BYTES_MAX: Final = 64 << 20
"""Of all files without names together."""


@dataclass(frozen=True)
class AttributeState:
    """An extended attribute that is being read or written."""

    value: bytes
    name: bytes
    size: int
    flags: int


@dataclass(frozen=True)
class LockState:
    """A lock of one of the guest's processes."""

    start: int
    end: int
    kind: int
    client: bytes
    process: int


@dataclass(frozen=True)
class FidState:
    """One fid. `content` is that of a file without a name."""

    number: int
    uid: int
    names: tuple[bytes, ...]
    device: int
    inode: int
    access: int | None = None
    durable: bool = False
    attribute: AttributeState | None = None
    content: bytes | None = None
    mode: int = 0
    locks: tuple[LockState, ...] = ()


@dataclass(frozen=True)
class FolderState:
    """A session."""

    msize: int = MSIZE_MAX
    fids: tuple[FidState, ...] = ()


def state_of(session: Session) -> FolderState:
    """The session as it is now."""
    room = CONTENT_BYTES_MAX
    fids = []
    for fid in session.fids:
        one = _fid_state(session, fid, room)
        room -= len(one.content or b"")
        fids.append(one)
    return FolderState(session.msize, tuple(fids))


def restored(session: Session, state: FolderState) -> None:
    """Make the session what another was. A fid whose file is gone is left out: its use fails."""
    session.reset()
    session.msize = state.msize
    contents: dict[tuple[int, int], Found] = {}
    for one in state.fids:
        try:
            _restore_fid(session, one, contents)
        except OSError:
            continue
    for found in contents.values():
        session.tree.release(found.node)


def _fid_state(session: Session, fid: Fid, room: int) -> FidState:
    node, content, mode = fid.node, None, 0
    names = node.names
    if node.is_lost:
        names = ()
        try:
            content = session.tree.content(node, room)
            mode = session.tree.status(node).mode
        except OSError:
            content = None
    opened, attribute = fid.attribute, None
    if opened is not None:
        attribute = AttributeState(opened.value, opened.name, opened.size, opened.flags)
    locks = tuple(
        LockState(lock.start, lock.end, lock.kind, *lock.owner)
        for lock in session.tree.locks.of(node)
        if lock.fid == fid.number
    )
    return FidState(
        fid.number, fid.uid, names, *node.identity, fid.access, fid.durable, attribute,
        content, stat.S_IMODE(mode), locks,
    )  # fmt: skip


def _restore_fid(
    session: Session, one: FidState, contents: dict[tuple[int, int], Found]
) -> None:
    tree, identity = session.tree, (one.device, one.inode)
    if one.content is not None:
        if identity not in contents:
            contents[identity] = tree.find_content(one.content, one.mode)
        node = tree.hold(contents[identity].node)
    else:
        node = tree.find_again(one.names, identity).node
    fid = Fid(one.number, node, one.uid)
    try:
        session.fids.add(fid)
    except OSError:
        tree.release(node)
        raise
    try:
        if one.access is not None:
            tree.open(node, one.access, truncate=False)
            fid.access, fid.durable = one.access, one.durable
        if one.attribute is not None:
            kept = one.attribute
            session.fids.set_attribute(
                fid, OpenAttribute(kept.value, kept.name, kept.size, kept.flags)
            )
        for lock in one.locks:
            owner = (lock.client, lock.process)
            if not tree.locks.lock(node, Lock(lock.start, lock.end, lock.kind, owner, fid.number)):
                raise fault(ESTALE)
    except OSError:
        session.give_back(session.fids.take(one.number))
        raise

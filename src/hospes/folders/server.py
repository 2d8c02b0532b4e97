"""A 9P2000.L server: a request in, its answer out."""

import threading
from collections.abc import Callable
from errno import EINVAL, EIO, EMSGSIZE, EOPNOTSUPP
from types import MappingProxyType
from typing import Any, Final

from hospes.base.record import pack, unpack
from hospes.folders import changing, content, reply, walking
from hospes.folders import request as requests
from hospes.folders.request import HEADER, MalformedError, decode, tag_of
from hospes.folders.session import Session
from hospes.folders.state import FolderState, restored, state_of
from hospes.folders.tree import Tree

_AT_ONCE: Final[MappingProxyType[type, Callable[[Session, Any], bytes]]] = MappingProxyType(
    {
        requests.Version: walking.version,
        requests.Auth: walking.auth,
        requests.Attach: walking.attach,
        requests.Flush: walking.flush,
        requests.Walk: walking.walk,
        requests.Clunk: walking.clunk,
        requests.Remove: walking.remove,
        requests.StatFs: walking.statistics,
        requests.Open: content.open_file,
        requests.Create: content.create,
        requests.SetLock: content.set_lock,
        requests.GetLock: content.get_lock,
        requests.GetAttributes: changing.get_attributes,
        requests.SetAttributes: changing.set_attributes,
        requests.ReadLink: changing.read_link,
        requests.Symlink: changing.symlink,
        requests.MakeDirectory: changing.make_directory,
        requests.MakeNode: changing.make_node,
        requests.Link: changing.link,
        requests.Rename: changing.rename,
        requests.RenameAt: changing.rename_at,
        requests.UnlinkAt: changing.unlink_at,
        requests.XattrWalk: changing.walk_attribute,
        requests.XattrCreate: changing.create_attribute,
    }
)
AT_ONCE_BYTES_MAX: Final = 64 << 10
_READ: Final = requests.NUMBERS[requests.Read]
_LENGTHY: Final = frozenset(
    requests.NUMBERS[kind] for kind in (requests.Sync, requests.ReadDirectory, requests.Version)
)
_TRANSFERS: Final[MappingProxyType[type, Callable[[Session, Any], content.Transfer]]] = (
    MappingProxyType({requests.Write: content.write, requests.Sync: content.sync})
)


class Server:
    """Serves one folder to one client; any thread may call.

    Reading, writing and syncing go on beside everything else. `uid` is whom a client acts for that
    does not say.
    """

    def __init__(self, tree: Tree, uid: int = 0) -> None:
        self._tree = tree
        self._session = Session(tree, uid)
        self._lock = threading.Lock()

    def answer(self, message: bytes, room: int) -> bytes:
        """The answer to one request, in at most `room` bytes (`reply.ERROR_BYTES` or more)."""
        try:
            tag = tag_of(message)
        except MalformedError:
            return reply.error(EINVAL, requests.NO_TAG)
        try:
            request = decode(message)
            if request is None:
                return reply.error(EOPNOTSUPP, tag)
            body = self._carry_out(request, room)
        except OSError as error:
            return reply.error(error.errno or EIO, tag)
        except (MalformedError, ValueError, OverflowError):
            # The host's calls take fewer numbers than the protocol has.
            return reply.error(EINVAL, tag)
        if HEADER.size + len(body) > room:
            return reply.error(EMSGSIZE, tag)
        return reply.whole(requests.NUMBERS[type(request)] + 1, tag, body)

    def answer_at_once(self, message: bytes, room: int) -> bytes | None:
        """The answer to a request about names or little data; None of others, or if it waits."""
        number = message[4]
        if number in _LENGTHY or self._lock.locked():
            return None
        if max(len(message), room if number == _READ else 0) > AT_ONCE_BYTES_MAX:
            return None
        return self.answer(message, room)

    def reset(self) -> None:
        """The client is gone."""
        with self._lock:
            self._session.reset()

    def save(self) -> bytes:
        """All that the client holds (a FolderState), to go on with after `load`."""
        with self._lock:
            return pack(state_of(self._session))

    def load(self, data: bytes) -> None:
        """Go on where another server was; what is not there any more fails when it is used.

        HospesError if the data are not what `save` gave.
        """
        state = unpack(data, FolderState)
        with self._lock:
            restored(self._session, state)

    def close(self) -> None:
        """Give everything back."""
        self.reset()
        self._tree.close()

    def _carry_out(self, request: Any, room: int) -> bytes:
        kind = type(request)
        with self._lock:
            at_once = _AT_ONCE.get(kind)
            if at_once is not None:
                return at_once(self._session, request)
            if kind is requests.ReadDirectory:
                return content.read_directory(self._session, request, room)
            if kind is requests.Read:
                transfer = content.read(self._session, request, room)
            else:
                transfer = _TRANSFERS[kind](self._session, request)
            node = self._tree.hold(self._session.fids.get(request.fid).node)
        try:
            return transfer()
        finally:
            with self._lock:
                self._tree.release(node)

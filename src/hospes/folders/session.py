"""What a client and the server have agreed on, and whatever the client holds."""

import os
from errno import EBADF, EINVAL, ENAMETOOLONG, EROFS
from typing import Final

from hospes.folders.descriptors import fault
from hospes.folders.fids import Fid, Fids
from hospes.folders.tree import Tree

MSIZE_MAX: Final = 1 << 20
MSIZE_MIN: Final = 4096
NAME_BYTES_MAX: Final = 255


class Session:
    """One client's; a new version of the protocol, or a reset of the device, begins it anew."""

    def __init__(self, tree: Tree, uid: int) -> None:
        self.tree, self.uid = tree, uid
        self.msize = MSIZE_MAX
        self.fids = Fids()

    def reset(self) -> None:
        """Nothing is held any more."""
        for fid in self.fids:
            self.give_back(self.fids.take(fid.number))
        self.msize = MSIZE_MAX

    def give_back(self, fid: Fid) -> None:
        """A fid that is not among the others any more is of no use to anybody."""
        if fid.access is not None:
            self.tree.locks.unlock_fid(fid.node, fid.number)
        self.tree.release(fid.node)

    def directory(self, number: int, name: bytes) -> Fid:
        """A fid in which a name is to be made or removed."""
        fid = self.fids.get(number)
        if fid.attribute is not None:
            raise fault(EBADF)
        check_name(name)
        return fid

    def opened(self, number: int, *, reading: bool = False, writing: bool = False) -> Fid:
        """A fid that is open for what is to be done."""
        fid = self.fids.get(number)
        if fid.access is None or fid.attribute is not None:
            raise fault(EBADF)
        if (reading and fid.access == os.O_WRONLY) or (writing and fid.access == os.O_RDONLY):
            raise fault(EBADF)
        return fid

    def check_writable(self) -> None:
        """OSError if nothing may be changed."""
        if self.tree.read_only:
            raise fault(EROFS)


def check_name(name: bytes) -> None:
    """OSError unless it is the name of something in a directory, and of nothing else."""
    if not name or name in {b".", b".."} or b"/" in name or b"\0" in name:
        raise fault(EINVAL)
    if len(name) > NAME_BYTES_MAX:
        raise fault(ENAMETOOLONG)

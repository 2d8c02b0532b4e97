"""Lines of a host's directory, read with the places that the host itself gives them.

Python lists whole directories. A guest asks for a part at a time, and goes on after a snapshot
where it was: getdents64(2) tells where that is.
"""

import ctypes
import os
import stat
import struct
from collections.abc import Iterator
from errno import EINVAL
from types import MappingProxyType
from typing import Final

from hospes.folders.descriptors import fault
from hospes.folders.reply import DIRECTORY, ENTRY_BYTES, FILE, SYMLINK, Entry, Qid, entry

_HEAD: Final = struct.Struct("=QqHB")
_QID_KINDS: Final = MappingProxyType({stat.S_IFDIR >> 12: DIRECTORY, stat.S_IFLNK >> 12: SYMLINK})
BUFFER_BYTES_MAX: Final = 256 << 10


class DirectoryReader:
    """The C library's getdents64, found once."""

    def __init__(self) -> None:
        library = ctypes.CDLL(None, use_errno=True)
        self._read = library.getdents64
        self._read.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t)
        self._read.restype = ctypes.c_ssize_t

    def entries(self, descriptor: int, offset: int, limit: int, hidden_parent: bool) -> bytes:
        """Encoded lines from a place on, in up to limit bytes; b"" at the end.

        With `hidden_parent`, b".." is the directory itself.
        """
        os.lseek(descriptor, offset, os.SEEK_SET)
        out: list[bytes] = []
        room = limit
        own = os.fstat(descriptor).st_ino if hidden_parent else 0
        for line in self._lines(descriptor, min(limit, BUFFER_BYTES_MAX)):
            room -= ENTRY_BYTES + len(line.name)
            if room < 0:
                if not out:
                    raise fault(EINVAL)
                break
            at_top = own and line.name == b".."
            qid = line.qid._replace(path=own) if at_top else line.qid
            out.append(entry(line._replace(qid=qid)))
        return b"".join(out)

    def _lines(self, descriptor: int, size: int) -> Iterator[Entry]:
        buffer = ctypes.create_string_buffer(size)
        filled = self._read(descriptor, buffer, size)
        if filled < 0:
            raise fault(ctypes.get_errno())
        data, at = ctypes.string_at(buffer, filled), 0
        while at < filled:
            inode, following, length, kind = _HEAD.unpack_from(data, at)
            name = data[at + _HEAD.size : at + length].split(b"\0", 1)[0]
            yield Entry(Qid(_QID_KINDS.get(kind, FILE), 0, inode), following, kind, name)
            at += length

"""The numbers by which a client knows files, and what each stands for."""

from collections.abc import Iterator
from errno import EBADF, EINVAL, EMFILE, ENOSPC
from typing import Final

from hospes.folders.descriptors import fault
from hospes.folders.nodes import Node

FIDS_MAX: Final = 1 << 17
"""Linux has one for each name it remembers."""
ATTRIBUTES_BYTES_MAX: Final = 4 << 20
"""Of all extended attributes that are being read and written."""


class OpenAttribute:
    """An extended attribute: being read if it has no name, else being written."""

    __slots__ = ("flags", "name", "size", "value")

    def __init__(
        self, value: bytes = b"", name: bytes = b"", size: int = 0, flags: int = 0
    ) -> None:
        self.value, self.name, self.size, self.flags = value, name, size or len(value), flags

    def take(self, offset: int, data: bytes) -> int:
        """The next bytes of one that is being written."""
        if not self.name:
            raise fault(EBADF)
        if offset != len(self.value) or offset + len(data) > self.size:
            raise fault(ENOSPC)
        self.value += data
        return len(data)


class Fid:
    """A file, for a user of the guest; `access` is O_RDONLY, O_WRONLY or O_RDWR once it is open.

    With `durable`, what is written is safe before that is answered.
    """

    __slots__ = ("access", "attribute", "durable", "node", "number", "uid")

    def __init__(self, number: int, node: Node, uid: int) -> None:
        self.number, self.node, self.uid = number, node, uid
        self.access: int | None = None
        self.durable = False
        self.attribute: OpenAttribute | None = None


class Fids:
    """All of a session's; OSError for what is not there, or is there already."""

    def __init__(self) -> None:
        self._all: dict[int, Fid] = {}
        self._attribute_bytes = 0

    def __iter__(self) -> Iterator[Fid]:
        return iter(list(self._all.values()))

    def __len__(self) -> int:
        return len(self._all)

    def get(self, number: int) -> Fid:
        """What a number stands for."""
        fid = self._all.get(number)
        if fid is None:
            raise fault(EBADF)
        return fid

    def check_free(self, number: int) -> None:
        """See that a number stands for nothing, and that there may be one more."""
        if number in self._all:
            raise fault(EINVAL)
        if len(self._all) >= FIDS_MAX:
            raise fault(EMFILE)

    def add(self, fid: Fid) -> None:
        """A number stands for something from here on."""
        self.check_free(fid.number)
        self._all[fid.number] = fid

    def take(self, number: int) -> Fid:
        """A number stands for nothing any more; what it stood for."""
        fid = self.get(number)
        del self._all[number]
        if fid.attribute is not None:
            self._attribute_bytes -= fid.attribute.size
        return fid

    def set_attribute(self, fid: Fid, attribute: OpenAttribute) -> None:
        """A fid, which is among these, stands for an attribute from here on."""
        if self._attribute_bytes + attribute.size > ATTRIBUTES_BYTES_MAX:
            raise fault(ENOSPC)
        self._attribute_bytes += attribute.size
        fid.attribute = attribute

"""Extended attributes of the host's files as the guest has them.

A user's attributes are the host's own. What gives rights or is kept from users (security.*,
trusted.*) is written down under names of ours, so it means nothing on the host.
"""

import os
from errno import ENODATA, EOPNOTSUPP, EPERM
from typing import Final

from hospes.folders.descriptors import fault, way
from hospes.folders.ownership import NOTHING, RECORD, Record

_OURS: Final = b"user.hospes."
_USER: Final = b"user."
_KEPT: Final = (b"security.", b"trusted.")
_NO_ATTRIBUTES: Final = frozenset((ENODATA, EOPNOTSUPP, EPERM))


def host_name(name: bytes) -> bytes:
    """What an attribute of the guest is called on the host; OSError if it cannot be had."""
    if name.startswith(_OURS):
        raise fault(EPERM)
    if name.startswith(_KEPT):
        return _OURS + name
    if name.startswith(_USER):
        return name
    raise fault(EOPNOTSUPP)


def guest_name(name: bytes) -> bytes:
    """What an attribute of the host is called in the guest; b"" if it has no place there."""
    if name.startswith(_OURS):
        kept = name[len(_OURS) :]
        return kept if kept.startswith(_KEPT) else b""
    return name if name.startswith(_USER) else b""


def names(place: int) -> bytes:
    """All that a file has for the guest, each with a zero behind it."""
    found = (guest_name(os.fsencode(name)) for name in os.listxattr(way(place)))
    return b"".join(name + b"\0" for name in found if name)


def read_record(place: int) -> Record:
    """What is written down of a file; NOTHING also where nothing can be."""
    try:
        return Record.unpacked(os.getxattr(way(place), RECORD))
    except OSError as error:
        if error.errno in _NO_ATTRIBUTES:
            return NOTHING
        raise


def write_record(place: int, record: Record) -> None:
    """Write down what differs from the host, or nothing any more."""
    if record != NOTHING:
        os.setxattr(way(place), RECORD, record.packed())
        return
    try:
        os.removexattr(way(place), RECORD)
    except OSError as error:
        if error.errno not in _NO_ATTRIBUTES:
            raise

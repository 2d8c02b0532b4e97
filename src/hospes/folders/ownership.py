"""Who owns a file in the guest, and what it may do there, where the host's file cannot say so.

Without privileges the host gives files to one user only, and with them a guest must not make
programs that act with the host's. So owners, device nodes, set-user-ID bits and modes that would
keep the server itself out are written down in an extended attribute of the host's file; the guest
sees what is written there, the host a plain file of its own user with the same permissions.
"""

import os
import stat
from typing import Final, NamedTuple, Self

RECORD: Final = b"user.hospes.guest"
PERMISSIONS: Final = 0o777
SPECIAL: Final = 0o7000
OVERFLOW: Final = 65534
"""Whom files of other users of the host belong to, in the guest of a user without privileges."""
_DEVICES: Final = (stat.S_IFCHR, stat.S_IFBLK)


class Record(NamedTuple):
    """What the guest sees instead of what the host has; -1 where there is nothing to say.

    `mode` is with the file's type. It counts as long as the host's mode is `host_mode`: one that
    was changed there since is the one that was meant.
    """

    uid: int = -1
    gid: int = -1
    mode: int = -1
    host_mode: int = -1
    device: int = -1

    def packed(self) -> bytes:
        """As it is kept: numbers, modes in octal digits."""
        modes = (f"{one:o}" if one >= 0 else "-" for one in (self.mode, self.host_mode))
        return " ".join((str(self.uid), str(self.gid), *modes, str(self.device))).encode()

    @classmethod
    def unpacked(cls, data: bytes) -> Self:
        """What was kept; of text that says nothing, nothing."""
        try:
            uid, gid, mode, host_mode, device = data.decode("ascii").split(" ")
            modes = [-1 if one == "-" else int(one, 8) for one in (mode, host_mode)]
            found = cls(int(uid), int(gid), modes[0], modes[1], int(device))
        except (UnicodeDecodeError, ValueError):
            return cls()
        return found if all(-1 <= number < 1 << 64 for number in found) else cls()

    @property
    def is_device(self) -> bool:
        """Whether a device node is what the guest sees."""
        return self.mode >= 0 and stat.S_IFMT(self.mode) in _DEVICES


NOTHING: Final = Record()


class Seen(NamedTuple):
    """A file's owner, mode and device as the guest sees them."""

    mode: int
    uid: int
    gid: int
    device: int


class Owners:
    """The users of the host as the guest sees them: ours are `uid` and `gid` there."""

    def __init__(self, uid: int, gid: int, host_uid: int, host_gids: frozenset[int]) -> None:
        self.uid, self.gid = uid, gid
        self._host_uid, self._host_gids = host_uid, host_gids

    @classmethod
    def of_this_process(cls, uid: int, gid: int) -> "Owners":
        """The user that this process runs as is `uid` in the guest."""
        return cls(uid, gid, os.geteuid(), frozenset((os.getegid(), *os.getgroups())))

    def seen(self, status: os.stat_result, record: Record) -> Seen:
        """What the guest is told of a file."""
        mode, uid, gid = status.st_mode, self._user(status.st_uid), self._group(status.st_gid)
        device = status.st_rdev
        if record is not NOTHING:
            uid = record.uid if record.uid >= 0 else uid
            gid = record.gid if record.gid >= 0 else gid
            mode = _mode(status.st_mode, record)
            device = record.device if record.is_device and record.device >= 0 else device
        return Seen(mode, uid, gid, device)

    def _user(self, uid: int) -> int:
        if uid == self._host_uid:
            return self.uid
        return OVERFLOW if self._host_uid else uid

    def _group(self, gid: int) -> int:
        if gid in self._host_gids:
            return self.gid
        return OVERFLOW if self._host_uid else gid


def _mode(host: int, record: Record) -> int:
    if record.mode < 0:
        return host
    current = host & (PERMISSIONS | SPECIAL) == record.host_mode
    if record.is_device:
        permissions = record.mode if current else host
        return stat.S_IFMT(record.mode) | permissions & (PERMISSIONS | SPECIAL)
    if not current:
        return host
    return stat.S_IFMT(host) | record.mode & (PERMISSIONS | SPECIAL)


def host_mode(mode: int, directory: bool) -> int:
    """The host's permissions for what the guest wants: the server itself is never kept out."""
    return mode & PERMISSIONS | (0o700 if directory else 0o600)


def with_mode(record: Record, mode: int, kind: int) -> Record:
    """The record after the guest has set permissions, of a file of this kind on the host."""
    mode &= PERMISSIONS | SPECIAL
    host = host_mode(mode, stat.S_ISDIR(kind))
    if record.is_device:
        return record._replace(mode=stat.S_IFMT(record.mode) | mode, host_mode=host)
    if host == mode:
        return record._replace(mode=-1, host_mode=-1)
    return record._replace(mode=stat.S_IFMT(kind) | mode, host_mode=host)

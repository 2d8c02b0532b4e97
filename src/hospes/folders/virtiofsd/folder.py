"""A shared folder that virtiofsd serves, over all of its ends and new starts."""

import os
from collections.abc import Callable, Sequence
from errno import ENOTCONN
from pathlib import Path

from hospes.base.errors import HospesError
from hospes.folders.root import open_root
from hospes.folders.virtiofsd.exchange import Exchange
from hospes.folders.virtiofsd.fuse import Opcode, head_of
from hospes.folders.virtiofsd.session import Answered, Asked, Session


class VirtiofsdFolder:
    """A FileSystemBackend (devices/backends.py); up to `slots` messages are under way at a time.

    A message has at most `message_bytes` with the room for its answer. HospesError when the folder
    or virtiofsd is not there. One that has ended is started anew when the guest mounts the folder
    again, or is reset.
    """

    def __init__(
        self,
        folder: Path,
        *,
        read_only: bool,
        slots: int,
        message_bytes: int,
        ring: Callable[[], None],
        report: Callable[[str], None],
    ) -> None:
        self._folder, self._read_only = folder, read_only
        self._sizes = slots, message_bytes
        self._ring, self._report = ring, report
        os.close(open_root(folder))
        self._used = False
        self._session: Session | None = self._start()

    def ask(self, queue: int, parts: Sequence[memoryview], room: int, answered: Answered) -> None:
        """Have a message answered, whose parts are copied; one that cannot be fails."""
        self._used = True
        message = head_of(parts)
        if message.opcode == Opcode.INIT and (self._session is None or self._session.has_ended):
            self._start_anew()
        asked = Asked(message.unique, room, answered)
        if self._session is None:
            asked.fail(ENOTCONN)
        else:
            self._session.ask(queue, parts, asked)

    def reset(self) -> None:
        """What is under way fails, and nothing of it is carried out after this."""
        if self._used:
            self._used = False
            self.close()

    def wait(self) -> None:
        """Return when all that was asked is answered."""
        if self._session is not None:
            self._session.wait()

    def close(self) -> None:
        """End it."""
        session, self._session = self._session, None
        if session is not None:
            session.close()

    def _start_anew(self) -> None:
        self.close()
        try:
            self._session = self._start()
        except HospesError as error:
            self._report(str(error))

    def _start(self) -> Session:
        return Session(
            self._folder, Exchange(*self._sizes),
            read_only=self._read_only, ring=self._ring, ended=self._ended,
        )  # fmt: skip

    def _ended(self, reason: str) -> None:
        self._report(
            f"virtiofsd, which shares {self._folder}, has ended: {reason}; unmount the folder in "
            "the guest and mount it again, or restart the guest"
        )

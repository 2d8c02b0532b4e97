"""One virtiofsd from its start to its end, and what is asked of it meanwhile."""

import os
import select
import selectors
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from errno import ENOTCONN, EROFS
from pathlib import Path
from typing import Final, NamedTuple

from hospes.base.errors import HospesError
from hospes.base.log import save_crash
from hospes.folders.virtiofsd import process
from hospes.folders.virtiofsd.exchange import RINGS, BackendError, Exchange
from hospes.folders.virtiofsd.fuse import failure, only_reads
from hospes.folders.virtiofsd.vhost_user import FrontEnd

START_SECONDS: Final = 10.0
"""How long virtiofsd may take for each step of its start."""
LAST_WORDS_SECONDS: Final = 1.0
"""How long it may take to say why it ends."""
END_SECONDS: Final = 1.0
"""How long it may take to end when it is told to."""
SAID_BYTES_MAX: Final = 4096

Answered = Callable[[bytes], None]


class Asked(NamedTuple):
    """A message under way: what its answer is known by, the room for that, and who wants it."""

    unique: int
    room: int
    answered: Answered

    def fail(self, error: int) -> None:
        """It is not carried out."""
        self.answered(failure(self.unique, error, self.room))


class Session:
    """A virtiofsd that serves a folder, with a thread that takes its answers.

    HospesError when it cannot be started. `ring` is called when something was answered, `ended`
    with the reason when it has ended by itself; after that every message fails at once.
    """

    def __init__(
        self,
        folder: Path,
        exchange: Exchange,
        *,
        read_only: bool,
        ring: Callable[[], None],
        ended: Callable[[str], None],
    ) -> None:
        self._exchange, self._read_only = exchange, read_only
        self._ring, self._ended = ring, ended
        self._changed = threading.Condition()
        self._asked: dict[int, Asked] = {}
        self._said = b""
        self.has_ended = False
        with ExitStack() as closing:
            closing.callback(exchange.close)
            self._kicks = [_eventfd(closing) for _ in range(RINGS)]
            self._calls = [_eventfd(closing) for _ in range(RINGS)]
            self._closing = _eventfd(closing)
            self._start(folder, closing)
            self._selector = closing.enter_context(selectors.DefaultSelector())
            self._resources = closing.pop_all()
        self._register()
        self._thread = threading.Thread(target=self._serve, name="hospes virtiofsd", daemon=True)
        self._thread.start()

    def ask(self, ring: int, parts: Sequence[memoryview], asked: Asked) -> None:
        """Have a message answered; nothing waits. Too short a one is the caller's fault."""
        with self._changed:
            error = ENOTCONN if self.has_ended else self._offer(ring, parts, asked)
        if error:
            asked.fail(error)
            return
        # The back end has these as well, and a full counter is as good as another one.
        with suppress(BlockingIOError):
            os.eventfd_write(self._kicks[ring], 1)

    def wait(self) -> None:
        """Return when all that was asked is answered."""
        with self._changed:
            self._changed.wait_for(lambda: not self._asked)

    def close(self) -> None:
        """End it; what is under way fails."""
        os.eventfd_write(self._closing, 1)
        self._thread.join()
        self._connection.close()
        process.end(self._process, END_SECONDS)
        self._fail_all()
        self._resources.close()

    def _offer(self, ring: int, parts: Sequence[memoryview], asked: Asked) -> int:
        """Have the back end answer a copy of a message; an error number if it may not."""
        slot, message = self._exchange.claim(parts)
        with message:
            refused = self._read_only and not only_reads(message)
        if refused:
            self._exchange.release(slot)
            return EROFS
        self._asked[slot] = asked
        self._exchange.offer(ring, slot, [len(part) for part in parts], asked.room)
        return 0

    def _start(self, folder: Path, closing: ExitStack) -> None:
        program = process.find()
        listener, self._connection = _connected()
        closing.enter_context(self._connection)
        with listener:
            self._process = process.start(program, folder, listener.fileno())
        closing.enter_context(self._process)
        closing.callback(process.end, self._process)
        assert self._process.stderr is not None
        self._errors = self._process.stderr.fileno()
        self._connection.settimeout(START_SECONDS)
        try:
            FrontEnd(self._connection).set_up(self._exchange, self._kicks, self._calls)
        except BackendError as error:
            raise HospesError(
                f"virtiofsd does not start for {folder}: {self._reason(str(error))}; see "
                "'virtiofsd --help', or share the folder without the word virtiofs"
            ) from error

    def _register(self) -> None:
        register = self._selector.register
        for number, call in enumerate(self._calls):
            register(call, selectors.EVENT_READ, lambda number=number: self._take(number))
        register(self._connection, selectors.EVENT_READ, self._hung_up)
        register(self._errors, selectors.EVENT_READ, self._listen)
        register(self._closing, selectors.EVENT_READ, lambda: False)

    def _serve(self) -> None:
        """The thread."""
        try:
            while all(key.data() for key, _ in self._selector.select()):
                pass
        except BackendError as error:
            self._end(str(error))
        except Exception as error:
            save_crash(error)
            self._end("an error of ours, which is in the log")

    def _take(self, number: int) -> bool:
        with suppress(BlockingIOError):
            os.eventfd_read(self._calls[number])
        with self._changed:
            answers = self._exchange.take(number)
            for slot, answer in answers:
                self._asked.pop(slot).answered(answer)
            self._changed.notify_all()
        if answers:
            self._ring()
        return True

    def _hung_up(self) -> bool:
        raise BackendError("hangs up")

    def _listen(self) -> bool:
        """Keep the last of what it says; what it says while all goes well is nobody's concern."""
        if not self._hear():
            self._selector.unregister(self._errors)
        return True

    def _hear(self) -> bool:
        """A piece of what it says; False if it will say no more."""
        piece = os.read(self._errors, SAID_BYTES_MAX)
        self._said = (self._said + piece)[-SAID_BYTES_MAX:]
        return bool(piece)

    def _end(self, what: str) -> None:
        """There is no going on with it."""
        reason = self._reason(what)
        process.end(self._process)
        with self._changed:
            self.has_ended = True
        self._fail_all()
        self._ended(reason)
        self._ring()

    def _fail_all(self) -> None:
        with self._changed:
            asked, self._asked = self._asked, {}
            for each in asked.values():
                each.fail(ENOTCONN)
            self._changed.notify_all()

    def _reason(self, otherwise: str) -> str:
        """Why it has ended: what it said last, or what was seen of it."""
        deadline = time.monotonic() + LAST_WORDS_SECONDS
        while (left := deadline - time.monotonic()) > 0:
            if not select.select([self._errors], [], [], left)[0] or not self._hear():
                break
        return process.reason(self._said.decode(errors="replace")) or f"it {otherwise}"


def _eventfd(closing: ExitStack) -> int:
    fd = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
    closing.callback(os.close, fd)
    return fd


def _connected() -> tuple[socket.socket, socket.socket]:
    """A listening socket that has one connection waiting, and the other end of that.

    virtiofsd wants to accept its connection; nobody else can come by this socket.
    """
    kind = socket.SOCK_STREAM | socket.SOCK_CLOEXEC
    listener = socket.socket(socket.AF_UNIX, kind)
    connection = socket.socket(socket.AF_UNIX, kind)
    try:
        with tempfile.TemporaryDirectory(prefix="hospes-") as directory:
            path = os.path.join(directory, "socket")
            listener.bind(path)
            listener.listen(1)
            connection.connect(path)
    except BaseException:
        listener.close()
        connection.close()
        raise
    return listener, connection

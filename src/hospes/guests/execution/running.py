"""A command that runs in a guest, seen from the host: its streams are moved by one thread."""

import errno
import math
import os
import select
import socket
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Final, Self

from hospes.base.errors import GuestError, HospesError
from hospes.guests.agent import SIGNALS
from hospes.guests.execution.command import Command, check_size
from hospes.guests.execution.joining import Joined, start
from hospes.guests.execution.marked import MarkedStream
from hospes.guests.ports import PORTS_DIRECTORY, GuestPorts
from hospes.guests.qga import CONNECT_SECONDS
from hospes.guests.session import KILL_SECONDS, POLL_SECONDS, CommandTimeout, Take, deadline

PIECE_BYTES: Final = 1 << 16
START_SECONDS: Final = 30.0
READABLE: Final = select.POLLIN | select.POLLHUP | select.POLLERR

Input = int | Iterator[bytes]


class Execution:
    """One command; made by `launch`, moved on by `run` or `step`, and left on closing.

    Its input is an open file of the host, or pieces of bytes that are asked for as the guest takes
    them. `signal` and `resize` may be called by any thread and by a signal's handler.
    """

    def __init__(
        self,
        command: Command,
        joined: Joined,
        source: Input | None,
        on_output: Take,
        on_error: Take,
    ) -> None:
        self.command = command
        self._joined, self._source = joined, source
        self._takes: dict[socket.socket, tuple[MarkedStream, Take]] = {
            joined.output: (MarkedStream(joined.mark), on_output),
            joined.control: (MarkedStream(joined.mark), on_error),
        }
        self._status: int | None = None
        self._start_limit = time.monotonic() + START_SECONDS
        self._sending = memoryview(b"")
        self._lines: deque[bytes] = deque()
        self._telling = bytearray()
        self._waker, self._wakened = socket.socketpair()
        self._waker.setblocking(False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *ended: object) -> None:
        self.close()

    @property
    def exit_code(self) -> int | None:
        """Once all has been said and done; 128 + N after signal N."""
        return None if self._takes else self._status

    def signal(self, name: str) -> None:
        """Send a signal, such as TERM, to the command's process group."""
        if name not in SIGNALS:
            raise HospesError(f"The signal {name!r} is not one of {', '.join(sorted(SIGNALS))}.")
        self._tell(b"signal %s\n" % name.encode())

    def resize(self, rows: int, columns: int) -> None:
        """Tell the terminal's new size."""
        check_size(rows, columns)
        self._tell(b"size %d %d\n" % (rows, columns))

    def run(self, seconds: float | None = None) -> int:
        """Move the streams until the command's end; its exit code.

        Beyond the time the command is killed and CommandTimeout raised.
        """
        limit = deadline(seconds)
        while (status := self.exit_code) is None:
            if limit is not None and time.monotonic() >= limit:
                self.kill()
                raise CommandTimeout(
                    f"The command {self.command.text!r} took longer than {seconds:g} s and was "
                    "killed; give it more time."
                )
            self.step(POLL_SECONDS if limit is None else min(POLL_SECONDS, _left(limit)))
        return status

    def kill(self) -> None:
        """Kill the command; what it has said until then is still handed over."""
        limit = time.monotonic() + KILL_SECONDS
        self.signal("KILL")
        while self.exit_code is None and time.monotonic() < limit:
            self.step(_left(limit))

    def close(self) -> None:
        """Leave; a command that still runs is hung up on."""
        self._joined.close()
        self._waker.close()
        self._wakened.close()

    def step(self, seconds: float) -> None:
        """Move what can be moved, once; waits so long for it."""
        self._next_piece()
        poll = select.poll()
        for connection in self._takes:
            poll.register(connection, select.POLLIN)
        poll.register(self._wakened, select.POLLIN)
        if self._telling and self._joined.control in self._takes:
            poll.register(self._joined.control, select.POLLIN | select.POLLOUT)
        if self._sending and self._joined.input is not None:
            poll.register(self._joined.input, select.POLLOUT)
        elif isinstance(self._source, int):
            poll.register(self._source, select.POLLIN)
        happened = dict(poll.poll(max(0.0, seconds) * 1000))
        if self._wakened.fileno() in happened:
            self._wakened.recv(PIECE_BYTES)
        self._send_lines()
        self._send_input(happened)
        for connection in list(self._takes):
            if happened.get(connection.fileno(), 0) & READABLE:
                self._take(connection)
        self._check_start()

    def _check_start(self) -> None:
        """A supervisor that was killed at once leaves ports that nobody opens, nor closes."""
        if time.monotonic() > self._start_limit:
            if not all(stream.started for stream, _ in self._takes.values()):
                raise self._not_started()
            self._start_limit = math.inf

    def _not_started(self) -> HospesError:
        return HospesError(
            f"The command {self.command.text!r} did not start; something in the guest ends "
            "what its agent starts, so see whether it is out of memory."
        )

    def _take(self, connection: socket.socket) -> None:
        """Hand over what a port has brought."""
        stream, take = self._takes[connection]
        try:
            data = connection.recv(PIECE_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        try:
            mine = stream.feed(data) if data else stream.finish()
        except GuestError as error:
            raise HospesError(f"The guest cannot be spoken to: {error}.") from None
        if mine:
            take(mine)
        if not data:
            if not stream.started:
                raise self._not_started()
            del self._takes[connection]
            if connection is self._joined.control:
                self._end(stream.status)

    def _end(self, status: int | None) -> None:
        if status is None:
            raise HospesError(
                f"The end of the command {self.command.text!r} is not known: "
                "the guest stopped or restarted meanwhile."
            )
        self._status = status
        self._finish_input()

    def _tell(self, line: bytes) -> None:
        self._lines.append(line)
        try:
            self._waker.send(b"\0")
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EBADF):
                raise

    def _send_lines(self) -> None:
        """Give the supervisor what it is to be told."""
        while self._lines:
            self._telling += self._lines.popleft()
        if self._telling and self._joined.control in self._takes:
            del self._telling[: max(0, _send(self._joined.control, self._telling))]

    def _next_piece(self) -> None:
        """Have something to send, if the input's next piece can be had at once."""
        while not self._sending and self._source is not None and not isinstance(self._source, int):
            piece = next(self._source, None)
            if piece is None:
                self._finish_input()
            else:
                self._sending = memoryview(piece)

    def _send_input(self, happened: dict[int, int]) -> None:
        if isinstance(self._source, int) and happened.get(self._source):
            piece = os.read(self._source, PIECE_BYTES)
            self._sending = memoryview(piece)
            if not piece:
                self._finish_input()
        if self._sending and self._joined.input is not None:
            sent = _send(self._joined.input, self._sending)
            self._sending = self._sending[max(0, sent) :]
            if sent < 0:
                self._finish_input()

    def _finish_input(self) -> None:
        """The guest reads the end of its input; the port stays claimed until the command's end."""
        self._source, self._sending = None, memoryview(b"")
        if self._joined.input is not None:
            try:
                self._joined.input.shutdown(socket.SHUT_WR)
            except OSError as error:
                if error.errno != errno.ENOTCONN:
                    raise


def launch(
    ports: GuestPorts,
    command: Command,
    *,
    source: Input | None = None,
    on_output: Callable[[bytes], object],
    on_error: Callable[[bytes], object],
    seconds: float = CONNECT_SECONDS,
    directory: str = PORTS_DIRECTORY,
) -> Execution:
    """Start a command in a guest; waits so long for its agent. Then `run` it."""
    joined = start(ports, command, source is not None, seconds, directory)
    return Execution(command, joined, source, on_output, on_error)


def _send(connection: socket.socket, data: bytes | bytearray | memoryview) -> int:
    """Bytes taken; -1 when nobody takes any more."""
    try:
        return connection.send(data)
    except BlockingIOError:
        return 0
    except OSError:
        return -1


def _left(limit: float) -> float:
    return max(0.0, limit - time.monotonic())

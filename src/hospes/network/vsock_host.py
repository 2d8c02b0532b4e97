"""The host as a guest's sockets see it: Unix sockets by path, and listeners of this process."""

import resource
import socket
import threading
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Final, NamedTuple, Self

from hospes.base import unix
from hospes.base.errors import HospesError
from hospes.base.log import save_crash
from hospes.network.host_poll import Poll
from hospes.network.vsock_door import VsockDoor, greet
from hospes.network.vsock_socket import Settled, VsockSocket, pair
from hospes.spec.vsock import VsockSpec, check_port

BACKLOG: Final = 128
"""Connections of the guest's that a listener has not taken yet; more are refused."""
CONNECTIONS_MIN, CONNECTIONS_MAX = 16, 1024
JOIN_SECONDS: Final = 5.0
CRASHES_KEPT: Final = 3


def affordable() -> int:
    """How many connections leave this process three quarters of its file descriptors."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return CONNECTIONS_MAX if soft == resource.RLIM_INFINITY else max(soft // 4, CONNECTIONS_MIN)


class Call(NamedTuple):
    """A SocketCall (devices/backends.py)."""

    port: int
    packets: bool
    end: VsockSocket


class Listener:
    """A port of the host's, for as long as the context lasts: `accept` takes the guest's calls."""

    def __init__(self, port: int, on_close: Callable[["Listener"], None], packets: bool) -> None:
        self.port, self.packets = port, packets
        self._on_close = on_close
        self._waiting: deque[socket.socket] = deque()
        self._changed = threading.Condition()
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *ended: object) -> None:
        self.close()

    def accept(self, timeout: float | None = None) -> socket.socket:
        """The next connection from the guest; TimeoutError if none comes within so many seconds."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._waiting or self._closed, timeout):
                raise TimeoutError(f"the guest has not called port {self.port} in {timeout:g} s")
            if not self._waiting:
                raise HospesError(f"the port {self.port} is closed; listen on it again")
            return self._waiting.popleft()

    def offer(self, theirs: socket.socket) -> None:
        """For the host: a connection."""
        with self._changed:
            self._waiting.append(theirs)
            self._changed.notify()

    @property
    def full(self) -> bool:
        """For the host: whether another connection is one too many."""
        return self._closed or len(self._waiting) >= BACKLOG

    def close(self) -> None:
        """The guest is refused from here on."""
        self._on_close(self)
        with self._changed:
            self._closed = True
            while self._waiting:
                self._waiting.popleft().close()
            self._changed.notify_all()


class VsockHost:
    """A SocketBackend (devices/backends.py), over all power cycles of a machine.

    `ring` is called by any thread when there is something for the machine's. Another one polls the
    host's sockets; the machine's thread itself reads and writes them.
    """

    def __init__(self, spec: VsockSpec, ring: Callable[[], None]) -> None:
        self.cid = spec.cid
        self._path, self._ring = spec.socket, ring
        self._changes: deque[VsockSocket] = deque()
        self._callers: deque[Call] = deque()
        self._listeners: dict[tuple[int, bool], Listener] = {}
        self._ends: set[VsockSocket] = set()
        self._limit = affordable()
        self._lock = threading.Lock()
        self._ending = False
        self._poll = Poll()
        try:
            self._door = VsockDoor(self._path, self._poll, self._led) if self._path else None
        except BaseException:
            self._poll.close()
            raise
        self._thread = threading.Thread(target=self._serve, name="hospes vsock", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> bool:
        return bool(self._changes or self._callers)

    def changed(self) -> list[VsockSocket]:
        return [self._changes.popleft() for _ in range(len(self._changes))]

    def calls(self) -> list[Call]:
        return [self._callers.popleft() for _ in range(len(self._callers))]

    def connect(self, port: int, packets: bool) -> VsockSocket | None:
        """Who listens in this process comes first, then a Unix socket of this port's."""
        if self._full:
            return None
        with self._lock:
            listener = self._listeners.get((port, packets))
            if listener is not None:
                if listener.full:
                    return None
                ours, theirs = pair(packets)
                listener.offer(theirs)
                return self._end(ours)
        if self._path is None:
            return None
        kind = socket.SOCK_SEQPACKET if packets else socket.SOCK_STREAM
        try:
            path = self._path.with_name(f"{self._path.name}_{port}")
            return self._end(unix.connect(path, 0, kind))
        except OSError:
            return None

    def call(self, port: int, packets: bool, settled: Settled) -> socket.socket:
        """Call a port of the guest's; `settled` is told, by another thread, whether it answers."""
        if self._full:
            raise HospesError(f"the machine has {self._limit} vsock connections; close some")
        ours, theirs = pair(packets)
        self._offer(Call(check_port(port), packets, self._end(ours, settled)))
        return theirs

    def listen(self, port: int, packets: bool) -> Listener:
        """Take the guest's calls of a port of the host's; HospesError if someone does already."""
        listener = Listener(check_port(port), self._forget, packets)
        with self._lock:
            if (port, packets) in self._listeners:
                raise HospesError(f"the vsock port {port} is listened on already; take another")
            self._listeners[port, packets] = listener
        return listener

    def close(self) -> None:
        """The machine has ended: nothing of this is left."""
        self._ending = True
        self._poll.wake()
        self._thread.join(JOIN_SECONDS)
        for listener in list(self._listeners.values()):
            listener.close()
        for call in self.calls():
            call.end.close()
        if self._door is not None:
            self._door.close()
        if not self._thread.is_alive():
            self._poll.close()

    def _led(self, port: int, caller: socket.socket) -> None:
        """A caller came in by the door."""
        if self._full:
            caller.close()
            return
        self._offer(Call(port, False, self._end(caller, partial(greet, caller))))

    def _offer(self, call: Call) -> None:
        self._callers.append(call)
        self._ring()

    @property
    def _full(self) -> bool:
        return len(self._ends) >= self._limit

    def _end(self, ours: socket.socket, settled: Settled | None = None) -> VsockSocket:
        end = VsockSocket(ours, self._poll, self._change, self._ends.discard, settled)
        self._ends.add(end)
        return end

    def _change(self, end: VsockSocket) -> None:
        self._changes.append(end)
        self._ring()

    def _forget(self, listener: Listener) -> None:
        with self._lock:
            if self._listeners.get((listener.port, listener.packets)) is listener:
                del self._listeners[listener.port, listener.packets]

    def _serve(self) -> None:
        crashes = 0
        while not self._ending:
            for ready, events in self._poll.wait(None):
                try:
                    ready(events)
                except Exception as error:
                    crashes += 1
                    if crashes <= CRASHES_KEPT:
                        save_crash(error)

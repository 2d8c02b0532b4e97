"""A guest's sockets for the user of a machine: connect to its ports, listen to its calls."""

import socket
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from hospes.base.errors import HospesError
from hospes.spec.vsock import VsockSpec

if TYPE_CHECKING:
    from hospes.network.vsock_host import Listener, VsockHost

CONNECT_SECONDS: Final = 10.0
PAUSE_SECONDS: Final = 0.05


class Vsock:
    """The sockets of a machine whose guest has them, from any thread but the machine's own.

    With `packets`, a socket keeps the boundaries of messages (SOCK_SEQPACKET).
    """

    def __init__(self, host: "VsockHost") -> None:
        self._host = host

    @property
    def cid(self) -> int:
        """The guest's address; the host's is 2 in every guest."""
        return self._host.cid

    def connect(
        self, port: int, *, packets: bool = False, timeout: float = CONNECT_SECONDS
    ) -> socket.socket:
        """A connection to a port of the guest's.

        HospesError if nobody has listened there after `timeout` seconds; it is tried again and
        again until then, for the guest may just be booting.
        """
        deadline = time.monotonic() + timeout
        while True:
            found = self._try(port, packets, deadline)
            if found is not None:
                return found
            if time.monotonic() + PAUSE_SECONDS >= deadline:
                raise HospesError(
                    f"nobody in the guest listens on vsock port {port} after {timeout:g} s; "
                    "start what should, or wait longer"
                )
            time.sleep(PAUSE_SECONDS)

    def listen(self, port: int, *, packets: bool = False) -> "Listener":
        """Take connections that the guest makes to a port of the host's, CID 2."""
        return self._host.listen(port, packets)

    def _try(self, port: int, packets: bool, deadline: float) -> socket.socket | None:
        answers: list[int | None] = []
        answered = threading.Event()

        def settled(number: int | None) -> None:
            answers.append(number)
            answered.set()

        theirs = self._host.call(port, packets, settled)
        answered.wait(max(0.0, deadline - time.monotonic()))
        if answers and answers[0] is not None:
            return theirs
        theirs.close()
        return None


def plug_sockets(spec: VsockSpec | None, ring: Callable[[], None]) -> "VsockHost | None":
    """The host that the sockets of a machine talk to, if its guest has any."""
    if spec is None:
        return None
    # Here, for it costs a machine without sockets a part of its start.
    from hospes.network.vsock_host import VsockHost

    return VsockHost(spec, ring)


def sockets_of(host: "VsockHost | None") -> Vsock:
    """The sockets of a machine; HospesError if its guest has none."""
    if host is None:
        raise HospesError("the machine's guest has no vsock; make it with vsock=True")
    return Vsock(host)

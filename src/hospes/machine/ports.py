"""A guest's ports as the host opens them: a stream socket each."""

import socket
import threading
import time
from collections.abc import Callable
from typing import Final

from hospes.base.errors import HospesError, PortBusy
from hospes.base.loop import Loop
from hospes.devices.virtio.ports import VirtioPorts
from hospes.machine.link import Link
from hospes.spec.ports import AGENT_PORT

READER_SECONDS: Final = 1.0
"""How long a client may take nothing before its output is given up at the end."""


class Ports:
    """Who has which port open, over all power cycles; `open` is for the machine's thread.

    `wake` rouses that thread, `loop` gives the one that serves the sockets. `on_clock` is called
    when an agent that could set the guest's clock is there and the clock may be wrong.
    """

    def __init__(
        self,
        loop: Callable[[], Loop],
        wake: Callable[[], None],
        on_clock: Callable[[], None] | None = None,
    ) -> None:
        self._loop, self._wake = loop, wake
        self._on_clock = on_clock or (lambda: None)
        self._links: dict[str, Link] = {}
        self._closing: set[Link] = set()
        self._lock = threading.Lock()

    def watch(self, device: VirtioPorts | None) -> None:
        """After power-on: the clock may be wrong when the agent comes."""
        if device is not None:
            device.on_guest_open = self._opened

    def time_stood_still(self, device: VirtioPorts | None) -> None:
        """After a pause: the clock is wrong, if there is an agent yet."""
        if device is not None and device.ports[device.names.index(AGENT_PORT)].guest_open:
            self._on_clock()

    def open(self, device: VirtioPorts | None, name: str) -> socket.socket:
        """The client's end of a new connection to a port; PortBusy if there is one already."""
        if device is None:
            raise HospesError("the machine has no ports; make it with ports=True")
        if name not in device.names:
            raise HospesError(
                f"there is no port {name!r}; "
                f"the machine has {device.names[0]} to {device.names[-1]}"
            )
        number = device.names.index(name)
        self._check_free(device, number, name)
        ours, theirs = socket.socketpair()
        link = Link(ours, self._loop(), self._wake, self._forget)
        with self._lock:
            self._links[name] = link
            self._closing.add(link)
        device.open(number, link)
        return theirs

    def close(self) -> None:
        """At the end: clients that still read get the rest, all sockets are closed."""
        with self._lock:
            links = list(self._closing)
        for link in links:
            link.finish()
        deadline = time.monotonic() + READER_SECONDS
        stuck = [link for link in links if not link.closed.wait(deadline - time.monotonic())]
        if stuck:
            self._loop().close()
        for link in stuck:
            link.abandon()

    def _opened(self, name: str) -> None:
        if name == AGENT_PORT:
            self._on_clock()

    def _check_free(self, device: VirtioPorts, number: int, name: str) -> None:
        """Only a link nobody can lose anything by may be replaced."""
        state, link = device.ports[number], self._links.get(name)
        if link is not None and not link.closed.is_set():
            if not link.hung_up or (state.guest_open and name != AGENT_PORT):
                raise PortBusy(f"the port {name} is open already; close it first, or take another")
        elif state.spent and name != AGENT_PORT:
            raise PortBusy(
                f"the port {name} is still open in the guest, from an earlier connection; "
                "take another"
            )

    def _forget(self, link: Link) -> None:
        with self._lock:
            self._closing.discard(link)

"""The host's sockets that listen on behalf of the guest."""

import errno
import socket
from dataclasses import replace
from typing import Final

from hospes.base.clock import Clock
from hospes.base.errors import HospesError
from hospes.network.host_address import family, to_packed, to_text
from hospes.network.host_poll import READ, Poll
from hospes.network.host_tcp import TcpSockets, close_with_reset
from hospes.network.nat import Nat
from hospes.network.published import Publication
from hospes.network.udp_flow import Peer

BACKLOG: Final = 128
ACCEPTS: Final = 64
"""Taken from one socket before others have their turn."""
LONGEST_BYTES: Final = 65535
REASONS: Final = {
    errno.EADDRINUSE: "another program has it; choose another port or end that program",
    errno.EACCES: "this user may not use it; choose a port from 1024 on",
    errno.EADDRNOTAVAIL: "the host does not have this address; choose one of its own",
}


def listening(asked: Publication) -> socket.socket:
    """A socket at the host's end of a publication; HospesError when that cannot be had."""
    kind = socket.SOCK_STREAM if asked.protocol == "tcp" else socket.SOCK_DGRAM
    try:
        address = to_packed(asked.address)
    except OSError as error:
        raise HospesError(f"{asked} has an address that is none; correct it") from error
    made = socket.socket(family(address), kind)
    try:
        made.setblocking(False)
        if kind == socket.SOCK_STREAM:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if len(address) == 16:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.bind((asked.address, asked.port))
        if kind == socket.SOCK_STREAM:
            made.listen(BACKLOG)
    except (OSError, OverflowError) as error:
        made.close()
        number = error.errno if isinstance(error, OSError) else None
        why = REASONS.get(number or 0, "the host refuses it; choose another address and port")
        raise HospesError(f"{asked} cannot be published: {why}") from error
    return made


class Listener:
    """The socket of one publication."""

    def __init__(self, owner: "PublishedSockets", asked: Publication) -> None:
        """HospesError when the address and port cannot be had."""
        self.owner, self.mask = owner, 0
        try:
            self.guest: Peer = (to_packed(asked.guest), asked.guest_port)
        except OSError as error:
            raise HospesError(f"{asked} has an address that is none; correct it") from error
        self.socket = listening(asked)
        self.publication = replace(asked, port=self.socket.getsockname()[1])

    def ready(self, events: int) -> None:
        """Clients have come."""
        if self.socket.fileno() >= 0:
            self.owner.ready(self)


class PublishedSockets:
    """Every method runs under the network's lock."""

    def __init__(self, poll: Poll, tcp: TcpSockets, nat: Nat, clock: Clock) -> None:
        self._poll, self._tcp, self._nat = poll, tcp, nat
        self._clock = clock
        self._listeners: dict[Publication, Listener] = {}
        self._paused = False

    @property
    def publications(self) -> list[Publication]:
        """What is published, in order."""
        return list(self._listeners)

    def add(self, asked: Publication) -> Publication:
        """Listen; a port of 0 becomes a free one. HospesError when it cannot be had."""
        listener = Listener(self, asked)
        if not self._nat.reach.is_guests(listener.guest[0]):
            listener.socket.close()
            raise HospesError(
                f"{asked} leads to {asked.guest}, which is no address of the guest's network; "
                "name the guest's own"
            )
        self._listeners[listener.publication] = listener
        self._want(listener, READ)
        return listener.publication

    def remove(self, publication: Publication) -> None:
        """Listen no more; connections made stay. HospesError when it is not published."""
        listener = self._listeners.pop(publication, None)
        if listener is None:
            raise HospesError(f"{publication} is not published; there is nothing to remove")
        self._close(listener)
        self._nat.udp.withdraw(publication)

    def ready(self, listener: Listener) -> None:
        """Take clients or datagrams."""
        take = self._accept if listener.publication.protocol == "tcp" else self._receive
        for _ in range(ACCEPTS):
            try:
                take(listener)
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                    # The client still waits: polling on would spin.
                    self._want(listener, 0)
                    self._paused = True
                    return

    def resume(self) -> None:
        """Time has passed: there may be descriptors again."""
        if self._paused:
            self._paused = False
            for listener in self._listeners.values():
                self._want(listener, READ)

    def answer(self, publication: Publication, client: Peer, data: bytes) -> None:
        """See Outside."""
        listener = self._listeners.get(publication)
        if listener is not None:
            try:
                listener.socket.sendto(data, (to_text(client[0]), client[1]))
            except OSError:
                return

    def close(self) -> None:
        """Listen nowhere any more."""
        for listener in self._listeners.values():
            self._close(listener)
        self._listeners.clear()

    def _accept(self, listener: Listener) -> None:
        ours, address = listener.socket.accept()
        ours.setblocking(False)
        ours.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        guest = listener.guest
        seen = self._nat.reach.seen_as(to_packed(address[0]), is_ipv4=len(guest[0]) == 4)
        connection = self._nat.tcp.open((seen, address[1]), guest, self._clock.monotonic_ns())
        if connection is None:
            close_with_reset(ours)
        else:
            self._tcp.adopt(ours, connection)

    def _receive(self, listener: Listener) -> None:
        data, address = listener.socket.recvfrom(LONGEST_BYTES)
        client = (to_packed(address[0]), address[1])
        self._nat.udp.offered(
            listener.publication, client, listener.guest, data, self._clock.monotonic_ns()
        )

    def _want(self, listener: Listener, mask: int) -> None:
        self._poll.want(listener.socket.fileno(), listener.mask, mask, listener.ready)
        listener.mask = mask

    def _close(self, listener: Listener) -> None:
        self._want(listener, 0)
        listener.socket.close()

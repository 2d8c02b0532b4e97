"""User-mode NAT as a back end: the network of one guest, or of several behind a switch."""

import os
import resource
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from hospes.base.clock import Clock, HostClock
from hospes.base.errors import HospesError
from hospes.base.log import save_crash
from hospes.network import resolvers
from hospes.network.cable import Cable
from hospes.network.end import JOIN_SECONDS, NetworkEnd
from hospes.network.host_address import OwnAddresses
from hospes.network.host_echo import EchoSockets
from hospes.network.host_poll import Poll
from hospes.network.host_published import PublishedSockets
from hospes.network.host_tcp import TcpSockets
from hospes.network.host_udp import UdpSockets
from hospes.network.leases import Leases
from hospes.network.limits import MILLISECOND_NS, SECOND_NS, Limits
from hospes.network.nat import Nat
from hospes.network.plan import Plan
from hospes.network.published import Publication
from hospes.network.tcp import Connection
from hospes.network.tcp_table import PATIENCE_NS
from hospes.network.udp_flow import Peer, UdpFlow

HOUSEKEEPING_NS: Final = SECOND_NS
BUSY_NS: Final = 10 * MILLISECOND_NS
"""After something from a host, the thread looks again every PATIENCE_NS for so long."""
RESOLV_CONF: Final = Path("/etc/resolv.conf")
CRASHES_KEPT: Final = 3


class Sockets:
    """The whole of Outside, by kind."""

    def __init__(
        self, poll: Poll, cable: Cable, clock: Clock, remark: Callable[[str], None]
    ) -> None:
        self.tcp, self.udp = TcpSockets(poll, cable, clock), UdpSockets(poll, clock)
        self.echoes = EchoSockets(poll, remark)
        self.published: PublishedSockets
        self._own = OwnAddresses(clock)

    def is_own(self, address: bytes) -> bool:
        return self._own.is_own(address)

    def connect(self, connection: Connection, target: bytes, port: int) -> None:
        self.tcp.connect(connection, target, port)

    def serve(self, connection: Connection) -> None:
        self.tcp.serve(connection)

    def send(self, flow: UdpFlow, target: bytes, port: int, data: bytes) -> None:
        self.udp.send(flow, target, port, data)

    def end(self, flow: UdpFlow) -> None:
        self.udp.end(flow)

    def answer(self, publication: Publication, client: Peer, data: bytes) -> None:
        self.published.answer(publication, client, data)

    def echo(self, target: bytes, number: int, data: bytes) -> None:
        self.echoes.echo(target, number, data)


class UserNetwork(NetworkEnd):
    """A network without any privileges; a NetworkBackend (devices/backends.py).

    `ring` is called by any thread, with no lock held, when frames have come or the link changed;
    `remark` gets a sentence for the user. A thread polls the host's sockets; the guest's frames
    are dealt with by whoever sends them. All state is guarded by one lock, held for short.
    """

    def __init__(
        self,
        plan: Plan | None = None,
        *,
        ring: Callable[[], None] = lambda: None,
        remark: Callable[[str], None] = lambda text: None,
        limits: Limits | None = None,
        clock: Clock | None = None,
        entropy: Callable[[int], bytes] = os.urandom,
        resolv_conf: Path = RESOLV_CONF,
        leases: Leases | None = None,
        station_of: Callable[[bytes], int] = lambda mac: 0,
    ) -> None:
        limits = affordable(limits or Limits())
        super().__init__(limits, ring)
        self.plan, self._lock = plan or Plan(), threading.Lock()
        self._clock = clock or HostClock()
        self._sockets = Sockets(self._poll, self._cable, self._clock, remark)
        self._resolv_conf, self._resolv_stamp = resolv_conf, -1
        self._resolvers = resolvers.Resolvers([])
        self._nat = Nat(
            self.plan, limits, self._cable.emit, self._sockets, self._resolvers, entropy,
            self.statistics, leases, station_of,
        )  # fmt: skip
        self._join_sockets()
        self._read_resolvers()
        self._crashes = self._kept_ns = self._sleep_until_ns = self._busy_ns = 0
        self._thread.start()

    def _join_sockets(self) -> None:
        sockets, nat = self._sockets, self._nat
        sockets.tcp.table, sockets.udp.nat, sockets.echoes.nat = nat.tcp, nat.udp, nat.icmp
        sockets.published = PublishedSockets(self._poll, sockets.tcp, nat, self._clock)

    @property
    def connections(self) -> int:
        """TCP connections that exist."""
        return len(self._nat.tcp)

    def send(self, frames: Sequence[bytes]) -> None:
        """Frames of the guest; never waits for the host."""
        with self._lock:
            if self._closing or not self._up:
                return
            try:
                now_ns = self._clock.monotonic_ns()
                for frame in frames:
                    self._nat.frame(frame, now_ns)
                self._nat.settle(now_ns)
            except Exception as error:
                self._failed(error)
            next_ns = self._nat.tcp.next_ns
            if next_ns is not None and next_ns < self._sleep_until_ns:
                self._poll.wake()
        self._cable.ring_if_due()

    def publish(self, publication: Publication) -> Publication:
        """Offer a port of the guest at a port of the host; a host port of 0 becomes a free one.

        HospesError when that address and port cannot be had, or the network is closed.
        """
        with self._lock:
            self._check_open()
            return self._sockets.published.add(publication)

    def withdraw(self, publication: Publication) -> None:
        """Offer it no more; connections made stay. HospesError when it is not published."""
        with self._lock:
            self._check_open()
            self._sockets.published.remove(publication)

    @property
    def publications(self) -> list[Publication]:
        """What is published, in order."""
        with self._lock:
            return self._sockets.published.publications

    def join(self, mac: bytes, name: str) -> bytes | None:
        """A card of a shared network is plugged in: its packed address, None when none is left."""
        with self._lock:
            return self._nat.join(mac, name)

    def leave(self, mac: bytes) -> None:
        """It is plugged in no more: its connections end."""
        with self._lock:
            self._nat.leave(mac)

    def set_link(self, up: bool) -> None:
        """Plug the cable in or pull it out; what is on its way is lost."""
        with self._lock:
            self._up = up
            self._cable.clear()
        self._ring()

    def reset(self) -> None:
        """The guest starts anew: hosts see its connections end; published ports stay."""
        with self._lock:
            self._nat.reset()
            self._cable.clear()

    def close(self) -> None:
        """End everything; hosts see connections reset. May be called again."""
        with self._lock:
            if self._closing:
                return
            self._closing = True
            self._nat.reset()
            self._sockets.echoes.close()
            self._sockets.published.close()
            self._poll.wake()
        if threading.current_thread() is not self._thread:
            self._thread.join(JOIN_SECONDS)
        self._cable.clear()

    def _holds_back(self) -> bool:
        return bool(self._sockets.tcp.paused)

    def _check_open(self) -> None:
        if self._closing:
            raise HospesError("the guest's network is closed; start the machine again")

    def _serve(self) -> None:
        """The thread: sockets that are ready, and deadlines."""
        while not self._closing:
            found = self._poll.wait(self._seconds())
            now_ns = self._clock.monotonic_ns()
            for ready, events in found:
                with self._lock:
                    if self._closing:
                        break
                    self._busy_ns = now_ns
                    try:
                        ready(events)
                    except Exception as error:
                        self._failed(error)
                self._cable.ring_if_due()
            self._tick()
        self._poll.close()

    def _seconds(self) -> float:
        """How long to wait for sockets."""
        with self._lock:
            now_ns = self._clock.monotonic_ns()
            until_ns = self._kept_ns + HOUSEKEEPING_NS
            if now_ns - self._busy_ns < BUSY_NS:
                until_ns = min(until_ns, now_ns + PATIENCE_NS)
            next_ns = self._nat.tcp.next_ns
            if next_ns is not None:
                until_ns = min(until_ns, next_ns)
            self._sleep_until_ns = self._nat.tcp.wakes_ns = until_ns
            return max(until_ns - now_ns, 0) / SECOND_NS

    def _tick(self) -> None:
        """What is due by now."""
        now_ns = self._clock.monotonic_ns()
        with self._lock:
            if self._closing:
                return
            if self._sockets.tcp.paused and self._cable.drained:
                self._sockets.tcp.resume()
            try:
                if now_ns - self._kept_ns >= HOUSEKEEPING_NS:
                    self._kept_ns = now_ns
                    self._read_resolvers()
                    self._sockets.published.resume()
                self._nat.tick(now_ns, guest_waits=self._cable.waiting)
            except Exception as error:
                self._failed(error)
        self._cable.ring_if_due()

    def _read_resolvers(self) -> None:
        """The host may have moved to another network."""
        if self.plan.isolated:
            return
        try:
            stamp = self._resolv_conf.stat().st_mtime_ns
            if stamp != self._resolv_stamp:
                self._resolv_stamp = stamp
                text = self._resolv_conf.read_text(errors="replace")
                self._resolvers.use(resolvers.parse(text))
        except OSError:
            self._resolvers.use([])

    def _failed(self, error: Exception) -> None:
        """A fault of ours costs a frame, not the machine."""
        self._crashes += 1
        if self._crashes <= CRASHES_KEPT:
            save_crash(error)


def affordable(limits: Limits) -> Limits:
    """The limits, so that the guest leaves this process half of its file descriptors."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return limits
    return replace(
        limits,
        connections=min(limits.connections, max(soft * 3 // 8, 16)),
        flows=min(limits.flows, max(soft // 8, 16)),
    )

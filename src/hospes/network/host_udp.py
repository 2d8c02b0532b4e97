"""The host's sockets of UDP flows, and what the host's kernel says of datagrams that got lost."""

import socket
import sys
from typing import Final

from hospes.base.clock import Clock
from hospes.network.host_address import WHY, to_packed, to_text
from hospes.network.host_poll import READ, Poll
from hospes.network.icmp import Unreachable
from hospes.network.udp_flow import Peer, UdpFlow
from hospes.network.udp_nat import UdpNat

DATAGRAMS: Final = 32
"""Read from one socket before others have their turn."""
LONGEST_BYTES: Final = 65535
IP_RECVERR: Final = 11
IPV6_RECVERR: Final = 25


class FlowSocket:
    """One flow's socket."""

    def __init__(self, owner: "UdpSockets", flow: UdpFlow) -> None:
        kind = socket.AF_INET if flow.is_ipv4 else socket.AF_INET6
        self.socket = socket.socket(kind, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self.owner, self.flow = owner, flow
        if sys.platform == "linux":
            if flow.is_ipv4:
                self.socket.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
            else:
                self.socket.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVERR, 1)

    def ready(self, events: int) -> None:
        """Datagrams or errors have come, unless the flow is over."""
        if self.flow.host is self:
            self.owner.read(self)


class UdpSockets:
    """The part of Outside that is about flows; every method runs under the network's lock."""

    def __init__(self, poll: Poll, clock: Clock) -> None:
        self._poll, self._clock = poll, clock
        self.nat: UdpNat

    def send(self, flow: UdpFlow, target: bytes, port: int, data: bytes) -> None:
        """See Outside; the socket is made by the first datagram."""
        held = flow.host
        if not isinstance(held, FlowSocket):
            try:
                held = flow.host = FlowSocket(self, flow)
            except OSError:
                return
            self._poll.want(held.socket.fileno(), 0, READ, held.ready)
        for _ in range(2):
            try:
                held.socket.sendto(data, (to_text(target), port))
            except BlockingIOError:
                return
            except OSError as error:
                # It may be about an earlier datagram, of which the queue of errors tells.
                if not self._errors(held):
                    self._lost(flow, (target, port), error.errno or 0)
                    return
            else:
                return

    def end(self, flow: UdpFlow) -> None:
        """See Outside."""
        held, flow.host = flow.host, None
        if isinstance(held, FlowSocket):
            self._poll.want(held.socket.fileno(), READ, 0, held.ready)
            held.socket.close()

    def read(self, held: FlowSocket) -> None:
        """Everything that has come, within bounds."""
        now_ns = self._clock.monotonic_ns()
        for _ in range(DATAGRAMS):
            try:
                data, address = held.socket.recvfrom(LONGEST_BYTES)
            except BlockingIOError:
                self._errors(held)
                return
            except OSError:
                continue
            self.nat.answered(held.flow, (to_packed(address[0]), address[1]), data, now_ns)

    def _errors(self, held: FlowSocket) -> bool:
        """Read the queue of errors (ip(7), IP_RECVERR); False when it is empty."""
        found = False
        if sys.platform != "linux":
            return found
        for _ in range(DATAGRAMS):
            try:
                _, ancillary, _, address = held.socket.recvmsg(0, 512, socket.MSG_ERRQUEUE)
            except OSError:
                return found
            found = True
            if ancillary and address:
                number = int.from_bytes(ancillary[0][2][:4], sys.byteorder)
                self._lost(held.flow, (to_packed(address[0]), address[1]), number)
        return found

    def _lost(self, flow: UdpFlow, peer: Peer, number: int) -> None:
        self.nat.unreachable(flow, peer, WHY.get(number, Unreachable.PORT))

"""The host's sockets for echo requests, which Linux gives to unprivileged users (icmp(7))."""

import errno
import socket
import struct
from collections.abc import Callable
from typing import Final

from hospes.network import icmp
from hospes.network.host_address import family, to_packed, to_text
from hospes.network.host_poll import READ, Poll
from hospes.network.icmp import ECHO4, ECHO6, ECHO_REPLY4, ECHO_REPLY6, Echo
from hospes.network.icmp_nat import IcmpNat

REPLIES: Final = 32
LONGEST_BYTES: Final = 65535
REMARK: Final = (
    "the guest pings the world, which this user may not; allow it with "
    "sysctl net.ipv4.ping_group_range='0 2147483647'"
)
_HEADER: Final = struct.Struct(">BBHHH")


class EchoSockets:
    """The part of Outside that is about echo; every method runs under the network's lock."""

    def __init__(self, poll: Poll, remark: Callable[[str], None]) -> None:
        self._poll, self._remark = poll, remark
        self._sockets: dict[int, socket.socket] = {}
        self._remarked = False
        self.nat: IcmpNat

    def echo(self, target: bytes, number: int, data: bytes) -> None:
        """See Outside; a host that refuses is remarked on once, and the request is lost."""
        ours = self._socket(target)
        if ours is None:
            return
        kind = ECHO4 if len(target) == 4 else ECHO6
        # The kernel gives the identifier and the checksum.
        request = icmp.build_echo(kind, Echo(0, number, data))
        try:
            ours.sendto(request, (to_text(target), 0))
        except OSError:
            return

    def close(self) -> None:
        """Close the sockets."""
        for ours in self._sockets.values():
            self._poll.want(ours.fileno(), READ, 0, self._ready)
            ours.close()
        self._sockets.clear()

    def _socket(self, target: bytes) -> socket.socket | None:
        held = self._sockets.get(len(target))
        if held is not None:
            return held
        protocol = socket.IPPROTO_ICMP if len(target) == 4 else socket.IPPROTO_ICMPV6
        try:
            ours = socket.socket(family(target), socket.SOCK_DGRAM, protocol)
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EPERM) and not self._remarked:
                self._remarked = True
                self._remark(REMARK)
            return None
        ours.setblocking(False)
        self._poll.want(ours.fileno(), 0, READ, self._ready)
        self._sockets[len(target)] = ours
        return ours

    def _ready(self, events: int) -> None:
        for ours in self._sockets.values():
            self._read(ours)

    def _read(self, ours: socket.socket) -> None:
        for _ in range(REPLIES):
            try:
                message, address = ours.recvfrom(LONGEST_BYTES)
            except OSError:
                return
            if len(message) >= icmp.HEADER_BYTES and message[0] in (ECHO_REPLY4, ECHO_REPLY6):
                echo = icmp.parse_echo(message)
                self.nat.echoed(to_packed(address[0]), echo.sequence, echo.data)

"""A DHCP server (RFC 2131, RFC 2132) for the guests of one network."""

import struct
from collections.abc import Mapping
from typing import Final, NamedTuple

from hospes.base.errors import GuestError
from hospes.network.leases import Lease, Leases
from hospes.network.plan import Plan
from hospes.spec.names import is_label

SERVER_PORT, CLIENT_PORT = 67, 68
REQUEST_OP, REPLY_OP = 1, 2
DISCOVER, OFFER, REQUEST, DECLINE, ACK, NAK, RELEASE, INFORM = range(1, 9)
COOKIE: Final = bytes((99, 130, 83, 99))
LEASE_SECONDS: Final = 86400
BROADCAST_FLAG: Final = 0x8000
BROADCAST: Final = b"\xff" * 4
NOBODY: Final = bytes(4)
MESSAGE_MIN_BYTES: Final = 300
"""What BOOTP clients insist on (RFC 1542, section 2.1)."""
HEADER: Final = struct.Struct(">BBBBIHH4s4s4s4s16s192x4s")
"""It ends with the cookie."""
(
    _MASK, _ROUTER, DNS_SERVERS, _NAME, _DOMAIN, _MTU, _BROADCAST, _WANTED, _LEASE, _TYPE, _SERVER,
    _RENEW, _REBIND,
) = (1, 3, 6, 12, 15, 26, 28, 50, 51, 53, 54, 58, 59)  # fmt: skip


class Message(NamedTuple):
    """What a client says."""

    kind: int
    transaction: int
    flags: int
    client: bytes
    mac: bytes
    relay: bytes
    options: Mapping[int, bytes]


class Reply(NamedTuple):
    """What to send, from port 67 to port 68, to an IPv4 and a MAC address."""

    address: bytes
    mac: bytes
    data: bytes


def parse(data: bytes) -> Message:
    """GuestError when it is no DHCP message from an Ethernet client."""
    if len(data) < HEADER.size:
        raise GuestError(f"a DHCP message of {len(data)} bytes")
    op, kind, size, _, transaction, _, flags, client, _, _, relay, mac, cookie = (
        HEADER.unpack_from(data)
    )
    if (op, kind, size, cookie) != (REQUEST_OP, 1, 6, COOKIE):
        raise GuestError("a message to the DHCP server is not from an Ethernet client")
    options = parse_options(data[HEADER.size :])
    said = options.get(_TYPE, b"")
    if len(said) != 1:
        raise GuestError("a DHCP message has no type")
    return Message(said[0], transaction, flags, client, mac[:6], relay, options)


def parse_options(data: bytes) -> dict[int, bytes]:
    """What follows the header (RFC 2132, section 2); GuestError when an option is cut off."""
    options: dict[int, bytes] = {}
    at = 0
    while at < len(data) and data[at] != 255:
        if data[at] == 0:
            at += 1
            continue
        if at + 2 > len(data) or at + 2 + data[at + 1] > len(data):
            raise GuestError("a DHCP option is cut off")
        size = data[at + 1]
        options[data[at]] = options.get(data[at], b"") + data[at + 2 : at + 2 + size]
        at += 2 + size
    return options


class DhcpServer:
    """Gives cards the addresses of their leases; without `leases`, any card the next free one.

    In a network with a domain, a guest may say what it is called, unless that is known already.
    """

    def __init__(self, plan: Plan, leases: Leases | None = None) -> None:
        self._plan, self._leases = plan, leases or Leases(plan)

    def answer(self, data: bytes) -> Reply | None:
        """What to answer a client; GuestError when the message is malformed."""
        message = parse(data)
        if message.kind == RELEASE:
            self._leases.release(message.mac)
            return None
        if message.kind == INFORM:
            return self._reply(message, ACK, None)
        if message.kind == DISCOVER:
            lease = self._leases.give(message.mac)
            return None if lease is None else self._reply(message, OFFER, lease)
        if message.kind == REQUEST:
            return self._requested(message)
        return None

    def _requested(self, message: Message) -> Reply | None:
        server = message.options.get(_SERVER)
        if server is not None and server != self._plan.server4:
            return None
        wanted = message.options.get(_WANTED, message.client)
        lease = self._leases.give(message.mac)
        if lease is None or wanted != lease.address:
            return self._reply(message, NAK, None)
        called = message.options.get(_NAME, b"").decode("ascii", "replace").lower()
        if self._plan.domain and is_label(called):
            self._leases.call(message.mac, called)
        return self._reply(message, ACK, lease)

    def _reply(self, message: Message, kind: int, lease: Lease | None) -> Reply:
        address = NOBODY if lease is None else lease.address
        data = HEADER.pack(
            REPLY_OP, 1, 6, 0, message.transaction, 0, message.flags,
            message.client if kind == ACK else NOBODY, address, self._plan.server4, message.relay,
            message.mac, COOKIE,
        )  # fmt: skip
        data += _option(_TYPE, bytes((kind,))) + _option(_SERVER, self._plan.server4)
        if kind != NAK:
            data += self._settings(message.mac, lease)
        data = (data + b"\xff").ljust(MESSAGE_MIN_BYTES, b"\0")
        if kind != NAK and message.client != NOBODY:
            return Reply(message.client, message.mac, data)
        if kind == NAK or message.flags & BROADCAST_FLAG:
            return Reply(BROADCAST, b"\xff" * 6, data)
        return Reply(address, message.mac, data)

    def _settings(self, mac: bytes, lease: Lease | None) -> bytes:
        plan, network = self._plan, self._plan.network4
        if network is None:
            return b""
        known = self._leases.find(mac)
        name = known.name if known is not None and plan.domain else plan.guest_name
        options = (
            (_MASK, network.netmask.packed),
            (_BROADCAST, network.broadcast_address.packed),
            (_ROUTER, b"" if plan.isolated else plan.gateway4),
            (DNS_SERVERS, plan.dns4),
            (_NAME, name.encode("ascii", "replace")[:63]),
            (_DOMAIN, plan.domain.encode("ascii")),
            (_MTU, plan.mtu.to_bytes(2, "big")),
        )
        parts = [_option(code, value) for code, value in options if value]
        if lease is not None:
            for code, part in ((_LEASE, 8), (_RENEW, 4), (_REBIND, 7)):
                parts.append(_option(code, (LEASE_SECONDS * part // 8).to_bytes(4, "big")))
        return b"".join(parts)


def _option(code: int, value: bytes) -> bytes:
    return bytes((code, len(value))) + value

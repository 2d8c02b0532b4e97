"""What a user asks for when asking for a network: its kind, an address, ports of the host."""

import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final, NamedTuple

from hospes.base.errors import HospesError
from hospes.spec.names import check_name

HOST_ADDRESS: Final = "127.0.0.1"
"""Where a port is published if nothing is said: for the host itself only."""
PORT_MAX: Final = 65535
MAC_SEED_BYTES: Final = 16
"""How much chance makes an address one's own."""
_PUBLICATION: Final = re.compile(
    r"(?:(?P<address>\[[^]]*\]|[^:/]*):)?(?P<host>[0-9]+):(?P<guest>[0-9]+)(?:/(?P<protocol>\w+))?",
    re.ASCII,
)
_MAC: Final = re.compile(r"[0-9a-f]{2}(?::[0-9a-f]{2}){5}", re.IGNORECASE)
_DEVICE: Final = re.compile(r"[!-.0-~]{1,15}")
"""A network device's name on Linux: no slash, no space."""
_LOCAL, _GROUP = 2, 1
"""Bits of an address' first byte (IEEE 802, section 8)."""


class NetworkKind(StrEnum):
    """What a machine's network card is joined to."""

    NONE = "none"
    NAT = "nat"
    SWITCH = "switch"
    BRIDGE = "bridge"
    TAP = "tap"
    PASST = "passt"


NAMED: Final = {NetworkKind.SWITCH: "lab", NetworkKind.BRIDGE: "br0", NetworkKind.TAP: "tap0"}
"""Kinds of which there are several, with an example of a name."""


class TransportKind(StrEnum):
    """What is carried to a published port."""

    TCP = "tcp"
    UDP = "udp"


class Publication(NamedTuple):
    """A port of the guest that is reached by one of the host; the address is the host's."""

    host_address: str
    host_port: int
    guest_port: int
    protocol: TransportKind = TransportKind.TCP


@dataclass(frozen=True)
class NetworkSpec:
    """A machine's network; of kind none, it has no card. HospesError if that cannot be.

    `name` is that of the network behind a switch, of a bridge or of a TAP device; `station` is what
    the machine is called in a network that it shares ("": as its guest says). Without `mac`, six
    pairs of hexadecimal digits, the card has an address of its own each time. With `allow_host`,
    the guest reaches what listens on the host's own addresses. Every frame is written to the file
    `capture`, as pcap. With `firewall`, texts such as `deny:in`, what the card sends and receives
    is filtered, whatever the network (spec/firewall_rules.py).
    """

    kind: NetworkKind = NetworkKind.NONE
    mac: str | None = None
    publish: tuple[Publication, ...] = ()
    allow_host: bool = False
    capture: Path | None = None
    name: str = ""
    station: str = ""
    firewall: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        _check_name(parse_network(self.kind), self.name)
        if self.mac is not None:
            mac_bytes(self.mac)
        if self.kind == NetworkKind.NONE and (useless := self._useless()):
            raise HospesError(f"{useless} without a network; add --network nat")
        self._check_wishes()
        if self.firewall is not None:
            # Here, for most machines have no firewall.
            from hospes.spec.firewall_rules import parse_firewall

            parse_firewall(self.firewall)
        places: set[tuple[object, ...]] = set()
        for published in self.publish:
            check_publication(published)
            # passt knows a port of the host by its number alone.
            address = "" if self.kind == NetworkKind.PASST else published.host_address
            place = (address, published.host_port, published.protocol)
            if place in places:
                raise HospesError(
                    f"port {published.host_port} of {published.host_address} is published twice; "
                    "choose another port of the host"
                )
            places.add(place)

    @property
    def text(self) -> str:
        """The network as a user names it."""
        return f"{self.kind}:{self.name}" if self.name else str(self.kind)

    def _check_wishes(self) -> None:
        """HospesError if something was asked for that this kind of network does not do."""
        if self.kind in (NetworkKind.BRIDGE, NetworkKind.TAP) and self.publish:
            raise HospesError(
                f"port {self.publish[0].host_port} cannot be published on {self.text}, where the "
                "guest has an address of its own; leave out --publish"
            )
        if self.allow_host and self.kind in NAMED:
            raise HospesError(
                f"whether machines on {self.text} reach the host is not for one of them to say; "
                "leave out --allow-host, which 'hospes network create' takes"
            )

    def _useless(self) -> str:
        """What was asked for that needs a network."""
        if self.publish:
            return f"port {self.publish[0].host_port} cannot be published"
        if self.capture is not None:
            return f"nothing can be captured in {self.capture}"
        if self.firewall is not None:
            return "a firewall has nothing to do"
        return "the host is not reached" if self.allow_host else ""


def parse_network(text: str) -> NetworkKind:
    """The kind a word names."""
    try:
        return NetworkKind(text.lower())
    except ValueError as error:
        *names, last = (f"{kind}:NAME" if kind in NAMED else str(kind) for kind in NetworkKind)
        raise HospesError(
            f"{text!r} is not a kind of network; choose {', '.join(names)} or {last}"
        ) from error


def parse_attachment(text: str) -> tuple[NetworkKind, str]:
    """The kind of network and the name in texts such as `nat`, `switch:lab` or `bridge:br0`."""
    kind, colon, name = text.partition(":")
    if colon and not name:
        raise HospesError(f"{text!r} has no name behind the colon; write it like {kind}:lab")
    return parse_network(kind), name


def check_lan_name(name: str) -> str:
    """The name, if a network may be called so; else HospesError."""
    return check_name(name, "a network")


def parse_publication(text: str) -> Publication:
    """From texts such as `8080:80`, `0.0.0.0:53:53/udp` or `[::1]:2222:22`."""
    match = _PUBLICATION.fullmatch(text)
    if match is None:
        raise HospesError(
            f"{text!r} does not say what to publish; write it like 8080:80, 0.0.0.0:8080:80 or "
            "5353:53/udp"
        )
    address = HOST_ADDRESS if match["address"] is None else match["address"].strip("[]")
    try:
        protocol = TransportKind((match["protocol"] or TransportKind.TCP).lower())
    except ValueError as error:
        raise HospesError(
            f"{match['protocol']!r} in {text!r} is not published; choose tcp or udp"
        ) from error
    published = Publication(address, _port(match["host"]), _port(match["guest"]), protocol)
    check_publication(published)
    return published


def check_publication(published: Publication) -> None:
    """HospesError unless address and ports can be."""
    # Here, for most machines publish nothing.
    from ipaddress import ip_address

    try:
        ip_address(published.host_address)
    except ValueError as error:
        raise HospesError(
            f"{published.host_address!r} is not an address of the host; "
            f"write it like {HOST_ADDRESS} or [::1]"
        ) from error
    for port in (published.host_port, published.guest_port):
        if not 1 <= port <= PORT_MAX:
            raise HospesError(f"there is no port {port}; choose one from 1 to {PORT_MAX}")


def mac_bytes(text: str) -> bytes:
    """The six bytes of a card's address, such as 02:00:00:12:34:56."""
    if _MAC.fullmatch(text) is None:
        raise HospesError(f"{text!r} is not a card's address; write it like 02:00:00:12:34:56")
    address = bytes.fromhex(text.replace(":", ""))
    if address[0] & _GROUP or not any(address):
        raise HospesError(
            f"{text} is not the address of a single card; take one that begins with 02"
        )
    return address


def mac_from(seed: bytes) -> str:
    """A locally administered address for a card: from the same seed the same one."""
    # Here, for machines without a network have no need of it.
    from hashlib import sha256

    digest = sha256(b"network card " + seed).digest()[:6]
    return bytes((digest[0] & ~_GROUP | _LOCAL, *digest[1:])).hex(":")


def _check_name(kind: NetworkKind, name: str) -> None:
    """HospesError unless a network of this kind may be called so."""
    example = NAMED.get(kind)
    if example is None:
        if name:
            raise HospesError(f"a network of kind {kind} has no name; leave out {name!r}")
        return
    if not name:
        raise HospesError(f"which {kind} is not said; write it like {kind}:{example}")
    if kind == NetworkKind.SWITCH:
        check_lan_name(name)
    elif not _DEVICE.fullmatch(name) or name in (".", ".."):
        raise HospesError(
            f"a {kind} cannot be called {name!r}; use up to 15 characters without spaces and /"
        )


def _port(digits: str) -> int:
    """A port, or a number that is none, however many digits there are."""
    return int(digits) if len(digits) <= len(str(PORT_MAX)) else PORT_MAX + 1


NO_NETWORK: Final = NetworkSpec()

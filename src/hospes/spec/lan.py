"""What a user asks for when making a network that machines share; each refusal one sentence."""

from typing import TYPE_CHECKING, Final

import msgspec

from hospes.base.errors import HospesError
from hospes.spec.names import is_label
from hospes.spec.net import mac_bytes

if TYPE_CHECKING:
    from ipaddress import IPv4Network

LAN_VERSION: Final = 2
PREFIX_MIN, PREFIX_MAX = 8, 30
BRIDGE_PREFIX_MAX: Final = 29
"""A bridge has its name server at an address of its own."""
BRIDGE_PREFIX: Final = "hp-"
_BRIDGE_NAME_MAX: Final = 15
_USELESS: Final = {
    "0.0.0.0/8": "nobody's",
    "127.0.0.0/8": "the loopback's",
    "169.254.0.0/16": "for links without others",
    "224.0.0.0/4": "for multicast",
    "240.0.0.0/4": "reserved",
}
"""Ranges that stations do not have (RFC 6890)."""


class LanSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A network: its addresses, and what its machines may reach; HospesError if that cannot be.

    `leases` has addresses by a machine's name or a card's address. `isolated`, its machines reach
    each other only; with `allow_host`, the host itself as the gateway; with `strict`, a card sends
    from its own address only. Without `dns`, there is no name server. `bridge` is what the bridge
    of the host is called that the network is, "" for one that needs none.
    """

    version: int = LAN_VERSION
    subnet: str
    ipv6: str
    dns: bool = True
    isolated: bool = False
    allow_host: bool = False
    strict: bool = False
    leases: dict[str, str] = {}
    bridge: str = ""

    def __post_init__(self) -> None:
        network = parse_subnet(self.subnet)
        if self.isolated and self.allow_host:
            raise HospesError(
                "an isolated network does not reach the host; leave out --isolated or --allow-host"
            )
        ours = {str(network[1]): "gateway"}
        if self.bridge:
            if network.prefixlen > BRIDGE_PREFIX_MAX:
                raise HospesError(
                    f"the subnet {self.subnet} is too small for a bridge; choose one from "
                    f"/{PREFIX_MIN} to /{BRIDGE_PREFIX_MAX}"
                )
            ours[str(network[2])] = "name server"
        taken: dict[str, str] = {}
        for who, address in self.leases.items():
            _check_lease(who, address, network)
            if address in ours:
                raise HospesError(
                    f"the address {address} for {who} is the {ours[address]}'s; choose another"
                )
            if address in taken:
                raise HospesError(
                    f"the address {address} is for {taken[address]} and for {who}; give one of "
                    "them another"
                )
            taken[address] = who


def bridge_called(name: str) -> str:
    """What the bridge of the network of this name is called; a device's name has 15 characters."""
    if len(name) <= _BRIDGE_NAME_MAX - len(BRIDGE_PREFIX):
        return BRIDGE_PREFIX + name
    # Here, for most names are short.
    from hashlib import sha256

    mark = "-" + sha256(name.encode()).hexdigest()[:4]
    return BRIDGE_PREFIX + name[: _BRIDGE_NAME_MAX - len(BRIDGE_PREFIX) - len(mark)] + mark


def parse_subnet(text: str) -> "IPv4Network":
    """The network in a text such as 10.7.0.0/24."""
    from ipaddress import IPv4Address, IPv4Network

    address, slash, _ = text.partition("/")
    try:
        if not slash:
            raise ValueError
        network = IPv4Network(text, strict=False)
    except ValueError as error:
        raise HospesError(
            f"{text!r} is not a subnet; write an address and a length, like 10.7.0.0/24"
        ) from error
    if IPv4Address(address) != network.network_address:
        raise HospesError(f"the subnet {text} begins at {network.network_address}; write {network}")
    if not PREFIX_MIN <= network.prefixlen <= PREFIX_MAX:
        size = "large" if network.prefixlen < PREFIX_MIN else "small"
        raise HospesError(
            f"the subnet {text} is too {size}; choose one from /{PREFIX_MIN} to /{PREFIX_MAX}"
        )
    for useless, whose in _USELESS.items():
        if network.overlaps(IPv4Network(useless)):
            raise HospesError(
                f"the subnet {text} cannot be used, its addresses are {whose}; choose one like "
                "10.7.0.0/24"
            )
    return network


def parse_lease(text: str) -> tuple[str, str]:
    """Who, and which address, from texts such as `web=10.7.0.10` or `02:00:00:00:00:01=10.7.0.11`.
    """
    who, equals, address = text.partition("=")
    if not equals or not who or not address:
        raise HospesError(f"{text!r} is not a lease; write it like web=10.7.0.10")
    return who.lower(), address


def _check_lease(who: str, address: str, network: "IPv4Network") -> None:
    from ipaddress import IPv4Address

    if ":" in who:
        mac_bytes(who)
    elif not is_label(who):
        raise HospesError(f"a machine cannot be called {who!r}; name one, or its card's address")
    try:
        packed = IPv4Address(address)
    except ValueError as error:
        raise HospesError(
            f"{address!r} is not an address for {who}; write it like {network[2]}"
        ) from error
    if packed not in network or packed in (network[0], network[-1]):
        raise HospesError(f"the address {address} for {who} is not in {network}; choose another")

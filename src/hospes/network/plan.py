"""The addresses of a guest's network, as the user may choose them and as they are on the wire."""

import ipaddress
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final, NamedTuple

from hospes.base.errors import HospesError

MTU_MIN: Final = 1280
MTU_MAX: Final = 65535
HOST_NAME: Final = "host.internal"
PREFIX_MIN: Final = 8
ROUTER_LINK_LOCAL: Final = ipaddress.IPv6Address("fe80::2").packed


class Hosts(NamedTuple):
    """The numbers that hosts have in their network; guests have `guest` and those that follow."""

    gateway: int = 2
    dns: int = 3
    guest: int = 15


USER_MODE: Final = Hosts()
"""The numbers that users know from other programs' user-mode networks."""


@dataclass(frozen=True)
class Plan:
    """Networks as `10.0.2.0/24` and `fd00::/64` (None: that protocol is absent).

    `hosts` says who has which number in each, unless `guest_ipv4` is given. `names` maps
    further names to addresses. With `allow_host`, the gateway's address stands for the host's
    loopback, and the host's other own and link-local addresses may be reached too; when `isolated`,
    nothing outside the network is. Without `dns` no name server is offered; with a `domain`, guests
    are known by their names in it, and nobody else is asked about those. With `router_mac`, the
    gateway is another station, whose MAC address that is: all there is here are the servers, at the
    address of the name server, and what the router has to tell. HospesError when an address cannot
    be.
    """

    ipv4: str | None = "10.0.2.0/24"
    ipv6: str | None = "fd00::/64"
    hosts: Hosts = USER_MODE
    guest_ipv4: str | None = None
    guest_name: str = "guest"
    mac: bytes = bytes.fromhex("52550a000202")
    mtu: int = 1500
    names: Mapping[str, str] = field(default_factory=dict)
    allow_host: bool = False
    isolated: bool = False
    dns: bool = True
    domain: str = ""
    router_mac: bytes = b""

    def __post_init__(self) -> None:
        if not MTU_MIN <= self.mtu <= MTU_MAX:
            raise HospesError(
                f"an MTU of {self.mtu} bytes is not possible; choose {MTU_MIN} to {MTU_MAX}"
            )
        for name, text in self.names.items():
            _address(text, f"name {name}")
        _ = self.network4, self.network6, self.guest4

    @cached_property
    def network4(self) -> ipaddress.IPv4Network | None:
        """The IPv4 network, with room for a guest."""
        if self.ipv4 is None:
            return None
        try:
            network = ipaddress.IPv4Network(self.ipv4)
        except ValueError as error:
            raise HospesError(
                f"network {self.ipv4} is no IPv4 network; write it as 10.0.2.0/24"
            ) from error
        longest = 32 - (self.hosts.guest + 1).bit_length()
        if not PREFIX_MIN <= network.prefixlen <= longest:
            raise HospesError(
                f"network {self.ipv4} is too small or large; use /{PREFIX_MIN} to /{longest}"
            )
        return network

    @cached_property
    def network6(self) -> ipaddress.IPv6Network | None:
        """The IPv6 network, which guests choose addresses in themselves."""
        if self.ipv6 is None:
            return None
        try:
            network = ipaddress.IPv6Network(self.ipv6)
        except ValueError as error:
            raise HospesError(
                f"network {self.ipv6} is no IPv6 network; write it as fd00::/64"
            ) from error
        if network.prefixlen != 64:
            raise HospesError(f"network {self.ipv6} does not suit guests; use a /64")
        return network

    def host4(self, number: int) -> bytes:
        """The packed address of the host of that number; empty without IPv4."""
        return b"" if self.network4 is None else self.network4[number].packed

    def host6(self, number: int) -> bytes:
        """The packed address of the host of that number; empty without IPv6."""
        return b"" if self.network6 is None else self.network6[number].packed

    @cached_property
    def gateway4(self) -> bytes:
        """Packed; empty without IPv4, and likewise below."""
        return self.host4(self.hosts.gateway)

    @cached_property
    def dns4(self) -> bytes:
        """The name server."""
        return self.host4(self.hosts.dns) if self.dns else b""

    @cached_property
    def guest4(self) -> bytes:
        """The guest's address, which DHCP gives it."""
        if self.guest_ipv4 is None:
            return self.host4(self.hosts.guest)
        packed = _address(self.guest_ipv4, "guest")
        if not self.is_inside(packed) or packed in (self.gateway4, self.dns4):
            raise HospesError(
                f"the guest's address {self.guest_ipv4} is not free in {self.ipv4}; choose another"
            )
        return packed

    @cached_property
    def gateway6(self) -> bytes:
        """The router's address in the guest's network; it has ROUTER_LINK_LOCAL too."""
        return self.host6(self.hosts.gateway)

    @cached_property
    def dns6(self) -> bytes:
        """The name server."""
        return self.host6(self.hosts.dns) if self.dns else b""

    @property
    def routes(self) -> bool:
        """Whether the gateway is here."""
        return not self.router_mac

    @cached_property
    def server4(self) -> bytes:
        """Where DHCP is served, and what is sent comes from."""
        return self.gateway4 if self.routes else self.host4(self.hosts.dns)

    @cached_property
    def server6(self) -> bytes:
        """What is sent comes from."""
        return self.gateway6 if self.routes else self.host6(self.hosts.dns)

    @property
    def name_servers(self) -> tuple[bytes, ...]:
        """Those of both families that are there, packed."""
        return tuple(filter(None, (self.dns4, self.dns6)))

    @cached_property
    def ours(self) -> frozenset[bytes]:
        """Every address that is answered here."""
        own = {self.server4, self.dns4, self.server6, self.dns6}
        return frozenset(own - {b""}) | (self._routers if self.routes else frozenset())

    @cached_property
    def elsewhere(self) -> frozenset[bytes]:
        """Every address of a gateway that is another station."""
        return frozenset() if self.routes else self._routers

    @cached_property
    def _routers(self) -> frozenset[bytes]:
        link_local = b"" if self.ipv6 is None else ROUTER_LINK_LOCAL
        return frozenset({self.gateway4, self.gateway6, link_local} - {b""})

    def is_taken(self, address: bytes) -> bool:
        """Whether a packed address is one that no guest may have."""
        return address in self.ours or address in self.elsewhere

    def is_free(self, address: bytes) -> bool:
        """Whether a packed IPv4 address is one that a guest may be given."""
        network = self.network4
        if network is None or len(address) != 4 or self.is_taken(address):
            return False
        return self.is_inside(address) and address not in (
            network.network_address.packed, network.broadcast_address.packed,
        )  # fmt: skip

    def pool(self) -> Iterator[bytes]:
        """The IPv4 addresses that guests are given, in order."""
        if self.network4 is None:
            return
        first, last = int.from_bytes(self.guest4, "big"), int(self.network4.broadcast_address)
        for number in range(first, last):
            address = number.to_bytes(4, "big")
            if not self.is_taken(address):
                yield address

    def is_global6(self, address: bytes) -> bool:
        """Whether it is an IPv6 address of the guest's network that all of the network can use."""
        return len(address) == 16 and self.is_inside(address) and address[0] != ROUTER_LINK_LOCAL[0]

    def is_inside(self, address: bytes) -> bool:
        """Whether a packed address belongs to the guest's network, link-local ones included."""
        number = int.from_bytes(address, "big")
        if len(address) == 4:
            network4 = self.network4
            return network4 is not None and (
                number & int(network4.netmask) == int(network4.network_address)
            )
        network6 = self.network6
        if network6 is None:
            return False
        return number >> 64 == int(network6.network_address) >> 64 or number >> 118 == 0x3FA


def _address(text: str, what: str) -> bytes:
    try:
        return ipaddress.ip_address(text).packed
    except ValueError as error:
        raise HospesError(f"address {text} of {what} is no IP address; correct it") from error

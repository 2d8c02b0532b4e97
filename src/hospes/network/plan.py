"""The addresses of a guest's network, as the user may choose them and as they are on the wire."""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from hospes.base.errors import HospesError

MTU_MIN: Final = 1280
MTU_MAX: Final = 65535
HOST_NAME: Final = "host.internal"
ROUTER_LINK_LOCAL: Final = ipaddress.IPv6Address("fe80::2").packed


@dataclass(frozen=True)
class Plan:
    """Networks as `10.0.2.0/24` and `fd00::/64` (None: that protocol is absent).

    In each, host 2 is the gateway, 3 the name server and 15 the guest, unless given. `names` maps
    further names to addresses. With `allow_host`, the gateway's address stands for the host's
    loopback, and the host's other own and link-local addresses may be reached too. HospesError
    when an address cannot be.
    """

    ipv4: str | None = "10.0.2.0/24"
    ipv6: str | None = "fd00::/64"
    guest_ipv4: str | None = None
    guest_name: str = "guest"
    mac: bytes = bytes.fromhex("52550a000202")
    mtu: int = 1500
    names: Mapping[str, str] = field(default_factory=dict)
    allow_host: bool = False

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
        """The IPv4 network, with room for host 15."""
        if self.ipv4 is None:
            return None
        try:
            network = ipaddress.IPv4Network(self.ipv4)
        except ValueError as error:
            raise HospesError(
                f"network {self.ipv4} is no IPv4 network; write it as 10.0.2.0/24"
            ) from error
        if not 8 <= network.prefixlen <= 27:
            raise HospesError(f"network {self.ipv4} is too small or large; use /8 to /27")
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
        return self.host4(2)

    @cached_property
    def dns4(self) -> bytes:
        """The name server."""
        return self.host4(3)

    @cached_property
    def guest4(self) -> bytes:
        """The guest's address, which DHCP gives it."""
        if self.guest_ipv4 is None:
            return self.host4(15)
        packed = _address(self.guest_ipv4, "guest")
        if not self.is_inside(packed) or packed in (self.gateway4, self.dns4):
            raise HospesError(
                f"the guest's address {self.guest_ipv4} is not free in {self.ipv4}; choose another"
            )
        return packed

    @cached_property
    def gateway6(self) -> bytes:
        """The router's address in the guest's network; it has ROUTER_LINK_LOCAL too."""
        return self.host6(2)

    @cached_property
    def dns6(self) -> bytes:
        """The name server."""
        return self.host6(3)

    @cached_property
    def ours(self) -> frozenset[bytes]:
        """Every address that is answered here."""
        own = {self.gateway4, self.dns4, self.gateway6, self.dns6}
        if self.ipv6 is not None:
            own.add(ROUTER_LINK_LOCAL)
        return frozenset(own - {b""})

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

"""Where a guest may reach: what each destination stands for on the host's side, or why not."""

import ipaddress
from collections.abc import Callable
from enum import Enum
from typing import Final

from hospes.network.plan import Plan

LOOPBACK4: Final = ipaddress.IPv4Address("127.0.0.1").packed
LOOPBACK6: Final = ipaddress.IPv6Address("::1").packed
DNS_PORT: Final = 53


class Refusal(Enum):
    """Why a destination is out of reach."""

    ABSENT = "nobody has this address"
    PROHIBITED = "the guest may not reach this address"


class Service(Enum):
    """What is answered or passed on under an address of ours."""

    DNS = "the host's resolvers"


Target = bytes | Refusal | Service


def _ranges(*texts: str) -> tuple[tuple[int, int, int], ...]:
    networks = [ipaddress.ip_network(text) for text in texts]
    return tuple((n.version, int(n.netmask), int(n.network_address)) for n in networks)


NOWHERE: Final = _ranges("0.0.0.0/8", "224.0.0.0/3", "::/128", "ff00::/8")
"""No single station's: unspecified, multicast, reserved and broadcast (RFC 6890)."""
HOST_RANGES: Final = (
    "127.0.0.0/8", "169.254.0.0/16", "::/96", "::ffff:0:0/96", "fe80::/10",
    "100.100.100.200/32", "168.63.129.16/32", "fd00:ec2::254/128",
)  # fmt: skip
HOSTS: Final = _ranges(*HOST_RANGES)
"""The host's loopback, its links, and where clouds tell a host its secrets (metadata services).

IPv6 addresses with an IPv4 address inside reach the same places.
"""


def is_within(address: bytes, ranges: tuple[tuple[int, int, int], ...]) -> bool:
    """Whether a packed address lies in one of the ranges."""
    version, number = (4 if len(address) == 4 else 6), int.from_bytes(address, "big")
    return any(version == of and number & mask == base for of, mask, base in ranges)


class Reach:
    """The rules of one network, by packed addresses."""

    def __init__(self, plan: Plan, is_own: Callable[[bytes], bool]) -> None:
        """`is_own` tells the host's own addresses, wherever they are."""
        self._plan, self._is_own = plan, is_own

    def target(self, destination: bytes, port: int) -> Target:
        """The packed address to use on the host, the service behind it, or a refusal."""
        plan = self._plan
        if destination in (plan.dns4, plan.dns6) and port == DNS_PORT:
            return Service.DNS
        if destination in plan.ours:
            if not plan.allow_host:
                return Refusal.PROHIBITED
            return LOOPBACK4 if len(destination) == 4 else LOOPBACK6
        if is_within(destination, NOWHERE):
            return Refusal.PROHIBITED
        if plan.is_inside(destination):
            return Refusal.ABSENT
        if plan.isolated or not plan.routes:
            return Refusal.PROHIBITED
        if plan.allow_host:
            return destination
        if is_within(destination, HOSTS) or self._is_own(destination):
            return Refusal.PROHIBITED
        return destination

    def is_guests(self, address: bytes) -> bool:
        """Whether a packed address is one that a guest may have here."""
        return self._plan.is_inside(address) and not self._plan.is_taken(address)

    def seen_as(self, address: bytes, *, is_ipv4: bool) -> bytes:
        """The address under which the guest sees a client that speaks to it first.

        What would mean something else to the guest, is of the other IP, is outside of an isolated
        network, or would be answered by way of another router, becomes our own.
        """
        plan = self._plan
        strange = is_within(address, HOSTS) or is_within(address, NOWHERE)
        known = (len(address) == 4) == is_ipv4 and not strange and plan.routes and not plan.isolated
        if known and not plan.is_inside(address):
            return address
        return plan.server4 if is_ipv4 else plan.server6

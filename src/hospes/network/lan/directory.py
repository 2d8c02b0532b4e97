"""A network's directory: what was asked for, who has which address, and how it is reached."""

import ipaddress
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import msgspec

from hospes.base.errors import HospesError
from hospes.base.file_lock import is_locked
from hospes.base.paths import data_directory
from hospes.base.record import read_record, write_record
from hospes.network.leases import Lease
from hospes.network.plan import Hosts, Plan
from hospes.spec.lan import LAN_VERSION, LanSpec
from hospes.spec.net import check_lan_name, mac_bytes, mac_from

SPEC_FILE: Final = "network.json"
LOCK_FILE: Final = "lock"
"""Locked (flock) by the switch's process; whether it runs is known by nothing else."""
START_FILE: Final = "starting"
"""Locked by whoever starts that process, so that there is one."""
SOCKET_FILE: Final = "socket"
LEASES_FILE: Final = "leases.json"
LOG_FILE: Final = "switch.log"
DOMAIN: Final = "internal"
HOSTS: Final = Hosts(gateway=1, dns=1, guest=2)
BRIDGE_HOSTS: Final = Hosts(gateway=1, dns=2, guest=3)
"""The gateway of a bridge is the host itself."""
_MAC_TOP: Final = b"\x52\x55"


class LeaseRecord(msgspec.Struct, frozen=True):
    """A lease in words."""

    mac: str
    address: str
    name: str = ""


def networks_directory() -> Path:
    """Where the networks of this user are."""
    return data_directory() / "networks"


class LanDirectory:
    """One network's directory, whether its switch runs or not."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def find(cls, name: str) -> "LanDirectory":
        """The network with that name; HospesError if there is none."""
        found = cls(networks_directory() / check_lan_name(name))
        if not (found.path / SPEC_FILE).exists():
            raise found.absent
        return found

    @property
    def name(self) -> str:
        """The network's name."""
        return self.path.name

    @property
    def absent(self) -> HospesError:
        """The error that there is no such network."""
        return HospesError(
            f"there is no network {self.name!r}; make it with 'hospes network create {self.name}'"
        )

    @property
    def spec(self) -> LanSpec:
        """What was asked for; HospesError when that cannot be read."""
        found = read_record(self.path / SPEC_FILE, LanSpec)
        if found is None:
            raise self.absent
        if found.version > LAN_VERSION:
            raise HospesError(
                f"the network {self.name!r} was made by a newer Hospes (version {found.version} "
                f"of its file, not {LAN_VERSION}); use that one"
            )
        return found

    @property
    def runs(self) -> bool:
        """Whether a process holds it."""
        try:
            return is_locked(self.path / LOCK_FILE)
        except FileNotFoundError:
            return False

    @property
    def leases(self) -> list[Lease]:
        """Who had which address, used longest ago first; nothing when the file is damaged."""
        try:
            records = read_record(self.path / LEASES_FILE, list[LeaseRecord]) or []
            return [_lease(one) for one in records]
        except (HospesError, ValueError):
            return []

    def keep(self, leases: Iterable[Lease]) -> None:
        """Write them down; OSError if that fails."""
        write_record(
            self.path / LEASES_FILE,
            [
                LeaseRecord(one.mac.hex(":"), str(ipaddress.ip_address(one.address)), one.name)
                for one in leases
            ],
        )

    def fill(self, spec: LanSpec) -> None:
        """Make what a network's directory has from the beginning."""
        for name in (LOCK_FILE, START_FILE):
            os.close(os.open(self.path / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        write_record(self.path / SPEC_FILE, spec)


def plan_of(spec: LanSpec) -> Plan:
    """The network's addresses as they are on the wire."""
    network = ipaddress.IPv4Network(spec.subnet)
    hosts = BRIDGE_HOSTS if spec.bridge else HOSTS
    return Plan(
        ipv4=spec.subnet,
        ipv6=spec.ipv6,
        hosts=hosts,
        mac=_MAC_TOP + network[hosts.dns].packed,
        # On a bridge, what reaches the host does not come by us.
        allow_host=spec.allow_host and not spec.bridge,
        isolated=spec.isolated,
        dns=spec.dns,
        domain=DOMAIN,
        router_mac=bridge_mac(spec) if spec.bridge else b"",
    )


def bridge_mac(spec: LanSpec) -> bytes:
    """The address of a network's bridge, by which it is known to be ours: no other has its prefix.
    """
    return mac_bytes(mac_from(b"bridge " + spec.ipv6.encode()))


def fixed_of(spec: LanSpec) -> dict[str | bytes, bytes]:
    """Packed addresses by name, or by packed address of a card."""
    return {
        mac_bytes(who) if ":" in who else who: ipaddress.IPv4Address(address).packed
        for who, address in spec.leases.items()
    }


def _lease(record: LeaseRecord) -> Lease:
    return Lease(
        mac_bytes(record.mac), ipaddress.IPv4Address(record.address).packed, record.name
    )

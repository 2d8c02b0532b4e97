"""The networks of this user: made whole, listed, removed, and looked into while at work."""

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from ipaddress import IPv4Network, IPv6Network, ip_address
from pathlib import Path
from typing import Final

from hospes.base.disk_errors import disk_errors
from hospes.base.errors import HospesError
from hospes.base.file_lock import take_lock
from hospes.manager.network_state import Known, NetworkInspected, Present
from hospes.network.bridge import host_bridge
from hospes.network.lan.connection import ask
from hospes.network.lan.directory import (
    DOMAIN,
    HOSTS,
    LOCK_FILE,
    SPEC_FILE,
    LanDirectory,
    networks_directory,
)
from hospes.network.lan.messages import LanState, Look
from hospes.spec.lan import LanSpec, bridge_called, parse_subnet
from hospes.spec.net import check_lan_name

ROUTES: Final = Path("/proc/net/route")
ENDING_SECONDS: Final = 3.0
OWN_SUBNETS: Final = tuple(f"10.{number}.0.0/24" for number in range(64, 128))
"""Tried in order for a network without a subnet of the user's choice."""


def all_networks() -> list[LanDirectory]:
    """Every network, by name."""
    with suppress(FileNotFoundError):
        names = sorted(one.name for one in os.scandir(networks_directory()) if one.is_dir())
        found = [LanDirectory(networks_directory() / name) for name in names if name[0] != "."]
        return [one for one in found if (one.path / SPEC_FILE).exists()]
    return []


def create_network(
    name: str, subnet: str | None, leases: dict[str, str], *, bridge: bool = False, **wishes: bool
) -> None:
    """Make a network, whole or not at all; HospesError if there is one, or its subnet is taken.

    As a bridge, it is one of the host's.
    """
    place = networks_directory()
    directory = LanDirectory(place / check_lan_name(name))
    taken = HospesError(
        f"there is a network {name!r} already; remove it with 'hospes network rm {name}' or choose "
        "another name"
    )
    if directory.path.exists():
        raise taken
    with disk_errors("the networks in", place, "HOSPES_HOME"):
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
        with _making(place):
            spec = LanSpec(
                subnet=_free_subnet() if subnet is None else _checked(subnet),
                ipv6=_own_prefix(),
                leases=leases,
                bridge=bridge_called(name) if bridge else "",
                **wishes,
            )
            new = LanDirectory(place / f".{os.urandom(8).hex()}.new")
            new.path.mkdir(mode=0o700)
            try:
                new.fill(spec)
                try:
                    new.path.rename(directory.path)
                except OSError:
                    raise taken from None
            finally:
                shutil.rmtree(new.path, ignore_errors=True)
            _put_up(directory, spec)


def remove_network(name: str) -> None:
    """Remove a network; HospesError while machines are in it."""
    directory = LanDirectory.find(name)
    names = ", ".join(sorted(_called(one) for one in _present(directory)))
    try:
        # Without a machine, its process is about to end.
        lock = None if names else take_lock(directory.path / LOCK_FILE, ENDING_SECONDS)
    except FileNotFoundError:
        raise directory.absent from None
    if lock is None:
        raise HospesError(
            f"the network {name!r} is in use by {names or 'a machine'}; stop that first"
        )
    try:
        _take_down(directory)
    except BaseException:
        os.close(lock)
        raise
    doomed = directory.path.with_name(f".{name}.{os.urandom(4).hex()}.gone")
    try:
        with disk_errors("the networks in", directory.path.parent, "HOSPES_HOME"):
            directory.path.rename(doomed)
            shutil.rmtree(doomed)
    finally:
        os.close(lock)


def _put_up(directory: LanDirectory, spec: LanSpec) -> None:
    """The bridge of a network that is one. Its directory is there before it, to remove it by."""
    if not spec.bridge:
        return
    try:
        host_bridge.put_up(directory.name, spec)
    except BaseException:
        shutil.rmtree(directory.path, ignore_errors=True)
        raise


def _take_down(directory: LanDirectory) -> None:
    """The bridge of a network that is one; of a damaged record, nothing is known but its name."""
    try:
        spec = directory.spec
    except HospesError:
        return
    if spec.bridge:
        host_bridge.take_down(directory.name, spec)


def inspect_network(name: str) -> NetworkInspected:
    """A network as it is now."""
    directory = LanDirectory.find(name)
    spec, state = directory.spec, look(directory)
    network = IPv4Network(spec.subnet)
    known = (
        Known(one.name, one.mac.hex(":"), str(ip_address(one.address))) for one in directory.leases
    )
    return NetworkInspected(
        name=name,
        kind=kind_of(spec),
        bridge=spec.bridge,
        subnet=spec.subnet,
        gateway=str(network[HOSTS.gateway]),
        ipv6=spec.ipv6,
        dns=spec.dns,
        domain=DOMAIN if spec.dns else "",
        isolated=spec.isolated,
        allow_host=spec.allow_host,
        strict=spec.strict,
        fixed=spec.leases,
        leases=tuple(known),
        process=state.process if state else None,
        machines=tuple(_present(directory, state)),
        switch=state.switch if state else {},
        uplink=state.gateway if state else {},
    )


def kind_of(spec: LanSpec) -> str:
    """In a word, how its frames travel."""
    return "bridge" if spec.bridge else "user-mode"


def look(directory: LanDirectory) -> LanState | None:
    """What the network's process says, if it runs."""
    if directory.runs:
        with suppress(HospesError):
            return ask(directory, Look(), LanState)
    return None


def _present(directory: LanDirectory, state: LanState | None = None) -> Iterator[Present]:
    state = state or look(directory)
    for one in state.stations if state else ():
        published = tuple(
            f"{each.host_address}:{each.host_port}:{each.guest_port}/{each.protocol}"
            for each in one.published
        )
        yield Present(
            one.name, one.mac, one.address, one.frames_sent, one.bytes_sent, one.frames_received,
            one.bytes_received, one.dropped, published,
        )  # fmt: skip


def _called(one: Present) -> str:
    return one.name or f"the machine with the card {one.mac}"


def _checked(subnet: str) -> str:
    """The subnet in its usual form, unless another network has a part of it."""
    wanted = parse_subnet(subnet)
    for other, whose in _taken():
        if wanted.overlaps(other):
            raise HospesError(
                f"the subnet {subnet} overlaps with {other} of {whose}; choose another"
            )
    return str(wanted)


def _free_subnet() -> str:
    taken = [network for network, _ in _taken()]
    for text in OWN_SUBNETS:
        if not any(IPv4Network(text).overlaps(other) for other in taken):
            return text
    raise HospesError(
        f"no subnet from {OWN_SUBNETS[0]} to {OWN_SUBNETS[-1]} is free; choose one with --subnet"
    )


def _taken() -> Iterator[tuple[IPv4Network, str]]:
    """What other networks of this user have, and what this host is on itself."""
    for one in all_networks():
        with suppress(HospesError):
            yield IPv4Network(one.spec.subnet), f"the network {one.name!r}"
    yield from _routes()


def _routes() -> Iterator[tuple[IPv4Network, str]]:
    """The networks of the host's own devices, but for default routes."""
    with suppress(OSError):
        for line in ROUTES.read_text().splitlines()[1:]:
            words = line.split()
            address, mask = (bytes.fromhex(words[at])[::-1] for at in (1, 7))
            if any(mask):
                length = int.from_bytes(mask).bit_count()
                yield IPv4Network((address, length)), f"this host's device {words[0]}"


def _own_prefix() -> str:
    """A prefix that nobody else is likely to have (RFC 4193, section 3.2)."""
    prefix = b"\xfd" + secrets.token_bytes(5) + bytes(2)
    return str(IPv6Network((prefix + bytes(8), 64)))


@contextmanager
def _making(place: Path) -> Iterator[None]:
    """One at a time, so that no two choose the same subnet."""
    path = place / ".making"
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    lock = take_lock(path, 10.0)
    if lock is None:
        raise HospesError(f"another network is being made ({path} is locked); try again")
    try:
        yield
    finally:
        os.close(lock)

"""The host's side of a bridged network: its device, its rules, and the kernel's forwarding.

All of it is the kernel's, in this network namespace: it outlives our processes, and a reboot ends
it. `put_up` makes what is missing, and may be called at any time; `take_down` removes what there is
and needs to know of nothing but the network's spec.
"""

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

from hospes.base.errors import HospesError, os_reason
from hospes.base.file_lock import take_lock
from hospes.base.programs import find_program, run_program
from hospes.base.rights import may_manage_networks
from hospes.network.bridge import forwarding
from hospes.network.bridge.rules import (
    BEFORE,
    FAMILY,
    TABLE_PREFIX,
    addressing,
    removal,
    ruleset,
    table_of,
)
from hospes.network.lan.directory import bridge_mac, plan_of
from hospes.network.tap import DEVICES, open_tun
from hospes.spec.lan import LanSpec

LOCK_SECONDS: Final = 30.0
PACKAGES: Final = {"ip": "iproute2", "nft": "nftables"}


def check_host(name: str) -> None:
    """HospesError unless this process may and can make bridges, with rules for them."""
    if not may_manage_networks():
        raise HospesError(
            f"the network {name!r} is a bridge of this host, which takes the right to change the "
            "host's networks (CAP_NET_ADMIN); run as root, or make a network without --bridge"
        )
    for program in PACKAGES:
        _program(program)


def put_up(name: str, spec: LanSpec) -> None:
    """Make the bridge and what belongs to it, as far as it is not there.

    HospesError if it cannot be, or another device is called so; a bridge is not left half made.
    """
    check_host(name)
    # Each machine is to have one, and so are the servers.
    os.close(open_tun())
    with _alone(), _settings():
        is_new = not is_there(spec)
        if is_new:
            _check_free(spec)
        try:
            _make(name, spec, is_new=is_new)
        except BaseException:
            if is_new:
                with suppress(HospesError, OSError):
                    _remove(name, spec)
            raise


def take_down(name: str, spec: LanSpec) -> None:
    """Remove all of it that is there, and put the host's settings back after the last network."""
    check_host(name)
    with _alone(), _settings():
        if is_there(spec) or not _exists(spec):
            _remove(name, spec)


def is_there(spec: LanSpec) -> bool:
    """Whether the network's bridge is there, which is known by its address."""
    return _read(spec.bridge, "address") == bridge_mac(spec).hex(":")


def _exists(spec: LanSpec) -> bool:
    return (DEVICES / spec.bridge).exists()


def _check_free(spec: LanSpec) -> None:
    """HospesError when another device is called as the network's bridge is to be."""
    if _exists(spec):
        raise HospesError(
            f"this host has a device {spec.bridge} already, which is not this network's; remove it "
            f"('ip link delete {spec.bridge}'), or choose another name for the network"
        )


def _make(name: str, spec: LanSpec, *, is_new: bool) -> None:
    plan = plan_of(spec)
    if is_new:
        # It keeps this address whatever is put into it.
        address = bridge_mac(spec).hex(":")
        _links(f"link add name {spec.bridge} address {address} type bridge", spec)
    _links(addressing(spec, plan, ipv6=_has_ipv6()), spec)
    before: list[str] = []
    if not spec.isolated:
        noted = _noted(_tables())
        before = forwarding.before() if noted is None else noted
    # Before the settings are changed, for what they were is in there.
    _rules(ruleset(name, spec, plan, before), name)
    _settle(spec)


def _remove(name: str, spec: LanSpec) -> None:
    if is_there(spec):
        _links(f"link delete dev {spec.bridge}", spec)
    ours, others = table_of(name), _tables() - {table_of(name)}
    before = _noted({ours})
    # First, for the table that says what was is the only place where that is written.
    if before is not None and _noted(others) is None:
        forwarding.restore(before)
    _rules(removal(name), name)


def _settle(spec: LanSpec) -> None:
    """The host takes no guest's word for a router's; and it is one, unless they are isolated."""
    own = forwarding.SETTINGS / "ipv6/conf" / spec.bridge
    if own.exists():
        (own / "accept_ra").write_text("0")
    if not spec.isolated:
        forwarding.enable()
        if own.exists():
            (own / "forwarding").write_text("1")


def _has_ipv6() -> bool:
    return (forwarding.SETTINGS / "ipv6/conf/all").exists()


def _noted(tables: Iterable[str]) -> list[str] | None:
    """The host's settings as they were before the first of our networks that forwards.

    None when these tables are of no such network.
    """
    for table in tables:
        rules = _listed("chain", FAMILY, table, BEFORE)
        if rules:
            return [each["rule"]["comment"] for each in rules if "comment" in each.get("rule", {})]
    return None


def _tables() -> set[str]:
    """Our tables, of networks of whoever."""
    found = _listed("tables", FAMILY)
    names = {each["table"]["name"] for each in found if "table" in each}
    return {name for name in names if name.startswith(TABLE_PREFIX)}


def _listed(*words: str) -> list[dict[str, dict[str, str]]]:
    """What nftables has; nothing when it has not."""
    done = run_program(_program("nft"), "-j", "list", *words)
    if done.returncode:
        return []
    found: list[dict[str, dict[str, str]]] = json.loads(done.stdout)["nftables"]
    return found


def _links(batch: str, spec: LanSpec) -> None:
    done = run_program(_program("ip"), "-batch", "-", said=f"{batch}\n")
    if done.returncode:
        raise HospesError(
            f"the bridge {spec.bridge} is not as it should be: ip says {_first(done.stderr)!r}; "
            "see 'ip link', and that the kernel has bridges ('modprobe bridge')"
        )


def _rules(text: str, name: str) -> None:
    done = run_program(_program("nft"), "-f", "-", said=text)
    if done.returncode:
        raise HospesError(
            f"the rules of the network {name!r} are not as they should be: nft says "
            f"{_first(done.stderr)!r}; see that the kernel has nftables ('nft list ruleset')"
        )


def _first(text: str) -> str:
    """The first line of what a program says, without where it saw it."""
    lines = text.strip().splitlines() or [""]
    return lines[0].partition("Error: ")[2] or lines[0]


def _program(name: str) -> str:
    path = find_program(name)
    if not path:
        raise HospesError(
            f"networks with --bridge need {name}, which is not installed; install it with "
            f"'apt-get install {PACKAGES[name]}', or make a network without --bridge"
        )
    return path


def _read(device: str, name: str) -> str:
    try:
        return (DEVICES / device / name).read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


@contextmanager
def _alone() -> Iterator[None]:
    """One process of this namespace at a time, whoever's networks it works on.

    What is locked is the setting that they have in common.
    """
    lock = take_lock(forwarding.SETTINGS / forwarding.IPV4, LOCK_SECONDS)
    if lock is None:
        raise HospesError("another network's bridge is being made; try again")
    try:
        yield
    finally:
        os.close(lock)


@contextmanager
def _settings() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        why = os_reason(error)
        raise HospesError(
            f"the host's setting {error.filename} cannot be changed ({why}); run where "
            f"{forwarding.SETTINGS} can be written, as on the host itself"
        ) from error

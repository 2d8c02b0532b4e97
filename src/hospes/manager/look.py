"""What can be said of a machine without starting it: its state, and since when."""

import time
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from hospes.base.errors import HospesError
from hospes.manager.link import Link
from hospes.manager.store import MachineDirectory
from hospes.spec.net import NetworkKind, NetworkSpec, mac_bytes

MINUTE_S: Final = 60
HOUR_S: Final = 60 * MINUTE_S
DAY_S: Final = 24 * HOUR_S


class State(StrEnum):
    """Where in its life a machine that is kept may be."""

    CREATED = "created"
    RUNNING = "running"
    PAUSED = "paused"
    SILENT = "not answering"
    STOPPED = "stopped"
    CRASHED = "crashed"


@dataclass(frozen=True)
class MachineLine:
    """A line of `hospes ps`.

    `address` is that in a network that it shares; `exit_code` is the guest's, once it has switched
    itself off.
    """

    name: str
    state: str
    image: str
    since: str
    address: str
    exit_code: int | None


def line_of(machine: MachineDirectory) -> MachineLine:
    """A machine as it is now; a damaged one is listed, too."""
    try:
        spec = machine.spec
        boots = spec.image or str(spec.kernel or spec.bios or "")
        state, when_s, code = state_of(machine)
        address = address_of(spec.network) if machine.runs else ""
    except HospesError:
        return MachineLine(machine.name, "damaged", "", "", "", None)
    since = "" if when_s is None else ago(when_s)
    return MachineLine(machine.name, state, boots, since, address, code)


def address_of(network: NetworkSpec) -> str:
    """The address that a machine's card has in a network that it shares; "" elsewhere."""
    if network.kind != NetworkKind.SWITCH or network.mac is None:
        return ""
    # Here, for most machines share no network.
    from ipaddress import ip_address

    from hospes.network.lan.directory import LanDirectory

    mac = mac_bytes(network.mac)
    found = [one for one in LanDirectory.find(network.name).leases if one.mac == mac]
    return str(ip_address(found[0].address)) if found else ""


def state_of(machine: MachineDirectory) -> tuple[State, float | None, int | None]:
    """Its state, since when in seconds since 1970, and the exit code if it has one."""
    if machine.runs:
        try:
            with Link(machine) as link:
                info = link.info()
            return State(info.state), info.when_s, None
        except HospesError:
            started = machine.started
            if machine.runs:
                return State.SILENT, started.when_s if started else None, None
    ended = machine.ended
    if ended is not None:
        return State.STOPPED, ended.when_s, ended.exit_code
    started = machine.started
    if started is not None:
        return State.CRASHED, started.when_s, None
    return State.CREATED, None, None


def ago(when_s: float) -> str:
    """How long ago that was, in the largest unit of which there are at least two."""
    seconds = max(0, int(time.time() - when_s))
    for size, name in ((DAY_S, "days"), (HOUR_S, "hours"), (MINUTE_S, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds // size} {name}"
    return f"{seconds} seconds"


def moment(when_s: float) -> str:
    """A point in time, in the local time zone."""
    return time.strftime("%Y-%m-%d %H:%M:%S %z", time.localtime(when_s))

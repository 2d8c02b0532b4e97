"""Machines that are kept, each in a process of its own: the verbs of their life."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Final

from hospes.manager.manager import Manager
from hospes.manager.verb import verb

if TYPE_CHECKING:
    from hospes.manager.inspection import Inspected
    from hospes.manager.look import MachineLine
    from hospes.manager.store import MachineDirectory

STOP_SECONDS: Final = 30.0

Names = Annotated[list[str], "the machine, or several"]
Name = Annotated[str, "the machine"]


@dataclass(frozen=True)
class Counted:
    """A number of a machine's statistics."""

    group: str
    name: str
    value: str


@dataclass(frozen=True)
class Remarks:
    """What there is to say of something that was done."""

    remark: str = ""


@verb("GET /machines")
def ps(
    m: Manager,
    *,
    all: Annotated[bool, "those that do not run, too", "-a"] = False,
    quiet: Annotated[bool, "only their names", "-q"] = False,
) -> "tuple[MachineLine, ...] | tuple[str, ...]":
    """List the machines that run."""
    from hospes.manager.look import line_of
    from hospes.manager.store import Store

    found = [machine for machine in Store().all() if all or machine.runs]
    if quiet:
        return tuple(machine.name for machine in found)
    return tuple(line_of(machine) for machine in found)


@verb("POST /machines/{name}/start")
def start(m: Manager, names: Names) -> tuple[str, ...]:
    """Start a machine that was made before, as it was asked for then."""
    from hospes.manager.launch import launch

    return _each(names, lambda machine: launch(machine, [], m.progress))


@verb("POST /machines/{name}/stop")
def stop(
    m: Manager,
    names: Names,
    *,
    timeout: Annotated[float, "seconds until the plug is pulled"] = STOP_SECONDS,
    force: Annotated[bool, "pull the plug at once", "-f"] = False,
) -> Remarks:
    """Stop a machine: its guest is asked to switch itself off, and then the plug is pulled."""
    from hospes.manager.stopping import pull_plug, stop_in_order

    remarks: list[str] = []

    def end(machine: "MachineDirectory") -> None:
        remarks.append(pull_plug(machine) if force else stop_in_order(m, machine, timeout))
        ended = machine.ended
        remarks.extend(ended.remarks if ended else ())

    _each(names, end)
    return Remarks("; ".join(filter(None, remarks)))


@verb("DELETE /machines/{name}")
def rm(
    m: Manager,
    names: Names,
    *,
    force: Annotated[bool, "stop it first, if it runs", "-f"] = False,
) -> None:
    """Remove a machine, and with it the disks that are its own."""
    from hospes.manager.stopping import pull_plug

    def remove(machine: "MachineDirectory") -> None:
        if force and machine.runs:
            pull_plug(machine)
        machine.remove()

    _each(names, remove)


@verb("POST /machines/{name}/rename")
def rename(m: Manager, name: Name, new: Annotated[str, "its name from here on"]) -> None:
    """Give a machine that does not run another name."""
    from hospes.manager.store import Store

    Store().find(name).rename(new)


@verb("POST /machines/{name}/pause")
def pause(m: Manager, names: Names) -> None:
    """Pause a machine: time stands still in it."""
    from hospes.manager.link import Link

    def hold(machine: "MachineDirectory") -> None:
        with Link(machine) as link:
            link.pause()

    _each(names, hold)


@verb("POST /machines/{name}/resume")
def resume(m: Manager, names: Names) -> None:
    """Let a paused machine go on."""
    from hospes.manager.link import Link

    def go_on(machine: "MachineDirectory") -> None:
        with Link(machine) as link:
            link.resume()

    _each(names, go_on)


@verb("GET /machines/{name}/statistics")
def stats(m: Manager, name: Name) -> tuple[Counted, ...]:
    """Show what a running machine has counted so far."""
    from hospes.manager.link import Link
    from hospes.manager.store import Store

    with Link(Store().find(name)) as link:
        return tuple(Counted(*row) for row in link.statistics())


@verb("GET /machines/{name}")
def inspect(m: Manager, name: Name) -> "Inspected":
    """Show everything known of a machine."""
    from hospes.manager.inspection import inspect_machine
    from hospes.manager.store import Store

    return inspect_machine(Store().find(name))


def _each(names: Sequence[str], act: "Callable[[MachineDirectory], object]") -> tuple[str, ...]:
    """Act on every machine (several.each)."""
    from hospes.manager.several import each
    from hospes.manager.store import Store

    return each(names, lambda name: act(Store().find(name)))
